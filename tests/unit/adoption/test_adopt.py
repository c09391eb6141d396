"""What adoption sees in a notebook's code, what it proposes, and what it leaves alone."""

import ast
import contextlib
import io

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod.adoption import adopt
from nbprod.errors import NotebookError
from nbprod.notebook.document import has_tag
from nbprod.notebook.parameters import read_parameters

KERNELSPEC = {"name": "python3", "language": "python", "display_name": "Python 3"}
SKLEARN = (
    "import pandas as pd\nfrom sklearn.model_selection import train_test_split\nfrom sklearn.svm import SVC\n"
    "from sklearn.metrics import f1_score\nfrom sklearn.preprocessing import StandardScaler, FunctionTransformer"
)
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)"


@pytest.fixture
def proposed(tmp_path):
    """Adopts a notebook of code cells; a cell may be given with its execution count."""

    def make(*cells, **metadata):
        made = []
        for cell in cells:
            source, count = cell if isinstance(cell, tuple) else (cell, None)
            made.append(new_code_cell(source, execution_count=count))
        path = tmp_path / "mine.ipynb"
        nbformat.write(new_notebook(cells=made, metadata={"kernelspec": KERNELSPEC, **metadata}), path)
        return adopt(path)

    return make


def said(adoption, rule):
    return [fault.sentence for fault in adoption.faults if fault.rule == rule]


def declared(adoption):
    """The parameters cell, read as a run reads it."""
    return {one.name: one for one in read_parameters(adoption.notebook())}


def sources(adoption):
    return [cell.source for cell in adoption.notebook().cells]


def test_literals_near_the_top_become_typed_commented_parameters(proposed):
    adoption = proposed(
        "import math",
        "rate = 0.1  # how fast\nnames = ['a', 'b']\nsize = (3, 4)\nflag = True\noptions = {'a': 1}\nx = math.sin(rate)",
    )
    found = declared(adoption)
    assert {name: one.annotation for name, one in found.items()} == {
        "rate": "float",
        "names": "list[str]",
        "size": "tuple[int, int]",
        "flag": "bool",
        "options": "dict",
    }
    assert all(one.help for one in found.values())
    assert found["rate"].help == "how fast"
    assert sources(adoption)[-1] == "x = math.sin(rate)"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (("a = 1\nprint(a)", "a = 2"), "assigned more than once"),
        (("if True:\n    a = 3", "a = 1"), "assigned more than once"),
        (("def f():\n    global a\n    a = 3", "a = 1"), "assigned more than once"),
        (("del a", "a = 1"), "assigned more than once"),
        (("print(a)", "a = 1"), "reads it before"),
        (("def f():\n    return a", "a = 1"), "reads it before"),
        (("x = 0 if y else 1", "from os.path import *", "a = 1"), "may bind or clear"),
        (("%run other.py", "a = 1"), "may bind or clear"),
        (("%reset -f", "a = 1"), "may bind or clear"),
        (("exec('a = 2')", "a = 1"), "may bind or clear"),
        (("x = [1,", "a = 1", "print a"), "cannot be read"),
        (("a = 1; b = str(2)",), "shares a line"),
    ],
)
def test_a_name_that_cannot_be_moved_safely_stays_and_says_why(proposed, cells, why):
    adoption = proposed(*cells)
    assert "a" not in {one.name for one in adoption.parameters}
    assert any(
        sentence.startswith("a looks like a parameter") and why in sentence
        for sentence in said(adoption, "parameter")
    )
    assert [cell.source for cell in adoption.tidied.cells if "a = 1" in cell.source] == [
        source for source in sources(adoption) if "a = 1" in source
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "total = 0\nfor i in range(3):\n    total += i",
        "found = [1]\nfound.append(2)",
        "table = {'a': 1}\ntable['b'] = 2",
        "empty = []",
        "nothing = None",
        "text = '''two\nlines'''",
        "_private = 1",
        "computed = 1 + 1",
        "a, b = 1, 2",
    ],
)
def test_what_is_no_setting_is_no_parameter(proposed, cell):
    assert proposed(cell).parameters == ()


def test_files_seeds_and_settings_inside_calls_become_parameters(proposed):
    adoption = proposed(
        "import pandas as pd\nfrom types import SimpleNamespace",
        "sales = pd.read_csv('data/sales 2024.csv')\ncfg = SimpleNamespace(depth=3, rate=0.5)",
        "class Config:\n    width = 10\n\na = sales.sample(3, random_state=5)\nb = sales.sample(3, random_state=5)\nc = sales.sample(3, random_state=6)",
    )
    values = {name: one.default for name, one in declared(adoption).items()}
    assert values == {
        "sales_2024_path": "data/sales 2024.csv",
        "depth": 3,
        "rate": 0.5,
        "config_width": 10,
        "seed": 5,
    }
    text = "\n".join(sources(adoption))
    assert "pd.read_csv(sales_2024_path)" in text
    assert text.count("random_state=seed") == 2
    assert "random_state=6" in text


