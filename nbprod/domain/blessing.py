"""A blessing: a fresh process loaded a package, scored its golden rows, and got the values it was sealed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nbprod.domain.markup import card

__all__ = ["Blessing"]


@dataclass(frozen=True, kw_only=True)
class Blessing:
    """What one fresh process found, and in which surroundings."""

    digest: str  #: of the package
    passed: bool
    sentence: str  #: what was found, in words
    rows: int  #: golden rows scored
    column: str | None  #: the output that differs most
    largest_difference: float  #: in that column; of labels, the share that differ
    seconds: float  #: of loading and scoring, in the fresh process
    python: str
    platform: str
    blessed_at: datetime
    versions: Mapping[str, str] = field(default_factory=dict)  #: of the distributions the package was pinned to

    def __repr__(self) -> str:
        return f"<Blessing of {self.digest[:12]} {'passed' if self.passed else 'failed'}: {self.sentence}>"

    def _repr_html_(self) -> str:
        return card(
            f"Blessing of {self.digest[:12]}",
            [
                ("outcome", "passed" if self.passed else "failed"),
                ("in words", self.sentence),
                ("took", f"{self.seconds:.1f} s"),
                ("on", f"Python {self.python}, {self.platform}"),
            ],
        )
