"""Which arm answers a request, and the guard that takes a failing candidate out within the request that shows it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from nbprod.domain.rollout import Arm, bucket_of
from nbprod.lake.entries import Failures
from nbprod.serving.assignment import Routing
from nbprod.statistics.event_rates import HarmProcess

__all__ = ["Router", "Ticket", "broken"]


class Ticket(msgspec.Struct, frozen=True):
    """What a request was assigned, and with which share: kept with its answer."""

    arm: Arm
    share: float
    stratum: str
    unit: str | None


DAY_US = 86_400_000_000


class Router:
    """One worker's part of a rollout.

    Parameters
    ----------
    keep
        Takes a failure into the log.

    Attributes
    ----------
    on_taken_out
        Called once, when the candidate of a rollout failed too often: with the rollout, and why in words.
    """

    def __init__(self, keep: Callable[[Failures], None]) -> None:
        self.routing: Routing | None = None
        self.taken_out: str | None = None  #: the rollout whose candidate is out here, whatever the ledger says yet
        self._keep = keep
        self.on_taken_out: Callable[[str, str], None] | None = None
        self._guard = HarmProcess(alpha=0.01)
        self._kinds: dict[str, int] = {}
        self._stratum: tuple[tuple[str, float, int], str] = (("", 0.0, 0), "")  # what makes it, and its name

    def follow(self, routing: Routing | None) -> None:
        """Use another assignment; evidence is kept as long as the rollout is the same."""
        if routing is None or self.routing is None or routing.rollout != self.routing.rollout:
            self._guard = HarmProcess(alpha=routing.alpha if routing else 0.01)
            self._kinds = {}
        self.routing = routing

    def assign(self, unit: str | None, fallback: str, *, now_us: int, has_candidate: bool) -> Ticket:
        """The arm of a request.

        Parameters
        ----------
        unit
            What arms are assigned by; without one the request is its own unit.
        fallback
            Something of the request that no other has.
        now_us
            Microseconds since 1970.
        has_candidate
            Whether the candidate is loaded here.
        """
        routing = self.routing
        if routing is None:
            return Ticket(Arm.STABLE, 0.0, "", unit)
        is_over = routing.until_us is not None and now_us >= routing.until_us
        share = 0.0 if is_over or not has_candidate or self.taken_out == routing.rollout else routing.share
        of_what = (routing.step, share, now_us // DAY_US)
        if self._stratum[0] != of_what:  # a date takes longer to write than all the rest
            day = datetime.fromtimestamp(now_us / 1e6, UTC)
            self._stratum = (of_what, f"{routing.step}:{100 * share:g}:{day:%Y-%m-%d}")
        is_candidate = bucket_of(routing.salt, unit if unit is not None else fallback) < share
        return Ticket(Arm.CANDIDATE if is_candidate else Arm.STABLE, share, self._stratum[1], unit)

    def failed(self, ticket: Ticket, kind: str, version: str) -> None:
        """An arm did not answer: keep it, and take the candidate out if that is now beyond doubt."""
        routing = self.routing
        if routing is None:
            return
        self._keep(
            Failures(
                at_us=time.time_ns() // 1000,
                version=version,
                kind=kind,
                arm=ticket.arm.value,
                share=ticket.share,
                stratum=ticket.stratum,
                unit=ticket.unit,
            )
        )
        if not 0 < ticket.share < 1:
            return
        is_candidate = ticket.arm is Arm.CANDIDATE
        if is_candidate:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1
        is_harmful = self._guard.add(share=ticket.share, is_candidate=is_candidate)
        if is_harmful and self.taken_out != routing.rollout:
            self.taken_out = routing.rollout
            if self.on_taken_out is None:
                return
            kinds = ", ".join(f"{count} of kind {name}" for name, count in self._kinds.items())
            self.on_taken_out(
                routing.rollout,
                f"the guard took it out: {self._guard.candidate_events} of {self._guard.events} failures are the "
                f"candidate's at a share of {100 * ticket.share:g} % ({kinds})",
            )


def broken(outputs: Mapping[str, Sequence[Any]]) -> bool:
    """Whether an answer holds what is not a number, or nothing."""
    return any(
        value is None or (isinstance(value, float) and not math.isfinite(value))
        for values in outputs.values()
        for value in values
    )
