"""Which literals can be parameters, and what type says exactly what each is."""

from __future__ import annotations

import ast
import re
from typing import Any

from nbprod.domain.coercion import coerce
from nbprod.notebook.annotations import rule_of_annotation

__all__ = ["LONGEST", "READERS", "SEED_NAMES", "annotation_of", "fits", "is_file", "value_of"]

LONGEST = 300  # characters of a literal; a longer one is data, not a setting
PLAIN = {"bool", "int", "float", "str"}
READERS = re.compile(r"read_\w+|loadtxt|genfromtxt|imread|open_dataset|load_workbook")
FILE = re.compile(r"[^\n{}<>|]*\.(?:csv|tsv|parquet|xlsx?|json|jsonl|feather|txt|dat|pkl|pickle|h5|gz|zip|db|npz?)")
SEED_NAMES = re.compile(r"(?:.*_)?(?:seed|random_state)", re.IGNORECASE)


def value_of(node: ast.expr | None) -> Any:
    """The value of a literal; ``None`` where there is none, which no setting is."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def annotation_of(value: Any) -> str:
    """The annotation under which exactly this value is a valid default; empty where it is no setting."""
    kind = type(value).__name__
    kinds = [type(one).__name__ for one in value] if isinstance(value, list | tuple) else []
    if kind == "list" and kinds:
        kind = f"list[{kinds[0]}]" if len(set(kinds)) == 1 and kinds[0] in PLAIN else "list"
    elif kind == "tuple" and 0 < len(kinds) <= 4 and PLAIN.issuperset(kinds):
        kind = f"tuple[{', '.join(kinds)}]"
    elif kind not in PLAIN | {"dict"} or value in ("", {}) or (kind == "str" and "\n" in value):
        return ""
    return kind if fits(kind, value) else ""


def fits(annotation: str, value: Any) -> bool:
    """Whether a value is allowed by an annotation and stays as it is."""
    try:
        coerced = coerce(rule_of_annotation(ast.parse(annotation, mode="eval").body), value)
    except ValueError:
        return False
    return type(coerced) is type(value) and repr(coerced) == repr(value)


def is_file(value: Any) -> bool:
    """Whether a value is the name of a file that holds data."""
    return isinstance(value, str) and bool(FILE.fullmatch(value))
