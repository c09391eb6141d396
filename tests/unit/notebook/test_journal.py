from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.run import CellStatus, EndCause, RunStatus
from nbprod.notebook.journal import JOURNAL, Journal, fold, read_events


def kinds(folder):
    return [event["kind"] for _, event in read_events(folder)]


def test_events_come_back_in_order_with_what_was_said(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append("run.started", durable=True, cells=[("a", 0)])
        journal.append("cell.started", cell="a", nothing=None)
    (_, first), (_, second) = read_events(tmp_path)
    assert (first["kind"], first["cells"]) == ("run.started", [["a", 0]])
    assert set(second) == {"at", "kind", "cell"}


def test_a_torn_last_line_is_left_out_and_the_next_writer_goes_on_after_it(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append("one")
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"at":"2026')
    assert kinds(tmp_path) == ["one"]
    with Journal(tmp_path) as journal:
        journal.append("two")
    assert kinds(tmp_path) == ["one", "two"]


def test_reading_goes_on_from_an_offset(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append("one")
        [(offset, _)] = read_events(tmp_path)
        journal.append("two")
    assert [event["kind"] for _, event in read_events(tmp_path, offset=offset)] == ["two"]


@given(cut=st.integers(0, 400))
def test_a_journal_cut_anywhere_gives_a_beginning_of_itself(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder) as journal:
        for number in range(5):
            journal.append(f"event-{number}", text="ä\n" * number)
    whole = kinds(folder)
    path = folder / JOURNAL
    path.write_bytes(path.read_bytes()[:cut])
    found = kinds(folder)
    assert found == whole[: len(found)]


def test_no_journal_is_no_events(tmp_path):
    assert list(read_events(tmp_path)) == []
    assert fold([]).status is RunStatus.QUEUED


def event(kind, second, **data):
    return {"at": f"2026-01-01T00:00:{second:02d}.000000Z", "kind": kind, **data}


STARTED = [event("run.started", 0, cells=[["a", 1], ["b", 2]]), event("cell.started", 1, cell="a")]


def test_a_journal_without_an_end_is_running_never_completed():
    result = fold(STARTED)
    assert (result.status, result.ended_at) == (RunStatus.RUNNING, None)
    assert [cell.status for cell in result.cells] == [CellStatus.RUNNING, CellStatus.PENDING]


def test_the_end_names_the_cell_and_the_cause():
    result = fold(
        [
            *STARTED,
            event("cell.ended", 3, cell="a", status="failed", cause="timeout", cpu_s=1.5),
            event("run.ended", 4, status="failed", cause="timeout", cell="a", error="too long"),
        ]
    )
    assert (result.status, result.cause, result.failed_cell) == (RunStatus.FAILED, EndCause.TIMEOUT, "a")
    assert (result.cells[0].cpu_s, result.cells[0].index) == (1.5, 1)
    assert (result.ended_at - result.started_at).total_seconds() == 4


def test_a_new_attempt_starts_from_nothing():
    ended = event("run.ended", 4, status="failed", cause="error", cell="a", error="no")
    result = fold([*STARTED, ended, event("run.started", 5, cells=[["a", 1]])])
    assert (result.status, result.cause, result.ended_at, len(result.cells)) == (RunStatus.RUNNING, None, None, 1)


@pytest.mark.parametrize("text", ["\ud800", "\u2028", "\x00", "é"])
def test_any_text_fits_in_a_line(tmp_path, text):
    with Journal(tmp_path) as journal:
        journal.append("said", text=text)
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 1
    assert json.loads((tmp_path / JOURNAL).read_bytes())["kind"] == "said"
