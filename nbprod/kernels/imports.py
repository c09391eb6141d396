"""Which modules the code of a notebook imports, read from its syntax; nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["UNKNOWN", "imports_in_order", "names_below", "names_in"]

PACKAGE = Path(__file__).parent.parent
#: In the order of imports: from here on, what an import gives depends on what the code has done.
UNKNOWN = ""
SETTERS = {"putenv", "unsetenv", "load_dotenv"}
CHANGES = {"update", "setdefault", "pop", "popitem", "clear"}
#: Lines of IPython that change the environment, install something, or run code that is not read here.
CHANGING_LINE = re.compile(
    r"\s*(?:%(?:set_)?env\s+\w+[\s=]|%dotenv|%(?:run|load)\s|[%!]+\s*(?:\S+\s+)*(?:pip|conda|mamba|uv)\b.*\b(?:un)?install\b)"
)


def names_in(source: str) -> set[str]:
    """The names that stand in the import statements of some code, IPython's own lines left aside."""
    return {name for node in ast.walk(_tree(source)) for name in _names(node)}


def imports_in_order(source: str, *, package: str = "") -> Iterator[str]:
    r"""The modules some code imports as it runs from top to bottom; what functions import when called is left out.

    ``from a import b`` gives ``a`` and ``a.b``, because ``b`` may be a module. ``UNKNOWN`` stands where the code sets
    the environment, replaces modules or installs something: libraries read these when they are imported.

    The package the code belongs to is needed for its relative imports.

    Examples
    --------
    >>> list(imports_in_order("import os\nos.environ['A'] = '1'\nfrom pandas import api"))
    ['os', '', 'pandas', 'pandas.api']
    """
    found: list[tuple[int, int, str]] = []
    waiting: list[ast.AST] = [_tree(source)]
    while waiting:
        node = waiting.pop()
        line = getattr(node, "lineno", 0)
        found += [(line, number, name) for number, name in enumerate(_names(node, package))]
        if _changes_imports(node):
            found.append((line, 0, UNKNOWN))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    found += [(number, 0, UNKNOWN) for number, text in enumerate(source.splitlines(), 1) if CHANGING_LINE.match(text)]
    return (name for _, _, name in sorted(found))


@cache
def names_below(module: str) -> frozenset[str]:
    """Everything one of nbprod's modules imports, also inside functions; all modules of a package are read."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    files = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    found: set[str] = set()
    for file in files:
        if file.is_file():
            found |= names_in(file.read_text("utf-8"))
    return frozenset(found)


def _tree(source: str) -> ast.Module:
    lines = ("pass" if line.startswith(("%", "!")) else line for line in source.splitlines())
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _names(node: ast.AST, package: str = "") -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
    module = ".".join([*above, *([node.module] if node.module else [])])
    if not module or (node.level and not above):
        return []
    return [module, *(f"{module}.{alias.name}" for alias in node.names if alias.name != "*")]


def _changes_imports(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        owners = [one.value if isinstance(one, ast.Subscript) else one for one in targets]
        return any(_is_named(one, "environ") or _is_named(one, "modules") for one in owners)
    if isinstance(node, ast.Call):
        texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        if {"pip", "install"} <= texts:
            return True
        if isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            return _is_named(node.func.value, "environ") or _is_named(node.func.value, "modules")
        return any(_is_named(node.func, name) for name in SETTERS)
    return isinstance(node, ast.Attribute) and node.attr in {"meta_path", "path_hooks"}


def _is_named(node: ast.AST, name: str) -> bool:
    """Whether an expression is a name or ends with one: ``environ``, ``os.environ``."""
    return getattr(node, "attr", getattr(node, "id", None)) == name
