"""Files of the site: each is replaced whole, and left alone when nothing in it changed."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbprod.clock import format_utc
from nbprod.errors import StoreError
from nbprod.visible import in_json

__all__ = ["plain", "to_json", "write"]


def write(path: Path, content: str | bytes) -> bool:
    """Put a file in place, whole; return whether it changed.

    Raises
    ------
    StoreError
        The folder cannot be written.
    """
    data = content.encode(errors="replace") if isinstance(content, str) else content
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as problem:
        raise StoreError(
            f"writing {path} failed: {problem.strerror or problem}",
            hint="Make the site's folder writable, or build into another one: nbprod site build --into DIR.",
        ) from problem
    return True


def plain(value: Any) -> Any:
    """A value as JSON has them: moments in UTC, numbers that are none as null, everything else by its text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [plain(one) for one in value]
    return str(value)


def to_json(name: str, records: Sequence[Any]) -> str:
    """Records for machines, with the version of their form."""
    content = {"schema": 1, name: [plain(record) for record in records]}
    return in_json(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)) + "\n"
