"""What a package says of itself, read without constructing its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbprod.domain.schema import Schema
from nbprod.packages.sealing import verify_folder

__all__ = ["PackageFacts", "package_facts"]


@dataclass(frozen=True, kw_only=True)
class PackageFacts:
    """The name and the schema of a verified package."""

    folder: Path
    digest: str  #: 64 hex digits
    schema: Schema
    metadata: Mapping[str, Any]  #: run, template, parameters, data fingerprints

    def __repr__(self) -> str:
        return f"<PackageFacts {self.digest[:12]}, {self.schema.task} of {self.schema.target!r}>"

    def _repr_html_(self) -> str:
        return self.schema._repr_html_()


def package_facts(folder: Path | str, *, digest: str | None = None) -> PackageFacts:
    """Verify a package and read its schema; no model is constructed and none of its code runs.

    Raises
    ------
    NotFoundError
        There is no such folder.
    PackageError
        A file differs from the manifest.
    """
    sealed = verify_folder(folder, digest)
    return PackageFacts(
        folder=sealed.folder,
        digest=sealed.digest,
        schema=Schema.from_json(sealed.read("schema.json").decode()),
        metadata=json.loads(sealed.read("nbprod.json")),
    )
