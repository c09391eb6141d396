"""A model package: a sealed folder named by the digest of its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nbprod.domain.markup import card
from nbprod.domain.numbers import number

__all__ = ["ModelPackage"]


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """The ledger's view of a sealed package; the folder holds everything else."""

    digest: str  #: SHA-256 over the manifest, 64 hex digits
    folder: str
    run_id: str | None
    task: str  #: ``classification`` or ``regression``
    format: str  #: ``skops``, ``xgboost``, ``lightgbm``, ``catboost``, ``onnx``, ``pickle``
    target: str
    created_at: datetime
    size_bytes: int
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<ModelPackage {self.digest[:12]} {self.format} {self.task} of {self.target!r}>"

    def _repr_html_(self) -> str:
        return card(
            f"Model package {self.digest[:12]}",
            [
                ("task", f"{self.task} of {self.target}"),
                ("format", self.format),
                ("size", f"{self.size_bytes / 1e6:.2f} MB"),
                ("run", self.run_id),
                *((name, number(value)) for name, value in list(self.metrics.items())[:5]),
            ],
        )
