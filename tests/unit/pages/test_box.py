import pytest

from nbprod.pages.box import boxed, unboxed


def test_a_foreign_report_is_inside_a_frame_with_a_foreign_origin_and_nowhere_else():
    page = boxed("<script>alert(1)</script>", title="<b>", back="../index.html")
    assert 'sandbox="allow-scripts"' in page
    assert "allow-same-origin" not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("frame-src 'none'") == 1
    assert page.index("frame-src 'none'") < page.index("<title>&lt;b&gt;</title>")
    assert '<a href="../index.html">Back</a>' in page


def test_quotes_cannot_end_the_frame():
    assert boxed("\"'><script>x</script>", title="t").count("<script") == 0


@pytest.mark.parametrize("report", ["<h1>a</h1>", "<!DOCTYPE html>\n<p title=\"x\">&amp; 'y'</p>\n", ""])
def test_what_was_boxed_comes_out_again(report):
    assert unboxed(boxed(report, title="t", back="x")) == report


def test_a_page_that_only_calls_itself_boxed_is_taken_as_it_is():
    page = boxed("x", title="t").replace("</h1>", "</h1><script>a()</script>")
    assert "<script" not in boxed(unboxed(page), title="t")
    assert unboxed("<script>a()</script>") == "<script>a()</script>"
