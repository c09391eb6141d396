"""Two runs on one page: everything foreign is escaped, pictures are beside each other, nothing is asked of the network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from nbprod.domain.record import Figure
from nbprod.domain.run import Run, RunStatus
from nbprod.pages.run_comparison import run_comparison

AT = datetime(2026, 11, 21, tzinfo=UTC)
A = Run(
    id="20261121T120000Z-train-0001",
    template="train",
    source="train.ipynb",
    template_digest="0",
    status=RunStatus.SUCCEEDED,
    folder="/nowhere",
    created_at=AT,
    started_at=AT,
    ended_at=AT,
)
B = replace(A, id="20261121T120000Z-train-0002")
EVIL = "<script>alert(1)</script>"


def figure(content):
    return Figure(name="roc", title="", alt=EVIL, media_type="image/svg+xml", content=content)


def test_what_differs_is_shown_and_nothing_of_it_is_markup():
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><path d='M0 0'/></svg>"
    page = run_comparison(
        A,
        B,
        rows=[("parameters", EVIL, EVIL, None), ("metrics", "auc", 0.5, 0.6)],
        cells={"fit": "changed"},
        code={"fit": f"-old\n+{EVIL}"},
        figures=({"roc": figure(svg)}, {"roc": figure(svg), EVIL: figure("no svg")}),
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert "identical" in page
    assert "not recorded" in page
    assert '<span class="added">+&lt;script' in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_runs_that_do_not_differ_say_so():
    page = run_comparison(A, B, rows=[], cells={}, code={}, figures=({}, {}))
    assert "They do not differ." in page
