from datetime import UTC, date, datetime
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.markers import Secret
from nbprod.domain.type_rule import ValueKind
from nbprod.errors import NotebookError, ParameterError
from nbprod.notebook.parameters import parse_parameters, read_parameters

NINE = """\
who: None | str = None  # nobody, or a name
method: Literal["isotonic", "sigmoid"] = "isotonic"  # how to calibrate
filter_by: str = "a = 1"  # an expression with =
options: dict = dict(a=1)  # a mapping
made = make(a=1)  # only a kernel knows
test_size: Annotated[float, Range(0.05, 0.5)] = 0.2  # share held out
features: list[str] = [  # empty = all
    "period",  # a comment of one item
    "nswprice",
]
seed: Optional[int] = None  # none = from the clock
url: str = "https://example.org/x#part"  # a URL with #
"""


def only(source):
    (parameter,) = parse_parameters(source)
    return parameter


def test_the_nine_declarations_that_others_misread_are_read_rightly():
    found = {parameter.name: parameter for parameter in parse_parameters(NINE)}
    assert list(found) == ["who", "method", "filter_by", "options", "made", "test_size", "features", "seed", "url"]
    assert [(one.kind.value, one.optional, one.default, one.help) for one in found.values()] == [
        ("str", True, None, "nobody, or a name"),
        ("choice", False, "isotonic", "how to calibrate"),
        ("str", False, "a = 1", "an expression with ="),
        ("dict", False, {"a": 1}, "a mapping"),
        ("any", False, None, "only a kernel knows"),
        ("float", False, 0.2, "share held out"),
        ("list", False, ["period", "nswprice"], "empty = all"),
        ("int", True, None, "none = from the clock"),
        ("str", False, "https://example.org/x#part", "a URL with #"),
    ]
    assert found["made"].is_computed
    assert found["made"].default_text == "make(a=1)"
    assert found["method"].choices == ("isotonic", "sigmoid")
    assert (found["test_size"].low, found["test_size"].high) == (0.05, 0.5)
    assert found["test_size"].annotation == "Annotated[float, Range(0.05, 0.5)]"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("who", 5),
        ("method", "isotnic"),
        ("filter_by", 1),
        ("options", "a=1"),
        ("made", object()),
        ("test_size", 0.01),
        ("features", [1]),
        ("seed", 0.5),
        ("url", None),
    ],
)
def test_a_wrong_value_for_each_of_the_nine_is_refused(name, wrong):
    (parameter,) = [one for one in parse_parameters(NINE) if one.name == name]
    with pytest.raises(ParameterError, match=f"^{name} is "):
        parameter.coerce(wrong)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a: int = 1  # help", "help"),
        ("a: int = 1  #: help", "help"),
        ("a: int = 1  # help  # noqa: E501", "help"),
        ("a: int = 1  # noqa", ""),
        ("a: int = 1", ""),
        ("# help\na: int = 1", "help"),
        ("# first\n# second\na: int = 1", "first second"),
        ("# a heading\n\na: int = 1", ""),
        ("a: int = 1  # first,\n            # second", "first, second"),
        ("a: list = [  # opening\n  1,\n]", "opening"),
        ("a: list = [  # opening\n  1,\n]  # closing", "closing"),
        ('a: int = 1\n"""Below\nit."""', "Below it."),
        ('a: str = "# no comment"', ""),
        ("a: int = 1  # über = 3 # rest", "über = 3 # rest"),
    ],
)
def test_help_comes_from_comments_of_every_style(source, words):
    assert only(source).help == words


def test_a_comment_of_one_line_is_not_the_help_of_the_next():
    first, second = parse_parameters("a: int = 1  # one\nb: int = 2")
    assert (first.help, second.help) == ("one", "")


def test_a_notebook_without_annotations_works_by_its_defaults():
    found = parse_parameters(
        "alpha = 0.1\nseed = 7\nname = 'x'\nflag = True\nmany = [1]\nnothing = None\na, b = 1, 'y'\n"
    )
    assert [(one.name, one.kind) for one in found] == [
        ("alpha", ValueKind.FLOAT),
        ("seed", ValueKind.INT),
        ("name", ValueKind.STR),
        ("flag", ValueKind.BOOL),
        ("many", ValueKind.LIST),
        ("nothing", ValueKind.ANY),
        ("a", ValueKind.INT),
        ("b", ValueKind.STR),
    ]
    assert not any(one.annotation for one in found)


def test_a_type_comment_is_an_annotation():
    parameter = only("alpha = None  # type: float  how strong")
    assert (parameter.kind, parameter.optional, parameter.help) == (ValueKind.FLOAT, True, "how strong")


