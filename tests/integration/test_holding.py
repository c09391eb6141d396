"""A kernel that is held after a failure can be looked into, gone on in, and let go; nothing of it is left behind."""

from __future__ import annotations

import json
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.domain.run import CellStatus, RunStatus
from nbprod.errors import ConflictError
from nbprod.notebook.journal import fold, read_events
from nbprod.runs import Runs
from nbprod.store import Store
from nbprod.templates import Templates

pytestmark = pytest.mark.kernel
CELLS = {
    "parameters": "n: int = 3",
    "load": "import os\nimport nbprod\nprint('slowly loaded')\npid = os.getpid()\nnbprod.record(twice=2 * n)",
    "fit": "fitted = undefined + n",
    "end": "nbprod.record(fitted=fitted, pid=pid)",
}


def write_cells(path, sources):
    """A notebook of code cells by id, the first of them its parameters."""
    cells = [new_code_cell(source, id=id_) for id_, source in sources.items()]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), path)


def write(path, **changed):
    write_cells(path, {**CELLS, **changed})


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "nbprod.toml").write_text("[runs]\nhold = '10m'\n")
    (tmp_path / "templates").mkdir()
    write(tmp_path / "templates" / "tee.ipynb")
    store = Store.open(str(tmp_path / "ledger.db"), tmp_path / "files", actor="ada")
    return Runs(store, Templates([tmp_path / "templates"]), tmp_path / "runs", root=tmp_path)


def until(ask, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not (found := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def kernel_of(run):
    return next(event["pid"] for _, event in read_events(Path(run.folder)) if event["kind"] == "kernel.started")


def test_a_failed_run_is_gone_on_with_in_its_kernel_after_a_mend(runs, tmp_path, vanish):
    first = runs.start("tee", n=5)
    assert (first.status, first.failed_cell) == (RunStatus.FAILED, "fit")  # said at once, in the ledger too
    assert runs.get(first.id).status is RunStatus.FAILED
    hold = runs.retained_kernel(first)
    assert hold.cell == "fit"

    client = BlockingKernelClient(connection_file=hold.connection_file)
    client.load_connection_file()
    client.start_channels()
    assert client.execute_interactive("print(n)", timeout=20, output_hook=lambda _: None)["content"]["status"] == "ok"
    client.stop_channels()

    write(tmp_path / "templates" / "tee.ipynb", fit="fitted = 2 * n")
    again = runs.resume(first)
    assert again.succeeded
    assert again.caused_by == first.id
    assert again.metrics == {"twice": 10, "fitted": 10, "pid": kernel_of(first)}
    nb = nbformat.read(Path(again.folder) / "notebook.ipynb", 4)
    load = next(cell for cell in nb.cells if cell.id == "load")
    assert load.outputs[0].text == "slowly loaded\n"
    assert load.metadata.nbprod.kept_from == first.id
    assert nb.metadata.nbprod.resumed_from == first.id
    states = {cell.id: cell.status for cell in fold(event for _, event in read_events(Path(again.folder))).cells}
    assert states["load"] is CellStatus.SKIPPED
    assert states["fit"] is states["end"] is CellStatus.COMPLETED
    with runs.store.read() as session:
        (event,) = session.events(kind="run.resumed")
    assert (event.subject, event.data["of"], event.data["cell"]) == (again.id, first.id, "fit")
    assert runs.get(first.id) == first  # what ended stays as it was
    assert runs.retained_kernel(first) is None
    assert vanish(kernel_of(first), 10)
    with pytest.raises(ConflictError, match="nothing to resume"):
        runs.resume(again)


def test_what_the_kernel_has_not_seen_is_not_gone_on_with(runs, tmp_path, vanish):
    first = runs.start("tee")
    write(tmp_path / "templates" / "tee.ipynb", load="print('changed')", fit="fitted = 1")
    with pytest.raises(ConflictError, match="load"):
        runs.resume(first)
    assert len(runs.list()) == 1
    runs.release(first)
    until(lambda: runs.retained_kernel(first) is None)
    assert vanish(kernel_of(first), 10)
    assert [event["kind"] for _, event in read_events(Path(first.folder))][-1] == "kernel.released"


def test_without_a_held_kernel_it_starts_from_the_top_and_says_so(runs, tmp_path):
    first = runs.start("tee", n=4, hold_s=0)
    assert runs.retained_kernel(first) is None
    write(tmp_path / "templates" / "tee.ipynb", fit="fitted = n")
    messages = []
    again = runs.resume(first, notify=messages.append)
    assert again.metrics["fitted"] == 4
    assert again.metrics["pid"] != kernel_of(first)
    assert "from the top" in messages[0]
    assert "resumed_from" not in nbformat.read(Path(again.folder) / "notebook.ipynb", 4).metadata.nbprod


def test_a_detached_run_is_held_by_its_own_process_and_gone_with_it(runs, tmp_path, vanish):
    import os
    import signal

    first = runs.start("tee", hold_s=600, detach=True)
    until(lambda: runs.get(first.id).is_finished, 60)
    assert runs.retained_kernel(first)
    write(tmp_path / "templates" / "tee.ipynb", fit="fitted = still_undefined")
    second = runs.resume(first)
    assert (second.status, second.failed_cell) == (RunStatus.FAILED, "fit")
    assert runs.retained_kernel(second)  # held again, by the same process
    assert runs.retained_kernel(first) is None
    holder = json.loads((Path(second.folder) / "hold.json").read_bytes())["pid"]
    os.kill(holder, signal.SIGKILL)
    assert vanish(kernel_of(first), 15)
    assert runs.retained_kernel(second) is None
