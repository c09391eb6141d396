"""Finds what looks like a secret in a notebook's code, so that it can be named by its place and never shown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nbprod.adoption.reading import Code, Reading, called
from nbprod.domain.markers import is_reference

__all__ = ["NAME", "SuspectedSecret", "secrets_in"]

SHORTEST = 4
NAME = re.compile(
    r"(?:.*[_-])?(?:password|passwd|pwd|pw|passphrase|secret|token|api_?key|access_?key|secret_?key|private_?key|"
    r"auth_?key|credentials?|connection_?string)(?:[_-]?\d+)?",
    re.IGNORECASE,
)
# Shapes that their makers gave keys so that they can be found, and addresses with a password in them.
SHAPES = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|sk-[A-Za-z0-9_-]{20,}|xox[baprs]-[A-Za-z0-9-]{10,}|"
    r"hf_[A-Za-z0-9]{20,}|AIza[0-9A-Za-z_-]{30,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|"
    r"(?<=://)[^\s/:@'\"]+:[^\s/@'\"]{3,}(?=@)"
)
OPTION = re.compile(r"(?i)(?:password|passwd|token|api[_-]?key|secret)[=: ]+[\"']?([^\s\"'&$]{6,})")
PLACEHOLDER = re.compile(r"(?i)[x*.<>\s_-]*|your.*|changeme|none|null|<.*>|\$?\{.*\}|example.*|todo.*")


@dataclass(frozen=True)
class SuspectedSecret:
    """What looks like a secret."""

    cell: str
    what: str  #: the name it has, or what its shape says
    value: str = field(repr=False)


def secrets_in(reading: Reading) -> list[SuspectedSecret]:
    """All that look like secrets, once each."""
    found: dict[str, SuspectedSecret] = {}
    for cell in reading.cells:
        for one in (*_named(cell), *_shaped(cell)):
            if not any(one.value in known for known in found):
                found[one.value] = one
    return list(found.values())


def _named(cell: Code) -> Iterator[SuspectedSecret]:
    """Texts that go by the name of a secret."""
    for node in cell.nodes:
        pairs: list[tuple[str, ast.AST | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_name(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(_name(node.target), node.value)]
        elif isinstance(node, ast.Call):
            pairs = [(one.arg or "", one.value) for one in node.keywords]
            if called(node) in {"setdefault", "putenv"} and len(node.args) == 2:
                pairs.append((_text(node.args[0]), node.args[1]))
        elif isinstance(node, ast.Dict):
            pairs = [(_text(key), value) for key, value in zip(node.keys, node.values, strict=True)]
        for name, value in pairs:
            text = _text(value)
            is_real = len(text) >= SHORTEST and not PLACEHOLDER.fullmatch(text) and not is_reference(text)
            if NAME.fullmatch(name) and is_real:
                yield SuspectedSecret(cell.id, name, text)


def _shaped(cell: Code) -> Iterator[SuspectedSecret]:
    """Texts that look like keys wherever they stand, also in lines for the shell."""
    for match in SHAPES.finditer(cell.source):
        yield SuspectedSecret(cell.id, "a text in the shape of a key or a password", match[0])
    lines = cell.ipython_lines if not cell.problem else cell.source.split("\n")
    for line in lines:
        for match in OPTION.finditer(line):
            if not PLACEHOLDER.fullmatch(match[1]):
                yield SuspectedSecret(cell.id, "an option of a command", match[1])


def _name(node: ast.AST) -> str:
    """The name that is assigned to: of a variable, an attribute or an entry such as ``os.environ["API_KEY"]``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return _text(node.slice) if isinstance(node, ast.Subscript) else ""


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
