"""Large content: inside the notebook while it is small, else a file of the run named by its digest."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Blobs"]

INLINE_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """Where large content is kept; by hand there is no such place."""

    put: Callable[[bytes, str], str] | None = None  #: takes bytes and the ending of a file's name, gives the digest
    get: Callable[[str, str], bytes] | None = None  #: takes the digest and the ending, gives the bytes back

    def keep(self, content: bytes, ending: str) -> dict[str, Any]:
        """What the notebook says of the bytes: they themselves, or where they are."""
        if len(content) <= INLINE_BYTES:
            return {"base64": base64.b64encode(content).decode("ascii")}
        if self.put is None:
            return {"absent": f"{len(content):,} bytes, recorded outside of a run"}
        return {"sha256": self.put(content, ending), "bytes": len(content)}

    def fetch(self, node: Mapping[str, Any], ending: str) -> bytes:
        """The bytes that ``keep`` kept.

        Raises
        ------
        LookupError
            They were never kept, or are gone.
        ValueError
            They have been changed.
        """
        if "base64" in node:
            return base64.b64decode(node["base64"], validate=True)
        if "absent" in node:
            raise LookupError(f"it was not kept: {node['absent']}")
        if self.get is None:
            raise LookupError("its file is in the run's folder, which was not given")
        return self.get(str(node["sha256"]), ending)