@pytest.mark.parametrize("end", ["\\n", "\\r", "\\r\\n", "\\x0c"])
def test_a_help_text_of_several_lines_stays_one_comment(proposed, end):
    adoption = proposed(f"parser.add_argument('--rate', default=0.5, help='the rate{end}import os')")
    (only,) = adoption.parameters
    assert str(only) == "rate: float = 0.5  # the rate import os"


def test_a_literal_whose_place_python_does_not_say_is_left_alone(proposed):
    cell = "print(f'ü {dict(random_state=3)} {dict(seed=3)}')"
    before, after = io.StringIO(), io.StringIO()
    for notebook, out in ((proposed(cell).before, before), (proposed(cell).notebook(), after)):
        with contextlib.redirect_stdout(out):
            exec("\n".join(one.source for one in notebook.cells), {})
    assert after.getvalue() == before.getvalue()


def test_an_author_s_annotation_is_kept_where_its_names_are_known(proposed):
    cell = "mode: Literal['fast'] = 'fast'\nprint(mode)"
    (mode,) = proposed("from typing import Literal", cell).parameters
    assert mode.annotation == "Literal['fast']"
    adoption = proposed("from typing import Literal\n" + cell)
    assert adoption.parameters == ()
    assert any("its annotation needs" in sentence for sentence in said(adoption, "parameter"))


def test_a_parameters_cell_for_papermill_gets_types_and_comments_and_nothing_else(tmp_path):
    source = (
        "alpha = 0.1\nn = 3  # how many\nnames: list = ['a']\nbest = None\nlast = alpha * 2\nkind = 'a'  # type: str"
    )
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}), new_code_cell("RATE = 3\nprint(RATE)")]
    path = tmp_path / "mine.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), path)
    adoption = adopt(path)
    assert sources(adoption) == [
        "alpha: float = 0.1  # alpha\nn: int = 3  # how many\nnames: list = ['a']  # names\nbest = None\nlast = alpha * 2\nkind = 'a'  # type: str",
        "RATE = 3\nprint(RATE)",
    ]
    path.write_text(nbformat.writes(adoption.notebook()))
    assert not adopt(path).is_needed


def test_a_new_name_never_takes_one_the_notebook_uses(proposed):
    adoption = proposed(
        "import pandas as pd", "def f(seed):\n    return seed", "pd.read_csv('x.csv').sample(3, random_state=1)"
    )
    assert {one.name for one in adoption.parameters} == {"x_path", "seed_2"}


def test_nothing_is_lost_and_every_cell_gets_a_name_of_its_own(tmp_path):
    cells = [
        new_markdown_cell("# Hello"),
        new_code_cell("import pandas as pd\n%matplotlib inline"),
        new_code_cell(""),
        new_markdown_cell("## Load the data"),
        new_code_cell("path = 'a.csv'"),
        nbformat.v4.new_raw_cell("raw"),
        new_code_cell(
            "df = pd.read_csv(path)", outputs=[nbformat.v4.new_output("stream", text="x")], execution_count=3
        ),
        new_code_cell("df.plot()"),
    ]
    path = tmp_path / "mine.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), path)
    content = path.read_bytes()
    notebook = adopt(path).notebook()
    assert path.read_bytes() == content
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert {"title", "imports", "parameters", "load-data-2", "plot"} <= set(ids)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert (kinds.count("markdown"), kinds.count("raw"), kinds.count("code")) == (2, 1, 5)
    assert [cell.id for cell in notebook.cells if has_tag(cell, "parameters")] == ["parameters"]
    assert not any(cell.get("outputs") for cell in notebook.cells)
    nbformat.validate(notebook)


def test_metrics_are_recorded_once_behind_the_last_of_a_cell(proposed):
    adoption = proposed(
        SKLEARN,
        "f1 = f1_score(y, p)\nrounded = round(100 * f1_score(y, p), 1)\nf1",
        "score = model.score(X, y)",
        "f1 = f1_score(y, q)",
    )
    text = "\n".join(sources(adoption))
    assert "nbprod.record(f1=f1, rounded=rounded)\nf1" in text
    assert "nbprod.record(score=score)" in text
    assert "nbprod.record(f1_2=f1)" in text
    assert text.count("import nbprod") == 1
    ast.parse(text)


def test_a_metric_nobody_keeps_is_said_and_one_of_the_notebooks_own_is_none(proposed):
    adoption = proposed(SKLEARN, "print(f1_score(y, p))", "def r2_score(a, b):\n    return 1\nr2 = r2_score(1, 2)")
    assert any("f1_score is computed here and not kept" in sentence for sentence in said(adoption, "metric"))
    assert not any(edit.kind == "record" for edit in adoption.edits)


