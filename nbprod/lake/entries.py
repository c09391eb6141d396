"""What lies in a spool: predictions, outcomes, failures of arms; and how they are written."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Entry", "Failures", "Outcomes", "Predictions", "decode", "encode"]


class Predictions(msgspec.Struct, tag="predictions", omit_defaults=True):
    """Predictions of one request: what they share, and columns of as many values as there are ids."""

    ids: list[str]
    at_us: int  #: microseconds since 1970
    version: str
    latency_ms: float
    outputs: dict[str, list[Any]]
    inputs: dict[str, list[Any]]  #: without private ones
    arm: str = "stable"
    share: float = 0.0  #: of traffic that the candidate was to get at that moment, from 0 to 1
    stratum: str = ""
    unit: str | None = None  #: what arms are assigned by
    review: list[float] = []  #: the chance of each, from 0 to 1, that people are to look at it; empty: none is sent


class Outcomes(msgspec.Struct, tag="outcomes", omit_defaults=True):
    """Outcomes of one request, each by the id of its prediction or by its unit."""

    ids: list[str | None]
    units: list[str | None]
    outcomes: list[Any]
    at_us: list[int]


class Failures(msgspec.Struct, tag="failures", omit_defaults=True):
    """A request that the arm it was assigned to did not answer."""

    at_us: int
    version: str
    kind: str  #: error, not-a-number, timeout, refused
    arm: str
    share: float
    stratum: str
    unit: str | None = None


Entry = Predictions | Outcomes | Failures
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Entry).decode
