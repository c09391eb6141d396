"""Nothing a cell shows is lost, or it is cut with a visible mark and kept on the disk."""

from __future__ import annotations

import os

import nbformat
import pytest

from nbprod.notebook.execution import Execution
from nbprod.notebook.journal import read_events
from nbprod.notebook.recovery import replayed

pytestmark = pytest.mark.kernel


def test_twenty_thousand_flushed_lines_arrive_whole_in_one_output(execute):
    nb, result = execute("for number in range(20_000): print('line', number, flush=True)")
    assert result.cause is None
    assert len(nb.cells[0].outputs) == 1
    assert nb.cells[0].outputs[0].text == "".join(f"line {number}\n" for number in range(20_000))


def test_a_flood_is_cut_with_a_mark_and_whole_in_the_log(execute, tmp_path):
    nb, result = execute(
        "import sys\nfor number in range(100_000): sys.stdout.write(f'{number:099d}\\n')", cell_text_kb=256
    )
    assert result.cause is None
    text = nb.cells[0].outputs[0].text
    assert len(text) < 300_000
    assert "characters left out; all of it: logs/c0.log …]" in text
    assert text.endswith(f"{99_999:099d}\n")
    assert (tmp_path / "logs" / "c0.log").read_text() == "".join(f"{number:099d}\n" for number in range(100_000))
    assert (tmp_path / "notebook.ipynb").stat().st_size < 400_000


@pytest.mark.parametrize(("size", "name"), [(20_000_000, "c0-0.html"), (60_000_000, "c0-0.json")])
def test_a_huge_display_goes_to_a_file(execute, tmp_path, size, name):
    nb, result = execute(f"from IPython.display import HTML, display\ndisplay(HTML('x' * {size}))")
    assert result.cause is None
    assert "left out because of its size" in nb.cells[0].outputs[0].data["text/plain"]
    assert size <= (tmp_path / "logs" / name).stat().st_size < size + 1000


def test_displays_are_updated_in_place_and_cleared(execute):
    nb, _ = execute(
        "from IPython.display import clear_output, display\nhandle = display('a', display_id=True)",
        "handle.update('b')",
        "print('gone'); clear_output(); print('stays')",
        "print('gone'); clear_output(wait=True); print('stays')",
    )
    assert nb.cells[0].outputs[0].data["text/plain"] == "'b'"
    assert [output.text for output in (*nb.cells[2].outputs, *nb.cells[3].outputs)] == ["stays\n", "stays\n"]


def test_what_a_thread_prints_after_its_cell_is_kept(execute):
    """Under which cell is the kernel's choice."""
    nb, _ = execute(
        "import threading, time\ndef later():\n    time.sleep(0.3); print('from the thread')\nthreading.Thread(target=later).start()",
        "time.sleep(0.8); print('second')",
    )
    texts = ["".join(output.text for output in cell.outputs) for cell in nb.cells]
    assert "".join(texts) == "from the thread\nsecond\n"


def test_output_widgets_and_progress_bars_keep_their_state(execute):
    nb, result = execute(
        "import ipywidgets\nout = ipywidgets.Output()\ndisplay(out)",
        "with out: print('inside')",
        "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
    )
    assert result.cause is None
    states = nb.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    held = [state["state"]["outputs"] for state in states if state["model_name"] == "OutputModel"]
    assert held[0][0]["text"] == "inside\n"
    nbformat.validate(nb)


def test_the_notebook_of_a_killed_runner_can_be_put_together_from_the_journal(execute, tmp_path):
    nb, _ = execute("print('a')", "for number in range(3): print(number, flush=True)\ndisplay('shown')", "1 / 0")
    again = replayed([event for _, event in read_events(tmp_path)])
    assert [again[cell.id] for cell in nb.cells] == [cell.outputs for cell in nb.cells]


def test_input_is_refused_instead_of_waited_for(execute):
    _, result = execute("input('name? ')")
    assert result.error.startswith("StdinNotImplementedError")


def test_a_cell_that_may_raise_does_not_end_the_run(tmp_path, notebook):
    nb = notebook("1 / 0", "print('on')")
    nb.cells[0].metadata["tags"] = ["raises-exception"]
    result = Execution(nb, folder=tmp_path, kernel_name="python3", cwd=tmp_path, env=dict(os.environ)).run()
    assert result.cause is None
    assert nb.cells[0].outputs[0].ename == "ZeroDivisionError"
    assert nb.cells[1].outputs[0].text == "on\n"