@pytest.mark.parametrize(
    ("cells", "call"),
    [
        ((SPLIT, "m = SVC()\nm.fit(X_train, y_train)"), "nbprod.save_model(m, inputs=X_test, target=y_test)"),
        (
            (SPLIT, "m = SVC().fit(X_train, y_train.values.ravel())"),
            "nbprod.save_model(m, inputs=X_test, target=y_test)",
        ),
        (
            ("m = SVC()\nm.fit(X1, y1)", "p = m.predict(X2)\nf = f1_score(y2, p)"),
            "nbprod.save_model(m, inputs=X2, target=y2)",
        ),
        (
            ("m = SVC()\nm.fit(X1, y1)\nf = f1_score(y2, m.predict(X2))",),
            "nbprod.save_model(m, inputs=X2, target=y2)",
        ),
    ],
)
def test_a_fitted_estimator_is_kept_with_rows_it_was_not_trained_on(proposed, cells, call):
    assert call in sources(proposed(SKLEARN, *cells))


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (("m = SVC()\nm.fit(X, y)\nf = f1_score(y, m.predict(X))",), "no rows are held back"),
        ((SPLIT, "import pygam\nm = pygam.LogisticGAM()\nm.fit(X_train, y_train)"), "not known to be an estimator"),
        ((SPLIT, "s = StandardScaler()\ns.fit(X_train, y_train)"), "prepares columns"),
        ((SPLIT, "from sklearn.pipeline import make_pipeline\nm = make_pipeline(FunctionTransformer(abs), SVC())\nm.fit(X_train, y_train)"), "FunctionTransformer"),
    ],
)  # fmt: skip
def test_an_estimator_that_cannot_be_kept_honestly_is_only_mentioned(proposed, cells, why):
    adoption = proposed(SKLEARN, *cells)
    assert not any("save_model" in source for source in sources(adoption))
    assert any(why in sentence and "nbprod.save_model(" in sentence for sentence in said(adoption, "model"))


def test_the_last_estimator_becomes_the_package_and_others_have_names(proposed):
    adoption = proposed(
        SKLEARN, SPLIT, "first = SVC()\nfirst.fit(X_train, y_train)", "second = SVC()\nsecond.fit(X_train, y_train)"
    )
    calls = [source for source in sources(adoption) if "save_model" in source]
    assert calls == [
        'nbprod.save_model(first, inputs=X_test, target=y_test, name="first")',
        "nbprod.save_model(second, inputs=X_test, target=y_test)",
    ]


@pytest.mark.parametrize(
    ("cells", "rule", "words"),
    [
        ((("a = str(1)", 5), ("print(a)", 2)), "hidden-state", "executed as [2]"),
        ((("a = str(1)", 2), ("print(a)", 2)), "hidden-state", "2 cells carry the execution count [2]"),
        (("print(late)", "late = str(1)"), "hidden-state", "first assigned below"),
        (("print(never)",), "hidden-state", "assigned nowhere before"),
        (("x = x + 1",), "hidden-state", "assigned nowhere before"),
        (("def f():\n    return never",), "hidden-state", "assigned nowhere before"),
        (("open('/home/ada/data.csv')",), "path", "/home/ada/data.csv"),
        (("import numpy as np\nnp.random.rand(3)",), "randomness", "rand"),
        (("import random\nrandom.shuffle([1])",), "randomness", "shuffle"),
        (("from sklearn.ensemble import RandomForestClassifier as F\nF()",), "randomness", "draws by chance"),
        (("!pip install x",), "interactive", "installs packages"),
        (("%pip install x",), "interactive", "installs packages"),
        (("files = !ls",), "interactive", "runs a command"),
        (("%%bash\nls",), "interactive", "runs a command"),
        (("%matplotlib notebook",), "interactive", "needs a window"),
        (("%debug",), "interactive", "person"),
        (("name = input()",), "interactive", "waits for a person"),
        (("%run other.ipynb",), "interactive", "from outside"),
        (("args = parser.parse_args()",), "interactive", "command line of the kernel"),
        (("print 'two'",), "syntax", "not Python"),
    ],
)
def test_each_concern_is_named(proposed, cells, rule, words):
    assert any(words in sentence for sentence in said(proposed(*cells), rule))


