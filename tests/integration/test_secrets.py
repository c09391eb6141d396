"""A secret reaches the notebook and nothing that is written."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.errors import EnvironmentProblem
from nbprod.runs import Runs
from nbprod.store import Store
from nbprod.templates import Templates

pytestmark = pytest.mark.kernel

SECRET = "xK9-canary/42=zz"
CELLS = [
    "from nbprod import Secret\ntoken: Secret = Secret('env:MY_TOKEN') # how to get in",
    "value = token.reveal()\nimport os\nprint(len(value), 'MY_TOKEN' in os.environ)",
    "print('plain', value)\nprint(value[:5], end='', flush=True); print(value[5:])",
    "import base64, urllib.parse\nprint(base64.b64encode(f'user:{value}'.encode()).decode(), urllib.parse.quote(value, safe=''))",
    "from IPython.display import HTML, display\ndisplay(HTML(f'<b>{value}</b>')); value",
    "import logging, sys\nlogging.warning('w %s', value)\nos.write(2, value.encode() + b'\\n')",
    "import nbprod\nnbprod.record(token=value)",
    "raise ConnectionError(f'cannot reach https://me:{value}@host/')",
]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", SECRET)
    (tmp_path / "nbprod.toml").write_text("")
    cells = [new_code_cell(source, id=f"c{number}") for number, source in enumerate(CELLS)]
    cells[0].metadata["tags"] = ["parameters"]
    nb = new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}}
    )
    nbformat.write(nb, tmp_path / "leaky.ipynb")
    return Runs(
        Store.open(str(tmp_path / "ledger.db"), tmp_path / "files"), Templates(), tmp_path / "runs", root=tmp_path
    )


@pytest.mark.parametrize("warm", ["true", "false"])
def test_a_secret_is_in_no_byte_that_is_written(runs, tmp_path, monkeypatch, warm):
    monkeypatch.setenv("NBPROD_KERNELS_WARM", warm)
    runs = Runs(runs.store, runs.templates, runs.folder, root=tmp_path)
    run = runs.start(tmp_path / "leaky.ipynb")
    assert run.failed_cell == "c7"
    assert run.error == "ConnectionError: cannot reach https://me:[secret]@host/"
    nb = nbformat.read(Path(run.folder) / "notebook.ipynb", 4)
    shown = {cell.id: "".join(output.get("text", "") for output in cell.get("outputs", [])) for cell in nb.cells}
    assert shown["c1"] == f"{len(SECRET)} False\n"
    assert shown["c2"] == "plain [secret]\n[secret]\n"
    forms = [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()[:-4], SECRET.encode().hex()]
    found = [
        (path.name, form)
        for path in tmp_path.rglob("*")
        if path.is_file()
        for form in forms
        if form.encode() in path.read_bytes()
    ]
    assert found == []


def test_a_secret_is_in_no_process_list(runs, tmp_path):
    seen = []

    def check(_):
        for process in psutil.Process().children(recursive=True):
            try:
                seen.append((process.name(), SECRET in " ".join([*process.cmdline(), *process.environ().values()])))
            except psutil.Error:
                continue

    runs.start(tmp_path / "leaky.ipynb", progress=check)
    assert seen
    assert not any(found for _, found in seen)


def test_a_secret_that_cannot_be_read_is_refused_before_anything_is_written(runs, tmp_path, monkeypatch):
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(EnvironmentProblem, match="MY_TOKEN"):
        runs.start(tmp_path / "leaky.ipynb")
    assert not (tmp_path / "runs").exists()
