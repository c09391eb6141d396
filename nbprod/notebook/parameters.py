"""Reads the typed contract of a notebook from its ``parameters`` cell, without running anything."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbprod.domain.coercion import coerce
from nbprod.domain.names import nearest
from nbprod.domain.parameter import Parameter
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import NotebookError, ParameterError
from nbprod.notebook.annotations import NotLiteralError, literal_value, rule_of_annotation, rule_of_default
from nbprod.notebook.document import tagged
from nbprod.notebook.syntax import parse_cell

if TYPE_CHECKING:
    from nbformat import NotebookNode  # delayed: nbformat takes a second to import

__all__ = ["parameters_cell", "parse_parameters", "read_parameters"]

TAG = "parameters"


@dataclass(frozen=True)
class Comment:
    """A comment of the cell."""

    text: str
    column: int
    stands_alone: bool


def parameters_cell(notebook: NotebookNode) -> NotebookNode | None:
    """The code cell tagged ``parameters``, if there is one.

    Raises
    ------
    NotebookError
        There are several.
    """
    cells = [notebook.cells[index] for index in tagged(notebook, TAG)]
    cells = [cell for cell in cells if cell.cell_type == "code"]
    if len(cells) > 1:
        raise NotebookError(
            f"{len(cells)} cells are tagged {TAG}: {', '.join(cell.id for cell in cells)}",
            hint="Keep the tag on one of them; the parameters of a notebook live in one cell.",
        )
    return cells[0] if cells else None


def read_parameters(notebook: NotebookNode) -> tuple[Parameter, ...]:
    """The parameters a notebook declares, in order; none where it has no ``parameters`` cell.

    Raises
    ------
    NotebookError
        Two cells are tagged, or the cell is not Python.
    """
    cell = parameters_cell(notebook)
    return parse_parameters(cell.source, cell=cell.id) if cell is not None else ()


def parse_parameters(source: str, *, cell: str = TAG) -> tuple[Parameter, ...]:
    """The parameters that the text of a cell declares.

    Annotated assignments are read with their annotation; others get the rule their default suggests. The comment
    behind a line is its help; else the lines above it, or a string below it.

    Raises
    ------
    NotebookError
        The text is not Python, or a range is none.
    """
    try:
        tree, text = parse_cell(source)
        comments = _comments(text)
    except (SyntaxError, tokenize.TokenError) as error:
        line = getattr(error, "lineno", None)
        raise NotebookError(
            f"The cell {cell} cannot be read: {f'line {line}: ' if line else ''}{getattr(error, 'msg', error)}",
            hint="Write one assignment a line, such as alpha: float = 0.1  # how strong.",
        ) from None
    found: dict[str, Parameter] = {}
    for position, statement in enumerate(tree.body):
        for name, annotation, value in _assigned(statement):
            after = next(iter(tree.body[position + 1 :]), None)
            help_text, commented_type = _help(statement, after, comments)
            try:
                parameter = _declare(name, annotation or commented_type, value)
            except ParameterError as error:
                raise NotebookError(f"The cell {cell}: {name}: {error.message}", hint=error.hint) from None
            found[name] = replace(parameter, help=help_text)
    return _with_data_sets(found)


def _with_data_sets(found: dict[str, Parameter]) -> tuple[Parameter, ...]:
    """The parameters, each column tied to the data set it is in: the one it names, else the first there is."""
    data_sets = [name for name, parameter in found.items() if parameter.is_dataset]

    def tied(rule: TypeRule) -> TypeRule:
        if rule.kind is ValueKind.COLUMN and rule.of and rule.of not in data_sets:
            raise NotebookError(
                f"ColumnOf({rule.of!r}) names no Dataset parameter of this notebook", hint=nearest(rule.of, data_sets)
            )
        of = (rule.of or next(iter(data_sets), "")) if rule.kind is ValueKind.COLUMN else ""
        return replace(rule, of=of, inner=tuple(map(tied, rule.inner)))

    return tuple(replace(parameter, rule=tied(parameter.rule)) for parameter in found.values())


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """The names a statement gives values to, each with its annotation and its value."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.annotation, statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, None, statement.value
            elif isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                pairs = zip(target.elts, statement.value.elts, strict=False)
                yield from ((name.id, None, value) for name, value in pairs if isinstance(name, ast.Name))


def _declare(name: str, annotation: ast.expr | None, value: ast.expr | None) -> Parameter:
    rule = rule_of_annotation(annotation) if annotation is not None else TypeRule()
    written = ast.unparse(annotation) if annotation is not None else ""
    if value is None:
        return Parameter(name=name, rule=rule, annotation=written, is_required=True)
    text = ast.unparse(value)
    try:
        default = coerce(TypeRule(), literal_value(value))  # not every literal can be written back: 1j
    except (NotLiteralError, ValueError):
        return Parameter(name=name, rule=rule, annotation=written, default_text=text, is_computed=True)
    if annotation is None:
        rule = rule_of_default(default)
    elif default is None and rule.kind is not ValueKind.ANY:
        rule = replace(rule, optional=True)  # "x: str = None" means it, though it does not say it
    if rule.holds_secret:
        try:
            default = coerce(rule, default)
        except ValueError:
            raise ParameterError(
                "the default is not a reference to a secret; it is not shown here",
                hint="Take the secret out of the notebook and say where it is: Secret('env:NAME').",
            ) from None
    return Parameter(name=name, rule=rule, annotation=written, default=default, default_text=text)


def _comments(text: str) -> dict[int, Comment]:
    """The comments by line."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0]] = Comment(text=token.string, column=token.start[1], stands_alone=alone)
    return found


def _help(statement: ast.stmt, after: ast.stmt | None, comments: dict[int, Comment]) -> tuple[str, ast.expr | None]:
    """What a statement's comments say, and the type that a comment of the kind ``# type: int`` names."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    lines: list[str] = []
    for line in dict.fromkeys((last, first)):
        comment = comments.get(line)
        if comment is not None and not comment.stands_alone:
            lines = [comment.text]
            below = line + 1
            while line == last and below in comments and comments[below].stands_alone and comments[below].column > 0:
                lines.append(comments[below].text)
                below += 1
            break
    else:
        above = first - 1
        while above in comments and comments[above].stands_alone and comments[above].column == statement.col_offset:
            lines.insert(0, comments[above].text)
            above -= 1
    help_text, commented_type = _clean(lines)
    if not help_text and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
        help_text = " ".join(str(after.value.value).split()) if isinstance(after.value.value, str) else ""
    return help_text, commented_type


def _clean(lines: list[str]) -> tuple[str, ast.expr | None]:
    """The words of comments without their marks and without notes to tools."""
    text = " ".join(re.sub(r"^#+:?\s?", "", line).strip() for line in lines)
    text = re.split(r"(?:^|\s*#\s*)(?:noqa|pylint:|pragma:|fmt:)", text)[0].strip()
    if match := re.match(r"type:\s*(\S+(?:\[[^\]]*\])?)\s*", text):
        try:
            return text[match.end() :].strip(), ast.parse(match[1], mode="eval").body
        except SyntaxError:
            pass
    return text, None
