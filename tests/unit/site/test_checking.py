import pytest

from nbprod.errors import NotFoundError
from nbprod.pages.layout import POLICY
from nbprod.site.checking import check

GOOD = (
    '<!DOCTYPE html><html lang="en"><head><meta http-equiv="Content-Security-Policy" content="{policy}">'
    "<title>t</title><style>a{{}}</style></head><body><h1>t</h1>{body}</body></html>"
)


def rules(tmp_path, body="", policy=POLICY, page=GOOD, name="index.html"):
    (tmp_path / "index.html").write_text(GOOD.format(policy=POLICY, body=""))
    (tmp_path / name).write_text(page.format(policy=policy, body=body))
    return [(fault.rule, fault.sentence) for fault in check(tmp_path)]


def test_a_good_page_has_no_fault(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.html").write_text(GOOD.format(policy=POLICY, body='<p id="x">x</p>'))
    body = '<a href="a/b.html#x">b</a><a href="#">top</a><img src="data:image/png;base64,AA" alt="a">'
    assert rules(tmp_path, body.replace('<a href="#">top</a>', "")) == []


@pytest.mark.parametrize(
    ("body", "rule", "words"),
    [
        ('<a href="nowhere.html">x</a>', "links", "nowhere.html leads nowhere"),
        ('<a href="../../etc/passwd">x</a>', "links", "leads out of the site"),
        ('<a href="/index.html">x</a>', "links", "is not relative"),
        ('<a href="//example.org/">x</a>', "links", "is not relative"),
        ('<a href="javascript:a()">x</a>', "links", "is not relative"),
        ('<a href="index.html#gone">x</a>', "links", "leads to no place in that page"),
        ('<img src="https://example.org/x.png" alt="x">', "requests", "img src https://example.org/x.png"),
        ("<script>a()</script>", "requests", "script"),
        ('<p onclick="a()">x</p>', "requests", "p onclick"),
        ('<p style="background:url(//example.org)">x</p>', "requests", "p style"),
        ("<style>@import url(x.css)</style>", "requests", "style sheet"),
        ('<link rel="stylesheet" href="x.css">', "requests", "x.css"),
        ('<iframe srcdoc="x"></iframe>', "requests", "iframe"),
        ('<img src="data:image/png;base64,AA">', "alt", "an image has no alternative text"),
        ("<svg></svg>", "alt", "a drawing has no alternative text"),
        ("<h1>again</h1>", "h1", "it has 2 headings of the first level, not one"),
        ("x" * 100_000, "size", "without pictures, more than 100,000"),
    ],
)
def test_a_fault_is_named(tmp_path, body, rule, words):
    found = rules(tmp_path, body)
    assert [fault for fault in found if fault[0] == rule and words in fault[1]]


@pytest.mark.parametrize(
    ("page", "rule"),
    [
        (GOOD.replace(' lang="en"', ""), "lang"),
        (GOOD.replace("<title>t</title>", ""), "title"),
        (GOOD.replace("{policy}", "default-src *"), "policy"),
        (GOOD.replace("{policy}", "{policy}; script-src 'unsafe-inline'"), "policy"),
        (GOOD.replace("<h1>t</h1>", ""), "h1"),
    ],
)
def test_a_missing_part_is_named(tmp_path, page, rule):
    assert [one for one, _ in rules(tmp_path, page=page)] == [rule]


def test_pictures_do_not_count_as_weight(tmp_path):
    assert rules(tmp_path, f'<img alt="x" src="data:image/png;base64,{"A" * 400_000}">') == []


def test_a_page_may_weigh_more_than_the_first_one(tmp_path):
    assert rules(tmp_path, "x" * 150_000, name="run.html") == []


def test_links_of_authors_to_elsewhere_are_no_fault(tmp_path):
    assert rules(tmp_path, '<a href="https://example.org/">x</a>') == []


def test_no_site_is_an_error_with_what_to_do(tmp_path):
    with pytest.raises(NotFoundError, match=r"there is no site in .*\n.*nbprod site build"):
        check(tmp_path)
