import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nbprod

PACKAGE = Path(nbprod.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager"}
HEAVY = {
    "evidently", "sklearn", "scipy", "numpy", "pandas", "pyarrow", "papermill", "matplotlib", "ipywidgets", "IPython",
    "nbconvert", "nbclient", "nbformat", "deltalake", "sqlalchemy", "skops", "fsspec", "jinja2", "zmq", "dask", "fastapi",
}  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_its_job_and_stays_small(path):
    text = path.read_text()

    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text))
    assert path.stem.strip("_") not in NAMELESS
    assert not {part.strip("_") for part in path.parent.relative_to(PACKAGE).parts} & NAMELESS


def loaded_by(code: str) -> set[str]:
    asked = f"{code}; import sys; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_nbprod_loads_no_heavy_library():
    assert not loaded_by("import nbprod") & HEAVY


def test_help_loads_no_heavy_library():
    code = "import contextlib, nbprod.cli\nwith contextlib.suppress(SystemExit): nbprod.cli.main(['--help'])\nprint()"

    assert not loaded_by(f"exec({code!r})") & HEAVY


def test_opening_a_workspace_loads_no_data_library_and_no_notebook_format(tmp_path):
    """Every look at the records pays for what this loads: the ledger and the pages' templates, nothing more."""
    (tmp_path / "nbprod.toml").write_text("")
    code = f"import nbprod; nbprod.open({str(tmp_path)!r}).runs.list()"

    assert loaded_by(code) & HEAVY <= {"sqlalchemy", "jinja2"}


def test_the_public_names_are_sorted_and_all_there():
    assert list(nbprod.__all__) == sorted(nbprod.__all__)
    for name in nbprod.__all__:
        assert getattr(nbprod, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'runs_of_gold'"):
        _ = nbprod.runs_of_gold
