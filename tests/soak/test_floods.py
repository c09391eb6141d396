"""More output than anybody wants: nothing is lost, nothing grows without a bound."""

from __future__ import annotations

import threading
import time

import psutil
import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(1800)]


class Peak:
    """The largest memory of this process, in MB above what it had, while the block runs."""

    def __enter__(self):
        self.process, self.over = psutil.Process(), threading.Event()
        self.before = self.most = self.process.memory_info().rss
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, self.process.memory_info().rss)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def megabytes(self):
        return (self.most - self.before) / 1e6


def test_a_gigabyte_of_output_is_cut_in_the_notebook_and_whole_in_the_log_with_bounded_memory(execute, tmp_path):
    """1 GB in lines of a kilobyte; the log keeps up to its own cap and says what it left out."""
    with Peak() as peak:
        nb, result = execute("line = 'x' * 999\nfor _ in range(1_000_000): print(line)\nprint('the end')")

    assert result.cause is None
    assert (tmp_path / "notebook.ipynb").stat().st_size < 10_000_000
    assert "left out" in nb.cells[0].outputs[0].text
    assert nb.cells[0].outputs[0].text.endswith("the end\n")
    assert (tmp_path / "logs" / "c0.log").stat().st_size > 50_000_000
    assert peak.megabytes < 150


def test_a_gigabyte_in_one_print_is_sent_in_pieces(execute, tmp_path):
    with Peak() as peak:
        nb, result = execute("print('x' * 1_000_000_000)\nprint('the end')")

    assert result.cause is None
    assert nb.cells[0].outputs[0].text.endswith("the end\n")
    assert (tmp_path / "logs" / "c0.log").stat().st_size > 50_000_000
    assert peak.megabytes < 150


def test_a_hundred_thousand_small_prints_arrive_whole(execute):
    nb, result = execute("for number in range(100_000): print(number, flush=True)", cell_text_kb=2000)

    assert result.cause is None
    assert nb.cells[0].outputs[0].text == "".join(f"{number}\n" for number in range(100_000))


def test_a_display_of_two_hundred_megabytes_goes_to_a_file(execute, tmp_path):
    nb, result = execute("from IPython.display import HTML, display\ndisplay(HTML('x' * 200_000_000))")

    assert result.cause is None
    assert "left out because of its size" in nb.cells[0].outputs[0].data["text/plain"]
    assert (tmp_path / "notebook.ipynb").stat().st_size < 100_000
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) >= 200_000_000


def test_an_hour_of_a_progress_bar_leaves_one_line(execute, tmp_path):
    """36,000 updates, ten a second for an hour, as quickly as they come."""
    nb, result = execute(
        "import sys\nfor step in range(36_000):\n"
        "    sys.stderr.write(f'\\r{step / 360:5.1f} % |' + '#' * (step // 720)); sys.stderr.flush()\nprint('done')"
    )

    assert result.cause is None
    assert [out.text for out in nb.cells[0].outputs if out.name == "stdout"] == ["done\n"]
    assert len("".join(out.text for out in nb.cells[0].outputs)) < 1000
    assert (tmp_path / "notebook.ipynb").stat().st_size < 20_000


def test_a_cell_that_prints_for_ever_is_stopped_by_its_deadline(execute):
    began = time.monotonic()
    _, result = execute("while True: print('again', flush=True)", cell_timeout_s=5)

    assert result.cause == "timeout"
    assert time.monotonic() - began < 30
