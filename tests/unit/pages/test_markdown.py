import pytest

from nbprod.pages.markdown import markdown, plain_title
from tests.unit.pages.conftest import HOSTILE, active


def test_headings_stand_below_the_pages_own():
    assert markdown("# a\n\n## b\n\n##### c") == "<h3>a</h3>\n<h4>b</h4>\n<h6>c</h6>\n"


def test_tables_and_html_of_the_author_stay():
    shown = markdown("| a |\n|---|\n| 1 |\n\n<details><summary>more</summary>x</details>")
    assert "<td>1</td>" in shown
    assert "<summary>more</summary>" in shown


def test_a_picture_from_elsewhere_becomes_its_words():
    assert markdown("![a chart](https://example.org/x.png)") == "<p>a chart</p>\n"


def test_an_attached_picture_is_embedded():
    shown = markdown("![a](attachment:x.png)", attachments={"x.png": {"image/png": "AAAA"}})
    assert 'src="data:image/png;base64,AAAA"' in shown


def test_an_attachment_cannot_be_anything_else():
    shown = markdown("![a](attachment:x)", attachments={"x": {"text/html": "AAAA"}, "y": "z"})
    assert "src" not in shown


@pytest.mark.parametrize(
    "payload", [*HOSTILE, "[x](javascript:alert(1))", "![x](javascript:alert(1))", "<javascript:a>"]
)
def test_hostile_text_does_not_act(payload):
    assert active(markdown(payload)) == []


@pytest.mark.parametrize(
    ("source", "title", "rest"),
    [
        ("# Train a *model* of `x_y`\n\ntext", "Train a model of x_y", "text"),
        ("text", "", "text"),
        ("## Second", "", "## Second"),
        ("# [Linked](http://x) #", "Linked", ""),
    ],
)
def test_the_title_is_the_opening_heading(source, title, rest):
    found, left = plain_title(source)
    assert (found, left.strip()) == (title, rest)
