"""Ten thousand hostile values reach the notebook as they are, or are refused; nothing else executes."""

from __future__ import annotations

import json
import random

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod.errors import ParameterError

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

SINGLE = [
    "'",
    '"',
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    "{",
    "}",
    "#",
    ";",
    "\u2028",
    "\U0001f600",
    "é",
    "\x1b[0m",
    "\ufeff",
]
LONGER = ["%s", "$(id)", "`id`", "'''", '"""', "\\N{BULLET}", "nan", "None", "x" * 500]
PIECES = [*SINGLE, *LONGER, "__import__('os').system('touch HACKED')"]
SIZE, BATCH = 10_000, 500


def texts(seed):
    drawn = random.Random(seed)
    return ["".join(drawn.choices(PIECES, k=drawn.randrange(8))) for _ in range(BATCH)]


@pytest.fixture
def mirror(runs, tmp_path):
    """A notebook that prints what it was given, as JSON."""
    cells = [
        new_markdown_cell("# Mirror\n\nPrints what it was given.", id="head"),
        new_code_cell("texts: list[str] = [] # any\nnumber: float = 0.0 # any", id="parameters"),
        new_code_cell("import json; print(json.dumps([texts, number]))", id="show"),
    ]
    cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=cells), tmp_path / "mirror.ipynb")
    return tmp_path / "mirror.ipynb"


@pytest.mark.parametrize("seed", range(SIZE // BATCH))
def test_values_round_trip_exactly(runs, mirror, tmp_path, seed):
    given = texts(seed)
    number = random.Random(seed).choice([float("nan"), float("inf"), -0.0, 1e308, 5e-324, 0.1])

    run = runs.start(mirror, texts=given, number=number)

    [shown] = [cell for cell in nbformat.read(f"{run.folder}/notebook.ipynb", 4).cells if cell.id == "show"]
    got, back = json.loads(shown.outputs[0].text)
    assert got == given
    assert repr(back) == repr(number)
    assert not list(tmp_path.rglob("HACKED"))


def test_names_that_are_no_declared_parameters_are_refused(runs, mirror, tmp_path):
    for seed in range(20):
        for name in texts(seed):
            with pytest.raises(ParameterError):
                runs.plan(mirror, {name: 1})
    assert not list(tmp_path.rglob("HACKED"))
