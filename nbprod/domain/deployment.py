"""A deployment: the name under which a model is in use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nbprod.domain.markup import card

__all__ = ["Deployment"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What is in use under a name; predictions and outcomes are kept by it.

    A deployment of an alias follows the alias; one of a version stays with it. One with ``model=None`` is external:
    its predictions come from elsewhere and are only monitored.
    """

    name: str
    model: str | None  #: ``electricity@champion`` or ``electricity/2``
    created_at: datetime
    created_by: str
    reference: str | None = None  #: of an external one: the data its monitor compares with
    task: str | None = None  #: of an external one: ``classification`` or ``regression``
    target: str | None = None  #: of an external one: the reference's column of outcomes
    private: tuple[str, ...] = ()  #: columns never kept
    unseen: str = "accept"  #: what its server does with categories never seen: ``accept``, ``refuse`` or ``alarm``
    review: str = ""  #: which predictions people look at: ``uncertain:0.1``; empty: none

    def __repr__(self) -> str:
        return f"<Deployment {self.name} of {self.model or 'an external model'}>"

    def _repr_html_(self) -> str:
        return card(
            f"Deployment {self.name}",
            [("model", self.model or "external"), ("since", f"{self.created_at:%Y-%m-%d %H:%M}")],
        )
