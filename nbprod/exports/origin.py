"""What is exported: one version of a model with its verified package, and what the ledger says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbprod.domain.schema import Schema
from nbprod.domain.version import ModelVersion
from nbprod.errors import RefusedError
from nbprod.packages.sealing import Sealed

__all__ = ["Origin"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A version that leaves the workspace."""

    version: ModelVersion
    sealed: Sealed  #: verified byte by byte
    schema: Schema
    metadata: Mapping[str, Any]  #: ``nbprod.json`` of the package
    aliases: tuple[str, ...] = ()  #: that name the version now
    trusted: Sequence[str] = ()  #: what the workspace trusts in this package

    @property
    def pins(self) -> dict[str, str]:
        """Version by name of what loading the package needs, as it was when it was made."""
        lines = self.sealed.read("requirements.txt").decode().split()
        return dict(line.split("==", 1) for line in lines)

    @property
    def environment(self) -> Mapping[str, Any]:
        """``python``, ``platform`` and every ``installed`` version, of where the package was made."""
        found: Mapping[str, Any] = json.loads(self.sealed.read("environment.json"))
        return found

    def refuse_pickle(self, target: str) -> None:
        """Refuse a package whose reading runs whatever code is in it.

        Raises
        ------
        RefusedError
            It holds a pickle.
        """
        if self.metadata["format"] == "pickle":
            raise RefusedError(
                f"{self.version.ref} holds a pickle, which is never served, so it is not written for {target}",
                hint="Save the model without allow_pickle, so that it is kept as skops, and register it again.",
            )

    def __repr__(self) -> str:
        return f"<Origin {self.version.ref}, package {self.sealed.digest[:12]}>"