@pytest.mark.parametrize(
    ("source", "kind", "default"),
    [
        ("x: date = date(2026, 1, 31)", ValueKind.DATE, date(2026, 1, 31)),
        ("x: datetime.date = datetime.date(2026, 1, 31)", ValueKind.DATE, date(2026, 1, 31)),
        ("x: datetime = datetime(2026, 1, 31, tzinfo=UTC)", ValueKind.DATETIME, datetime(2026, 1, 31, tzinfo=UTC)),
        ("x: Path = Path('a/b')", ValueKind.PATH, Path("a/b")),
        ("x: nbprod.Secret = nbprod.Secret('env:A')", ValueKind.SECRET, Secret("env:A")),
        ("x: 'Dataset' = 'electricity'", ValueKind.DATASET, "electricity"),
        ("x: Model | None = None", ValueKind.MODEL, None),
        ("x: float = float('inf')", ValueKind.FLOAT, float("inf")),
        ("x: float = -math.inf", ValueKind.FLOAT, float("-inf")),
        ("x: int | str = -3", ValueKind.UNION, -3),
        ("x: Union[int, None] = 3", ValueKind.INT, 3),
        ("x: tuple[int, ...] = (1, 2)", ValueKind.TUPLE, (1, 2)),
        ("x: pd.DataFrame = None", ValueKind.ANY, None),
        ("x: Literal[1, 'a', None] = None", ValueKind.CHOICE, None),
        ("x: Final[int] = 3", ValueKind.INT, 3),
        ("x: str = 'a' 'b'", ValueKind.STR, "ab"),
        ("x: str = '''a\nb'''", ValueKind.STR, "a\nb"),
    ],
)
def test_annotations_of_every_kind(source, kind, default):
    parameter = only(source)
    assert (parameter.kind, parameter.default) == (kind, default)
    assert not parameter.is_computed


def test_reading_runs_nothing(tmp_path):
    parameter = only(f"x: str = open({str(tmp_path / 'made')!r}, 'w').name")
    assert parameter.is_computed
    assert not (tmp_path / "made").exists()


def test_imports_magics_and_other_statements_are_passed_over():
    source = "%matplotlib inline\nfrom nbprod import Dataset\n!ls\n\ndata: Dataset = 'x'  # what\nprint(data)\n"
    assert [(one.name, one.help) for one in parse_parameters(source)] == [("data", "what")]


def test_a_parameter_without_a_value_is_required():
    assert only("target: str  # column to predict").is_required


def test_the_last_of_two_assignments_counts():
    assert only("a: int = 1\na: int = 2").default == 2


def test_code_that_is_not_python_names_cell_and_line():
    with pytest.raises(NotebookError, match="The cell setup cannot be read: line 2"):
        parse_parameters("a = 1\nb = = 2", cell="setup")


def test_a_broken_range_names_its_parameter():
    with pytest.raises(NotebookError, match=r"The cell parameters: a: Range\(2, 1\) is not a range: it starts above"):
        parse_parameters("a: Annotated[int, Range(2, 1)] = 1")


def test_a_line_of_a_text_that_looks_like_a_magic_stays():
    assert [one.default for one in parse_parameters('%time\nquery: str = """\n%like%\n!x"""\nhelp?\nb = 1')] == [
        "\n%like%\n!x",
        1,
    ]


@pytest.mark.parametrize(
    "source",
    ["a = 1j", "a = timedelta(days=1)", "a = {[]: 1}", "a = date(2026, 2, 30)", "a = -x", "a = 60 * 60", "a = ..."],
)
def test_a_default_that_no_literal_can_write_is_left_to_the_kernel(source):
    assert only(source).is_computed


def test_a_secret_by_default_is_a_reference_or_an_error_that_hides_it():
    assert only("token: Secret = 'env:A'").default == Secret("env:A")
    assert only("token: Secret | None = None").default is None
    with pytest.raises(NotebookError, match="The cell parameters: token: the default is not a reference") as caught:
        parse_parameters("token: Secret = 'hunter2'")
    assert "hunter2" not in str(caught.value)


PIECES = [
    "x", "y: int", " = ", "1", "'a'", "[", "]", "{", "}", ":", "\n", "# help", "Literal[", "Annotated[float, Range(", "0", ", ", ")",
    "(", "date(", "Secret('env:A')", "None", "|", "-", "**", "%time", "!ls", "?", '"""', "\\\n", "if ", "1j", "...", "\x00", "\r\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused(source):
    try:
        found = parse_parameters(source)
    except NotebookError as error:
        assert error.message.startswith("The cell parameters")  # noqa: PT017 — both ends are right
    else:
        assert all(one.allowed and repr(one) for one in found)


def notebook(*cells):
    made = []
    for number, (source, tags) in enumerate(cells):
        made.append(nbformat.v4.new_code_cell(source, id=f"c-{number}", metadata={"tags": tags}))
    return nbformat.v4.new_notebook(cells=made)


def test_two_tagged_cells_are_an_error_that_names_both():
    with pytest.raises(NotebookError, match="2 cells are tagged parameters: c-0, c-1"):
        read_parameters(notebook(("a = 1", ["parameters"]), ("b = 1", ["parameters"])))


def test_a_notebook_without_the_cell_has_no_parameters():
    assert read_parameters(notebook(("a = 1", []))) == ()


def test_a_method_that_is_called_like_a_type_is_computed():
    (parameter,) = parse_parameters('alerts: list = ws.alerts.list("electricity")')
    assert parameter.is_computed
