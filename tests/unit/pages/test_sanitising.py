import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.pages.sanitising import clean_html, image, svg_image
from tests.unit.pages.conftest import HOSTILE, active

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def drawing(markup):
    return base64.b64decode(markup.split("base64,")[1].split('"')[0]).decode()


@pytest.mark.parametrize("payload", HOSTILE)
@pytest.mark.parametrize(
    "place",
    [
        "{}",
        "<td>{}</td>",
        '<p title="{}">x</p>',
        "<p title={}>x</p>",
        "<svg><desc>{}</desc></svg>",
        "<style>{}</style>",
    ],
)
def test_nothing_that_acts_is_left(place, payload):
    assert active(clean_html(place.format(payload))) == []


@given(st.lists(st.sampled_from([*HOSTILE, "<svg>", "</svg>", '<p title="', "'", '">', "text", "<b>"]), max_size=8))
def test_no_mixture_of_payloads_acts(pieces):
    assert active(clean_html("".join(pieces))) == []


def test_a_data_frame_keeps_its_table():
    html = '<style scoped>.dataframe{}</style><table border="1" class="dataframe"><tr><td>1</td></tr></table>'
    cleaned = clean_html(html)
    assert '<table class="dataframe">' in cleaned
    assert "style" not in cleaned
    assert ".dataframe" not in cleaned


def test_the_text_of_scripts_is_not_shown():
    assert clean_html("<p>a</p><script>var x = 1</script>") == "<p>a</p>"


def test_links_of_outputs_lose_their_address_and_those_of_texts_keep_it():
    html = '<a href="https://example.org/a">a</a>'
    assert clean_html(html) == "<a>a</a>"
    assert clean_html(html, with_links=True) == html


def test_classes_of_the_page_cannot_be_imitated():
    assert "badge" not in clean_html('<span class="badge good">approved</span>')
    assert 'class="nbp-card"' in clean_html('<div class="nbp-card">x</div>')


def test_an_output_cannot_bring_ids():
    assert "id=" not in clean_html('<p id="main">x</p>')


def test_a_page_keeps_one_first_heading():
    assert clean_html("<h1>a</h1><h2>b</h2>") == "<h3>a</h3><h3>b</h3>"


def test_a_drawing_becomes_an_image_with_its_words():
    cleaned = clean_html('<p>a<svg aria-label="A line" viewBox="0 0 1 1"><path d="M0 0"/></svg></p>')
    assert '<img class="drawing" alt="A line" src="data:image/svg+xml;base64,' in cleaned
    assert "<path" in drawing(cleaned)


def test_a_drawing_loses_scripts_events_and_addresses():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="a()">'
        "<script>a()</script><foreignObject><p>x</p></foreignObject>"
        '<image xlink:href="http://evil.example/x.png"/><use href="#ok"/>'
        '<rect style="fill:url(http://evil.example)" fill="url(#g)" onclick="a()"/>'
        "<style>@import 'http://evil.example'</style><animate attributeName='href' values='javascript:a()'/></svg>"
    )
    kept = drawing(svg_image(svg))
    assert not any(word in kept for word in ("script", "evil", "foreignObject", "onload", "onclick", "animate"))
    assert 'href="#ok"' in kept
    assert 'fill="url(#g)"' in kept


@pytest.mark.parametrize(
    "svg", ["<svg", "<p>x</p>", '<!DOCTYPE x [<!ENTITY a "b">]><svg>&a;</svg>', "<svg>\ud800</svg>", ""]
)
def test_a_drawing_that_cannot_be_read_is_named(svg):
    assert "cannot be read" in svg_image(svg)


def test_a_chart_of_ours_follows_the_readers_colours():
    assert "prefers-color-scheme" in drawing(svg_image('<svg fill="currentColor"><text>a</text></svg>'))


def test_an_image_must_be_base64():
    assert "cannot be read" in image("image/png", '"><script>', "x")
    assert f'alt="&lt;b&gt;" src="data:image/png;base64,{PIXEL}"' in image("image/png", PIXEL, "<b>")


def test_images_from_elsewhere_are_left_out():
    assert "example" not in clean_html('<img src="http://example.org/x.png" alt="x"><img src="data:text/html,x">')
