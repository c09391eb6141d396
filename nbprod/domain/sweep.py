"""A sweep: one notebook executed for many combinations of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.run import Run

__all__ = ["Member", "Sweep"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One combination and what became of it."""

    values: Mapping[str, Any]
    run: Run | None = None  #: ``None`` until it ran
    reason: str = ""  #: why it was executed, or taken from before
    is_reused: bool = False  #: an earlier run had done the same
    error: str | None = None  #: why it could not even be started


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All members of a sweep, in the order of the combinations."""

    template: str
    members: tuple[Member, ...] = field(default_factory=tuple)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs there are."""
        return tuple(member.run for member in self.members if member.run)

    @property
    def succeeded(self) -> bool:
        """Whether every member has a run that succeeded."""
        return all(member.run and member.run.succeeded for member in self.members)

    def best(self, metric: str, *, largest: bool = True) -> Run | None:
        """The run with the best recorded number."""
        known = [run for run in self.runs if metric in run.metrics]
        return (max if largest else min)(known, key=lambda run: run.metrics[metric], default=None)

    def __repr__(self) -> str:
        done = sum(bool(run.succeeded) for run in self.runs)
        return f"<Sweep {self.template}: {done} of {len(self.members)} succeeded>"

    def _repr_html_(self) -> str:
        rows = []
        for member in self.members:
            values = " ".join(f"{name}={value}" for name, value in member.values.items())
            numbers = member.run.metrics if member.run else {}
            told = [member.run.status if member.run else member.error or "waiting"]
            rows.append((values, " ".join([*told, *(f"{name}={number(value)}" for name, value in numbers.items())])))
        return card(repr(self)[1:-1], rows)