@pytest.mark.parametrize(
    "cells",
    [
        ("import numpy as np\nnp.random.seed(0)\nx = np.random.rand(3)\nrng = np.random.default_rng(1)",),
        ("squares = [i * i for i in range(3)]\nprint(squares)\nf = lambda z: z + 1",),
        ("def later():\n    return helper()", "def helper():\n    return 1", "later()"),
        ("for i in range(3):\n    j = i\nprint(i, j)",),
        ("try:\n    import json\nexcept ImportError as e:\n    raise\njson.dumps(1)",),
        ("%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n%time x = sum([1])",),
        ("%%time\ny = sum([1])", "print(y, _, __name__, display, In)"),
        ("class A:\n    b = 1\n    def c(self):\n        return self.b\n\nA().c()",),
        ("with open('f') as file:\n    text = file.read()\nprint(text, (n := 10), n)",),
    ],
)
def test_a_clean_notebook_raises_no_concern(proposed, cells):
    assert proposed(*cells).faults == ()


@pytest.mark.parametrize(
    "source",
    [
        "api_key = 'VALUE'",
        "client = connect(password='VALUE')",
        "import os\nos.environ['AWS_SECRET_ACCESS_KEY'] = 'VALUE'",
        "settings = {'token': 'VALUE', 'depth': 3}",
        "url = 'postgresql://ada:VALUE@db/x'",
        "!curl -H x --token VALUE http://h",
        "x = 'ghp_VALUEVALUEVALUEVALUE12'",
        "depth = 3  # postgresql://ada:VALUE@db/x",
        "parser.add_argument('--depth', default=3, help='of postgresql://ada:VALUE@db/x')",
    ],
)
def test_a_secret_is_named_by_its_place_and_never_shown(proposed, source):
    value = "hunter22hunter"
    adoption = proposed("import sys", source.replace("VALUE", value))
    assert said(adoption, "secret")
    shown = "\n".join([*map(str, adoption.faults), *map(str, adoption.changes()), repr(adoption.secrets)])
    assert value not in shown
    assert not any(value in str(one) for one in adoption.parameters)
    assert any(value in source for source in sources(adoption))  # it is for its owner to take it out


@pytest.mark.parametrize("source", ["api_key = Secret('env:API_KEY')", "password = ''", "token = 'your-token-here'", "secret_santa = 'bob the elf'"])  # fmt: skip
def test_what_only_sounds_like_a_secret_is_none(proposed, source):
    assert not said(proposed(source), "secret")


def test_a_name_for_a_secret_becomes_no_parameter_whatever_it_holds(proposed):
    adoption = proposed(
        "from types import SimpleNamespace", "token = 'abc'\ndb = SimpleNamespace(password='your-password', port=5)"
    )
    assert {one.name for one in adoption.parameters} == {"port"}


def test_adopting_twice_proposes_nothing(proposed, tmp_path):
    adoption = proposed(
        SKLEARN, "depth = 3\n" + SPLIT, "m = SVC()\nm.fit(X_train, y_train)\ns = m.score(X_test, y_test)"
    )
    assert adoption.is_needed
    again = tmp_path / "again.ipynb"
    again.write_bytes(nbformat.writes(adoption.notebook()).encode())
    second = adopt(again)
    assert second.edits == ()
    assert list(second.changes()) == []


def test_a_refused_cell_keeps_its_code_and_the_rest_still_fits(proposed):
    adoption = proposed(
        "import pandas as pd", "depth = 3\nx = str(depth)", "rate = 0.5\ny = str(rate)\nz = m.score(y, x)"
    )
    cells = [cell.id for cell in adoption.tidied.cells]
    some = adoption.only(lambda cell: cell != cells[1])
    text = sources(some)
    assert {one.name for one in some.parameters} == {"rate"}
    assert "depth = 3\nx = str(depth)" in text
    none = adoption.only(lambda _: False)
    assert [cell.source for cell in none.notebook().cells] == [cell.source for cell in adoption.tidied.cells]


@pytest.mark.parametrize(
    ("cells", "metadata", "words"),
    [
        ([], {}, "has no code"),
        ([new_markdown_cell("# only words")], {}, "has no code"),
        ([new_code_cell("  \n")], {}, "has no code"),
        (
            [new_code_cell("x <- 1")],
            {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}},
            "written in R",
        ),
        ([new_code_cell("x = 1")], {"language_info": {"name": "julia"}}, "written in julia"),
        ([new_code_cell("x = 1", metadata={"tags": ["injected-parameters"]})], {}, "what a run left behind"),
    ],
)
def test_what_cannot_be_adopted_is_refused(tmp_path, cells, metadata, words):
    path = tmp_path / "mine.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    with pytest.raises(NotebookError, match=words) as caught:
        adopt(path)
    assert caught.value.hint


def test_no_kernel_or_another_one_is_said(tmp_path):
    for metadata, words in (
        ({}, "names no kernel"),
        ({"kernelspec": {"name": "ml", "display_name": "ML"}}, "'ml' becomes python3"),
    ):
        path = tmp_path / "mine.ipynb"
        nbformat.write(new_notebook(cells=[new_code_cell("x = 1")], metadata=metadata), path)
        assert any(words in sentence for sentence in said(adopt(path), "kernel"))
