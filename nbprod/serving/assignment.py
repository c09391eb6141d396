"""What a supervisor tells its processes, and what they tell it: lines of JSON."""

from __future__ import annotations

import msgspec

from nbprod.domain.rollout_verdict import RolloutVerdict

__all__ = [
    "AccessToken",
    "Arm",
    "Assignment",
    "Beside",
    "Configuration",
    "KeeperConfiguration",
    "KeeperReport",
    "Limits",
    "Report",
    "Routing",
    "to_line",
]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one request may ask for."""

    body_bytes: int = 8 << 20
    header_bytes: int = 32 << 10
    headers: int = 100
    rows: int = 10_000
    receive_s: float = 8.0  #: from a request's first byte to its last, and for a client to read on
    in_flight: int = 512  #: requests of one worker; further ones are told to come back


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A version in use, and its share of the requests."""

    version: str  #: ``electricity/2``
    digest: str
    folder: str
    name: str = "stable"
    share: float = 1.0  #: from 0 to 1


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """How an open rollout parts the traffic between the first arm, stable, and the second, the candidate."""

    rollout: str
    salt: str
    share: float  #: of the units that are the candidate's, from 0 to 1
    until_us: int | None  #: the end of the lease, microseconds since 1970; ``None``: it does not end
    step: str  #: names the stratum, with the share and the day
    alpha: float = 0.01  #: of the guard: the chance of ever taking a candidate out that fails no more often
    timeout_s: float = 2.0  #: a candidate that takes longer has failed


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to know a bearer token again."""

    id: str
    digest: str  #: SHA-256, hex
    scopes: tuple[str, ...]


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker serves, and for whom."""

    deployment: str
    arms: tuple[Arm, ...]
    unseen: str = "accept"  #: what becomes of categories never seen: ``accept``, ``refuse`` or ``alarm``
    review: str = ""  #: which predictions people look at
    durable: bool = True  #: whether an answer waits until its prediction is on the disk
    private: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    tokens: tuple[AccessToken, ...] = ()
    routing: Routing | None = None
    shadow: Arm | None = None  #: a candidate that is asked beside, and never by a worker
    verdict: RolloutVerdict | None = None  #: of the newest rollout, for those who run the traffic elsewhere
    is_open: bool = True  #: whether requests without a token are answered: no token exists
    hosts: tuple[str, ...] = ()  #: names beside the loopback's that clients may call this server by
    problems: tuple[str, ...] = ()  #: what health must say: the ledger is away, a table refuses


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker tells its supervisor."""

    ready: bool = False
    version: str = ""
    refused: str = ""  #: a version that could not be loaded
    reason: str = ""
    unseen: dict[str, int] = {}  #: by column, since the last report
    taken_out: str = ""  #: a rollout whose candidate failed too often; ``reason`` says how


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a worker lives."""

    descriptor: int  #: of the socket, bound already
    spool: str
    lake: str
    metrics: str
    limits: Limits = Limits()
    certfile: str | None = None
    keyfile: str | None = None
    log_requests: bool = False
    review_desk: tuple[str, ...] = ()  #: the command of the process that hands out what people are to look at


class Beside(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the drainer is told: the candidate that is to be asked beside, if any."""

    shadow: Arm | None = None
    trusted: tuple[str, ...] = ()


class KeeperConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What the drainer must know."""

    lake: str
    deployment: str
    spools: str
    metrics: str
    every_s: float = 1.0


class KeeperReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the last round went."""

    failure: str | None


def to_line(message: Assignment | Beside | Report) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"
