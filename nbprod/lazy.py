"""Names of a package that load on first use: those it imports under ``TYPE_CHECKING``, and no second list of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["on_first_use"]


def on_first_use(package: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package (PEP 562) whose ``__init__`` imports its names for type checkers only."""

    def found(name: str) -> Any:
        # an unknown name is refused before anything is imported: `from nbprod import runs` would recurse otherwise
        if name.startswith("__") or name not in _homes(package):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = _homes(package)[name]
        return getattr(import_module(module), attribute)

    return found


@cache
def _homes(package: str) -> dict[str, tuple[str, str]]:
    """The module and the name there of each name that is imported under ``TYPE_CHECKING``."""
    import ast  # delayed: most commands use no name of most packages

    source = Path(str(sys.modules[package].__file__)).read_text(encoding="utf-8")
    blocks = (node for node in ast.parse(source).body if isinstance(node, ast.If))
    imports = (
        node
        for block in blocks
        if ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    )
    return {one.asname or one.name: (str(node.module), one.name) for node in imports for one in node.names}
