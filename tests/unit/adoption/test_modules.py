"""What a model holds of its notebook moves into a module: proposed, and true Python."""

import ast

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod.adoption import adopt

IMPORTS = """import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer"""
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)"
FIT = "model = make_pipeline({steps}, LogisticRegression())\nmodel.fit(X_train, y_train)"
CLASS = """LIMIT = 3.0

def bounded(values):
    return np.clip(values, -LIMIT, LIMIT)

# keeps values near
class Near(BaseEstimator, TransformerMixin):
    def transform(self, X):
        return bounded(X)

rest = bounded(1)"""


@pytest.fixture
def proposed(tmp_path):
    def make(*cells):
        spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
        notebook = new_notebook(
            cells=[
                new_markdown_cell("# T"),
                new_code_cell(IMPORTS),
                new_code_cell(SPLIT),
                *map(new_code_cell, cells),
            ],
            metadata={"kernelspec": spec},
        )
        nbformat.write(notebook, tmp_path / "one.ipynb")
        return adopt(tmp_path / "one.ipynb")

    return make


def text(proposal):
    return "\n".join(cell.source for cell in proposal.notebook().cells if cell.cell_type == "code")


def test_a_class_moves_with_what_it_needs(proposed):
    """Its functions, constants, comments and imports; the notebook imports it and keeps the model."""
    found = proposed(CLASS, FIT.format(steps="Near()"))
    source = found.module_source
    names = [getattr(node, "name", "") for node in ast.parse(source).body]
    assert {"Near", "bounded"} <= set(names)
    assert "import numpy as np\n" in source
    assert "LIMIT = 3.0\n" in source
    assert "# keeps values near\nclass Near" in source
    assert "TransformerMixin" in source
    assert "GridSearchCV" not in source
    assert "from model_parts import" in text(found)
    assert "class Near" not in text(found)
    assert "rest = bounded(1)" in text(found)
    assert "LIMIT: float" not in text(found), "a parameter would not reach the module"
    assert "nbprod.save_model(model" in text(found)


def test_a_function_or_lambda_given_to_an_estimator_moves(proposed):
    found = proposed(
        "def halved(X):\n    return X / 2",
        FIT.format(steps="FunctionTransformer(halved), FunctionTransformer(lambda X, k=2: np.abs(X) * k)"),
    )
    assert "def halved(X):" in found.module_source
    assert "def function_1(X, k=2):\n    return np.abs(X) * k" in found.module_source
    assert "lambda" not in text(found)
    assert "FunctionTransformer(function_1)" in text(found)
    ast.parse(text(found))


def test_other_functions_stay(proposed):
    found = proposed("def shown(X):\n    return X", "shown(1)", FIT.format(steps="FunctionTransformer(np.abs)"))
    assert found.module_source == ""
    assert "def shown" in text(found)
    assert "nbprod.save_model(model" in text(found)


def test_what_needs_a_value_of_the_notebook_is_told(proposed):
    found = proposed(
        "mean = X_train.mean()\n\ndef centred(X):\n    return X - mean",
        FIT.format(steps="FunctionTransformer(centred)"),
    )
    assert found.module_source == ""
    assert any("centred goes into a model and needs mean" in fault.sentence for fault in found.faults)
    assert "save_model" not in text(found)


def test_what_moves_stays_together_when_a_cell_is_refused(proposed):
    found = proposed(
        "def halved(X):\n    return X / 2",
        "def twice(X):\n    return halved(X) * 4",
        FIT.format(steps="FunctionTransformer(twice)"),
    )
    cells = [edit.cell for edit in found.edits if edit.module]
    assert len(cells) == 2
    some = found.only(lambda cell: cell != cells[0])
    assert some.module_source == ""
    assert "def twice" in text(some)


def test_an_existing_module_is_never_overwritten(proposed, tmp_path):
    (tmp_path / "model_parts.py").write_text("x = 1\n")
    found = proposed(CLASS, FIT.format(steps="Near()"))
    assert found.module == "model_parts_2.py"
    assert "from model_parts_2 import" in text(found)
