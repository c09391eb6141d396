"""Files of the site: each is replaced whole, and left alone when nothing in it changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbprod.domain.plain import plain
from nbprod.errors import StoreError
from nbprod.visible import in_json

__all__ = ["to_json", "write"]


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


def to_json(name: str, records: Sequence[Any]) -> str:
    """Records for machines, with the version of their form."""
    content = {"schema": 1, name: [plain(record) for record in records]}
    return in_json(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)) + "\n"
