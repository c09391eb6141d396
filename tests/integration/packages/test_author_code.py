"""Modules beside the notebook travel with the model; the notebook's own code is told where to move."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import nbprod
from nbprod.adoption import adopt
from nbprod.errors import PackageError, UntrustedTypesError
from nbprod.formats.restoring import CODE
from nbprod.notebook.document import write_notebook
from nbprod.packages import predict_isolated
from tests.integration.packages.test_fresh_process import by_mlflow

pytestmark = pytest.mark.kernel

IMPORTS = """import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import nbprod"""
ROWS = """random = np.random.default_rng(0)
X = pd.DataFrame(random.normal(size=(200, 2)), columns=["a", "b"])
y = pd.Series(np.where(X["a"] + random.normal(size=200) > 0, "UP", "DOWN"), name="way")"""
FEATURES = """from own.bounds import bounded
from sklearn.base import BaseEstimator, TransformerMixin


class Clip(BaseEstimator, TransformerMixin):
    def __init__(self, times=1.0):
        self.times = times

    def fit(self, X, y=None):
        self.mean_ = X.mean().to_numpy()
        return self

    def transform(self, X):
        import deep  # also found when it is called

        return bounded(X - self.mean_) * deep.FACTOR * self.times


def squared(X):
    return X**2
"""
BOUNDS = "from . import limits\n\nimport numpy as np\n\n\ndef bounded(values):\n    return np.clip(values, -limits.MOST, limits.MOST)\n"
SAVE = """model = make_pipeline({steps}, LogisticRegression()).fit(X, y)
nbprod.save_model(model, inputs=X, target=y)"""
CLASS = """# keeps values near zero
class Near(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.clip(-LIMIT, LIMIT)"""
LIMIT = "LIMIT = 1.5"


def notebook(path, *cells):
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    made = new_notebook(
        cells=[new_markdown_cell("# A model", id="title")]
        + [new_code_cell(cell, id=f"c{number}") for number, cell in enumerate(cells, 1)],
        metadata={"kernelspec": spec},
    )
    nbformat.write(made, path)
    return path


@pytest.fixture
def desk(tmp_path):
    """A workspace with a notebook and modules beside it, one of which is a package with a relative import."""
    folder = tmp_path / "desk"
    (folder / "own").mkdir(parents=True)
    (folder / "nbprod.toml").write_text("")
    (folder / "features.py").write_text(FEATURES)
    (folder / "deep.py").write_text("FACTOR = 2.0\n")
    (folder / "unrelated.py").write_text("raise SystemExit\n")
    (folder / "own" / "__init__.py").write_text("")
    (folder / "own" / "bounds.py").write_text(BOUNDS)
    (folder / "own" / "limits.py").write_text("MOST = 1.0\n")
    return folder


def saved(desk, name="train", steps="Clip(), FunctionTransformer(squared)"):
    path = notebook(
        desk / f"{name}.ipynb", IMPORTS, "from features import Clip, squared", ROWS, SAVE.format(steps=steps)
    )
    return nbprod.open(desk).runs.start(path, check=True)


def code_in(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in Path(folder, "code").glob(f"{CODE}*/**/*") if path.is_file()
    )


def expected(run):
    return pd.read_parquet(Path(run.folder) / "files/model/reference.parquet")


def test_what_the_model_needs_travels_and_nothing_else(desk, tmp_path):
    """Built, blessed, predicted in fresh processes and by MLflow without the modules or nbprod; and no trace left."""
    run = saved(desk)
    ws = nbprod.open(desk)
    package = ws.packages.build(run)
    rows = expected(run)
    inside = code_in(package.folder)
    assert [name.partition("/")[2].partition("/")[2] for name in inside] == [
        "deep.py", "features.py", "own/__init__.py", "own/bounds.py", "own/limits.py",
    ]  # fmt: skip
    assert set(inside) <= set(ws.packages.verify(package).files)

    for name in ("features.py", "deep.py", "own/bounds.py"):
        (desk / name).unlink()  # they are not needed any more
    assert ws.packages.bless(package).largest_difference == 0
    made = ws.packages.load(package).predict(rows)
    np.testing.assert_array_equal(made["probability"], rows["probability"])
    assert "features" not in sys.modules

    rows[["a", "b"]].to_parquet(tmp_path / "rows.parquet", index=False)
    (by_name,) = by_mlflow(tmp_path / "rows.parquet", package.folder)
    np.testing.assert_allclose(by_name["probability"], rows["probability"], rtol=1e-12)

    ws.packages.verify(package)
    assert not [
        path
        for path in Path(package.folder).rglob("*")
        if path.suffix == ".pyc" or (path.name == "__pycache__" and path.is_dir())
    ]


def test_only_a_reader_who_trusts_the_digest_runs_it(desk, tmp_path):
    """Nothing of it runs before; another workspace is told what to read and what to write."""
    (desk / "deep.py").write_text(
        f"import pathlib\nFACTOR = 2.0\npathlib.Path({str(tmp_path / 'ran')!r}).write_text('x')\n"
    )
    ws = nbprod.open(desk)
    package = ws.packages.build(saved(desk))
    elsewhere = ws.packages.export(package, tmp_path / "elsewhere")
    (tmp_path / "ran").unlink()

    script = "import sys; from nbprod.packages import load_package; load_package(sys.argv[1], trusted=sys.argv[2:])"
    refused = subprocess.run([sys.executable, "-c", script, elsewhere], capture_output=True, text=True, check=False)
    assert "UntrustedTypesError" in refused.stderr
    assert "features.py" in refused.stderr
    assert package.digest in refused.stderr
    assert not (tmp_path / "ran").exists()
    subprocess.run([sys.executable, "-c", script, elsewhere, package.digest], check=True)
    with pytest.raises(UntrustedTypesError, match="code of its author"):
        predict_isolated(elsewhere, pd.DataFrame({"a": [1.0], "b": [1.0]}))

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "nbprod.toml").write_text("")
    other = nbprod.open(tmp_path / "other").packages
    taken = other.import_(elsewhere)
    with pytest.raises(UntrustedTypesError, match="does not trust"):
        other.load(taken)
    (tmp_path / "other" / "nbprod.toml").write_text(f'[packages]\ntrusted = ["{package.digest}"]\n')
    assert nbprod.open(tmp_path / "other").packages.bless(taken).passed


def test_changed_code_is_found_before_it_runs(desk):
    ws = nbprod.open(desk)
    package = ws.packages.build(saved(desk))
    path = next(Path(package.folder).rglob("features.py"))
    path.write_text(path.read_text() + "\nimport os\n")
    with pytest.raises(PackageError, match=r"features\.py"):
        ws.packages.load(package)


def test_two_packages_with_one_module_name_keep_their_own(desk, tmp_path):
    """In one process, in nbprod and in MLflow, the second is not given the first one's code."""
    ws = nbprod.open(desk)
    first_run = saved(desk)
    first = ws.packages.build(first_run)
    (desk / "features.py").write_text(FEATURES.replace("X**2", "X**2 - 3 * X"))
    second_run = saved(desk, "again")
    second = ws.packages.build(second_run)
    for package, run in ((first, first_run), (second, second_run)):
        np.testing.assert_array_equal(
            ws.packages.load(package).predict(expected(run))["probability"], expected(run)["probability"]
        )
    assert not np.array_equal(expected(first_run)["probability"], expected(second_run)["probability"])
    expected(first_run)[["a", "b"]].to_parquet(tmp_path / "rows.parquet", index=False)
    made = by_mlflow(tmp_path / "rows.parquet", first.folder, second.folder)
    for one, run in zip(made, (first_run, second_run), strict=True):
        np.testing.assert_allclose(one["probability"], expected(run)["probability"], rtol=1e-12)


def test_a_job_uses_a_package_with_code_of_this_workspace(desk):
    """The templates load packages in kernels and in processes of their own: the run says what is trusted."""
    ws = nbprod.open(desk)
    package = ws.packages.build(saved(desk))
    table = desk / "rows.parquet"
    ws.packages.load(package).reference().to_parquet(table)
    scored = ws.runs.start("score", model=package.digest, data=str(table), output=str(desk / "scored.parquet"))
    assert scored.succeeded, scored.error
    assert len(pd.read_parquet(desk / "scored.parquet")) == 200


@pytest.mark.parametrize(
    ("cell", "steps", "lines"),
    [
        (f"{LIMIT}\n\n{CLASS}", "Near()", r"Near \(lines 4 to 9 of cell \[3\]\)"),
        ("def halved(X):\n    return X / 2", "FunctionTransformer(halved)", r"halved \(lines 1 to 2 of cell \[3\]\)"),
        ("twice = lambda X: X * 2", "FunctionTransformer(twice)", r"a lambda \(line 1 of cell \[3\]\)"),
    ],
)
def test_code_of_the_notebook_is_refused_with_the_lines_to_move(desk, cell, steps, lines):
    """Before the run ends, not when the package is built."""
    path = notebook(desk / "own_code.ipynb", IMPORTS, ROWS, cell, SAVE.format(steps=steps))
    run = nbprod.open(desk).runs.start(path)
    assert not run.succeeded
    text = json.dumps(nbformat.read(Path(run.folder) / "notebook.ipynb", 4))
    assert re.search(lines, text), run.error
    assert "model_parts.py" in text
    assert "nbprod notebooks adopt" in text


def test_adopting_a_notebook_writes_the_module_and_the_model_can_be_kept(desk):
    """What is proposed for the refused notebook runs, is packed, and predicts the same."""
    cells = (
        IMPORTS,
        ROWS,
        f"{LIMIT}\n\n{CLASS}",
        SAVE.format(steps="Near(), FunctionTransformer(lambda X: X * 2)"),
    )
    path = notebook(desk / "own_code.ipynb", *cells)
    command = [sys.executable, "-m", "nbprod", "notebooks", "adopt", str(path), "--write"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=desk, env={**os.environ})
    assert "new file model_parts.py" in done.stdout
    assert (desk / "model_parts.py").read_text().count("class Near") == 1

    ws = nbprod.open(desk)
    run = ws.runs.start(path, check=True)
    package = ws.packages.build(run)
    assert [name.rpartition("/")[2] for name in code_in(package.folder)] == ["model_parts.py"]
    np.testing.assert_array_equal(
        ws.packages.load(package).predict(expected(run))["probability"], expected(run)["probability"]
    )
    again = adopt(path)
    assert again.module_source == ""
    write_notebook(again.notebook(), path)
