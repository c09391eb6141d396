from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_output

from nbprod.domain.execution import Limits
from nbprod.notebook.outputs import RECORD_TYPE, CellOutputs, Printed


def printed(*texts, most=1000):
    log = []
    taken = Printed(most, lambda text: log.append(text) or "logs/x.log")
    for text in texts:
        taken.add(text)
    return taken, log


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["a\n", "b\n"], "a\nb\n"),
        (["10%\r20%\r", "30%\n", "done"], "30%\ndone"),
        (["a\r\nb\r\n"], "a\r\nb\r\n"),
        (["ab\bc"], "ac"),
        (["one\r"], "one\r"),
        (["one\r", "two"], "two"),
    ],
)
def test_a_line_that_was_written_over_is_one_line(texts, shown):
    assert str(printed(*texts)[0]) == shown


def test_an_hour_of_a_progress_bar_is_one_line():
    taken, _ = printed(*(f"\r{number / 360:.1f}%" for number in range(36_000)))
    assert str(taken) == "100.0%"


@given(st.lists(st.text(alphabet="abc\n", max_size=50), max_size=30))
def test_text_within_the_limit_is_kept_whole_however_it_arrives(texts):
    taken, log = printed(*texts, most=10_000)
    assert str(taken) == "".join(texts)
    assert log == []


@given(st.lists(st.text(alphabet="abc\n", max_size=300), min_size=1, max_size=30))
def test_text_beyond_the_limit_keeps_both_ends_counts_the_rest_and_is_whole_in_the_log(texts):
    whole = "".join(texts)
    taken, log = printed(*texts, most=200)
    taken.finish()
    shown = str(taken)
    if len(whole) <= 200:
        assert shown == whole
        return
    assert "".join(log) == whole
    assert shown.startswith(whole[:100])
    assert shown.endswith(whole[-100:])
    assert f"[… {len(whole) - 200:,} characters left out" in shown


@pytest.fixture
def outputs(tmp_path):
    def make(**limits):
        changes = []
        cell = new_code_cell("", id="c")
        made = CellOutputs(
            cell,
            folder=tmp_path,
            limits=Limits(**limits),
            has_room=lambda size: size < 10**9,
            on_change=lambda *event: changes.append(event),
        )
        return made, changes

    return make


def test_streams_merge_until_another_output_comes(outputs):
    made, changes = outputs()
    made.stream("stdout", "a")
    made.stream("stdout", "b\n")
    made.stream("stderr", "c")
    made.add(new_output("display_data", data={"text/plain": "d"}))
    made.stream("stdout", "e")
    made.settle()
    assert [output.get("text") or output.data for output in made.outputs] == ["ab\n", "c", {"text/plain": "d"}, "e"]
    assert [index for index, *_ in changes] == [0, 0, 1, 2, 3]


def test_a_large_display_goes_to_a_file_and_leaves_a_mark(outputs, tmp_path):
    made, _ = outputs(display_kb=1)
    made.add(new_output("display_data", data={"text/html": "x" * 5000, "text/plain": "short"}))
    shown = made.outputs[0].data
    assert set(shown) == {"text/plain"}
    assert "left out because of its size: text/html, 5,000 bytes: logs/c-0.html" in shown["text/plain"]
    assert (tmp_path / "logs" / "c-0.html").read_text() == "x" * 5000


def test_a_record_is_never_cut(outputs):
    made, _ = outputs(display_kb=1)
    made.add(new_output("display_data", data={RECORD_TYPE: {"x": "y" * 5000}}))
    assert made.outputs[0].data[RECORD_TYPE] == {"x": "y" * 5000}


def test_thousands_of_displays_are_counted(outputs):
    made, _ = outputs()
    for _ in range(2_005):
        made.add(new_output("display_data", data={"text/plain": "d"}))
    made.settle()
    made.settle()
    assert len(made.outputs) == 2_001
    assert made.outputs[-1].text == "[… 5 more outputs left out …]\n"


def test_the_log_file_has_a_limit_and_says_so(outputs, tmp_path):
    made, _ = outputs(cell_text_kb=1, log_mb=1)
    for _ in range(30):
        made.stream("stdout", "x" * 99_999 + "\n")
    log = (tmp_path / "logs" / "c.log").read_bytes()
    assert len(log) < 1024 * 1024 + 100
    assert log.endswith(b"its limit is reached]\n")


def test_text_printed_after_outputs_were_left_out_and_the_notebook_was_saved_is_counted_with_them(outputs):
    """The mark is an output of its own, to which nothing is printed."""
    made, _ = outputs()
    for number in range(2001):
        made.add(new_output("display_data", data={"text/plain": str(number)}))
    made.settle()
    made.stream("stderr", "late\n")
    made.settle()

    assert [len(made.outputs), made.outputs[-1].text] == [2001, "[… 2 more outputs left out …]\n"]
