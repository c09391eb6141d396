from datetime import UTC, datetime, timedelta

from nbprod.domain.execution import ExecutionResult
from nbprod.domain.run import CellResult, CellStatus, EndCause, RunStatus
from nbprod.pages.sanitising import clean_html
from nbprod.panels.run_follower import Standing
from nbprod.panels.run_html import draw, sentence

START = datetime(2026, 11, 20, 9, 44, tzinfo=UTC)


def standing(status=RunStatus.RUNNING, cells=(), tail="", **known):
    stopping = known.pop("stopping", "")
    result = ExecutionResult(status=status, cells=tuple(cells), started_at=START, **known)
    return Standing(
        title="r-1", result=result, tail=tail, tail_of="c0", stopping=stopping, at=START + timedelta(seconds=9)
    )


def cell(number, status, **known):
    return CellResult(id=f"c{number}", index=number, status=status, **known)


def test_it_says_cell_by_cell_how_far_a_run_is():
    cells = [
        cell(0, CellStatus.COMPLETED, started_at=START, ended_at=START + timedelta(seconds=2)),
        cell(1, CellStatus.RUNNING, started_at=START + timedelta(seconds=2)),
        cell(2, CellStatus.PENDING),
    ]
    html = draw(standing(cells=cells))
    for words in ("running · 1 of 3 cells · 9.0 s", "✓ c0", "2.0 s", "▸ c1", "7.0 s", "not yet", "09:44:09 UTC"):
        assert words in html


def test_an_end_names_its_cell_and_cause_and_a_stop_its_stage():
    failed = standing(
        RunStatus.FAILED, cause=EndCause.ERROR, failed_cell="c1", error="ValueError: no", ended_at=START
    )
    assert sentence(failed).endswith("Ended in c1: Python raised an error (ValueError: no)")
    assert "stopping (interrupt)" in sentence(standing(stopping="interrupt"))


def test_what_a_run_says_is_never_markup():
    evil = "<script>alert(1)</script>\x1b[31m<img src=x onerror=alert(2)>"
    html = draw(
        standing(RunStatus.FAILED, cells=[cell(0, CellStatus.FAILED)], tail=evil, cause=EndCause.ERROR, error=evil)
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in html


def test_the_twin_keeps_its_words_through_the_cleaning_of_a_page():
    html = draw(standing(cells=[cell(0, CellStatus.COMPLETED)], tail="epoch 1"))
    assert clean_html(html).striptags() == clean_html(html.replace("nbp-panel", "")).striptags()
    for words in ("Run r-1", "1 of 1 cells", "epoch 1", "white-space"):
        assert words in clean_html(html)


def test_of_a_long_notebook_the_part_around_the_running_cell_is_shown():
    cells = [
        cell(n, CellStatus.COMPLETED if n < 100 else CellStatus.RUNNING if n == 100 else CellStatus.PENDING)
        for n in range(300)
    ]
    html = draw(standing(cells=cells))
    assert "▸ c100" in html
    assert "… 92 cells above" in html
    assert "… 196 cells below" in html
    assert len(html) < 5_000
