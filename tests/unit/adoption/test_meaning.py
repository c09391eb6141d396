"""Adopting never changes what a notebook computes: cells made at random are carried out before and after."""

import contextlib
import io
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, writes

from nbprod.adoption import adopt

PIECES = [
    "import math",
    "from os.path import *",
    "a = 1",
    "a = 2  # another",
    "b = [1, 2]",
    "b.append(3)",
    "c = {'k': 1.5}",
    "c['k'] = 2",
    "d: float = 0.25",
    "RATE = 0.5",
    "seed = 7",
    "e = (1, 'x')",
    "f = 'ünï.csv'",
    "a += 1",
    "del a",
    "x = a",
    "y = [a for a in range(3)]",
    "for b in range(2):\n    pass",
    "def get():\n    return a",
    "def put():\n    global a\n    a = 99",
    "put()",
    "print(get())",
    "print(sorted(str(one) for one in (b, c, d, RATE)))",
    "class Config:\n    width = 3\n    name = 'w'",
    "print(Config.width)",
    "exec('RATE = 3')",
    "if 'a' in globals():\n    print('there')",
    "g = 1; h = 2",
    "k = (1,\n     2)  # two lines",
    "max = 5",
    "print(max(1, 2))",
    "def count(seed, random_state=None):\n    return seed, random_state\nprint(count(1, random_state=3), count(2, random_state=3))",
    "from types import SimpleNamespace\nargs = SimpleNamespace(lr=0.1, depth=2)\nprint(args)",
    "model = type('M', (), {'fit': lambda self, x: x})()\nmodel.fit(1)",
    "with contextlib.suppress(Exception):\n    a = 5",
    "%%time\nz = 3",
]
PLAIN = {int, float, str, list, dict, tuple, SimpleNamespace}


def carried_out(notebook):
    """What the cells print and leave behind, and how they end early."""
    names, printed, ended = {"contextlib": contextlib}, io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            for cell in notebook.cells:
                source = "\n".join(line for line in cell.source.split("\n") if not line.startswith("%%"))
                exec(source, names)
        except Exception as error:  # noqa: BLE001 — whatever the pieces raise
            ended = (type(error), str(error))
    left = {name: repr(value) for name, value in names.items() if type(value) in PLAIN and not name.startswith("__")}
    return printed.getvalue(), ended, left


@given(cells=st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), min_size=1, max_size=6))
def test_adopting_changes_nothing_that_is_computed(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("any") / "mine.ipynb"
    sources = ["\n".join(sorted(pieces, key=lambda piece: not piece.startswith("%%"))) for pieces in cells]
    path.write_text(writes(new_notebook(cells=[new_code_cell(source) for source in sources])))
    adoption = adopt(path)
    before, after = carried_out(adoption.before), carried_out(adoption.notebook())
    assert after[:2] == before[:2]
    assert {name: after[2].get(name) for name in before[2]} == before[2]
    path.write_text(writes(adoption.notebook()))
    assert not adopt(path).is_needed
