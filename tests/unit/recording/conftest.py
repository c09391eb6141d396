import json

import nbformat
import pytest

from nbprod.notebook.document import dump, parse
from nbprod.recording import read_records


@pytest.fixture(scope="session")
def shell():
    """A real IPython, as a kernel has it, whose outputs are collected."""
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(
        config=Config(HistoryManager={"enabled": False}, HistoryAccessor={"enabled": False})
    )
    shell.display_pub = CapturingDisplayPublisher(parent=shell)
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def outputs(shell):
    shell.display_pub.outputs.clear()
    return shell.display_pub.outputs


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """The folder of a run, with one private column, as the executing process leaves it."""
    (tmp_path / "run.json").write_text(json.dumps({"id": "r-1", "template": "train", "private": ["customer"]}))
    monkeypatch.setenv("NBPROD_RUN", str(tmp_path))
    return tmp_path


@pytest.fixture
def by_hand(monkeypatch):
    monkeypatch.delenv("NBPROD_RUN", raising=False)


@pytest.fixture
def read_back(outputs):
    """What is read from a saved notebook with the outputs so far."""

    def read(folder=None):
        cell = nbformat.v4.new_code_cell(
            "…", outputs=[nbformat.v4.new_output("display_data", data=dict(one["data"])) for one in outputs]
        )
        return read_records(parse(dump(nbformat.v4.new_notebook(cells=[cell])).decode()), folder)

    return read
