"""An alert: one cause that a monitor saw, with everything it moved, open until all of that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from nbprod.clock import now
from nbprod.domain.markup import card
from nbprod.domain.plain import listed

__all__ = ["Alert", "AlertChange", "AlertPart", "AlertStatus", "Severity", "event_time", "parts_sentence"]


class AlertStatus(StrEnum):
    """What people know about it."""

    OPEN = "open"  #: nobody has looked
    ACKNOWLEDGED = "acknowledged"  #: somebody is on it
    SNOOZED = "snoozed"  #: somebody wants to hear of it later; what makes it worse is told all the same
    RESOLVED = "resolved"  #: the monitor no longer finds it, or somebody closed it


class Severity(StrEnum):
    """How much depends on it, the least first."""

    INFO = "info"  #: worth knowing
    WARNING = "warning"  #: somebody should look within days
    CRITICAL = "critical"  #: answers are worse, or their source is broken

    @property
    def rank(self) -> int:
        """Its place: 0 is the least."""
        return list(Severity).index(self)


class AlertChange(StrEnum):
    """What happened to an alert."""

    OPENED = "opened"
    REPEATED = "repeated"  #: seen again as it was
    GREW = "grew"  #: something else has moved with it
    RAISED = "raised"  #: more severe than it ever was
    EASED = "eased"  #: a part of it is gone
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    WOKE = "woke"  #: it was snoozed until now and is still there
    ESCALATED = "escalated"  #: nobody has looked for too long
    RESOLVED = "resolved"

    @property
    def is_told(self) -> bool:
        """Whether channels hear of it; the others are in the ledger alone, so that people keep listening."""
        return self in {
            AlertChange.OPENED,
            AlertChange.GREW,
            AlertChange.RAISED,
            AlertChange.WOKE,
            AlertChange.ESCALATED,
            AlertChange.RESOLVED,
        }


@dataclass(frozen=True, kw_only=True)
class AlertPart:
    """One check of one subject that failed."""

    check: str  #: ``drift``, ``performance``, ``prediction``, ``quality``
    subject: str  #: the column or the metric
    sentence: str
    severity: Severity
    run_id: str  #: the monitor run that saw it last
    began: datetime | None  #: event time: start of the first window it failed in; ``None``: of an earlier nbprod
    first_end: datetime | None  #: event time: end of that window
    last_end: datetime | None  #: event time: end of the last window it failed in
    first_seen_at: datetime
    last_seen_at: datetime
    times_seen: int = 1
    over_at: datetime | None = None  #: when it was no longer found
    rank: int = 0  #: of columns: 0 is the change that matters most to the model

    @property
    def key(self) -> tuple[str, str]:
        """What it is about."""
        return self.check, self.subject

    @property
    def label(self) -> str:
        """What it is about, in words."""
        return f"{self.check} {self.subject}".strip()

    @property
    def is_over(self) -> bool:
        """Whether it is no longer found."""
        return self.over_at is not None


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One cause at one deployment; what moved at about the same time is one alert with its parts listed.

    The same check and subject never stand in a second one beside it. An alert of nbprod 0.1 has one part: itself.
    """

    id: str
    deployment: str
    check: str  #: of the part that matters most
    subject: str  #: of that part: the column or the metric
    status: AlertStatus
    summary: str  #: that part in one sentence, and what moved with it
    run_id: str  #: the monitor run that saw it last
    opened_at: datetime
    last_seen_at: datetime
    times_seen: int = 1
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    note: str = ""
    severity: Severity = Severity.WARNING  #: the worst it ever had
    began: datetime | None = None  #: event time: start of the first window it was found in
    ended: datetime | None = None  #: event time: end of the last one
    parts: tuple[AlertPart, ...] = ()  #: what matters most first
    owner: str = ""
    runbook: str = ""  #: address of what to do
    status_at: datetime | None = None  #: when the status became what it is
    status_by: str | None = None
    snoozed_until: datetime | None = None
    escalated_at: datetime | None = None
    revision: int = 0

    def __post_init__(self) -> None:
        if not self.parts:
            alone = AlertPart(
                check=self.check,
                subject=self.subject,
                sentence=self.summary,
                severity=self.severity,
                run_id=self.run_id,
                began=self.began,
                first_end=self.ended,
                last_end=self.ended,
                first_seen_at=self.opened_at,
                last_seen_at=self.last_seen_at,
                times_seen=self.times_seen,
                over_at=self.resolved_at,
            )
            object.__setattr__(self, "parts", (alone,))

    @property
    def standing(self) -> tuple[AlertPart, ...]:
        """The parts that are still found."""
        return tuple(part for part in self.parts if not part.is_over)

    @property
    def is_resolved(self) -> bool:
        """Whether it is over."""
        return self.status is AlertStatus.RESOLVED

    @property
    def title(self) -> str:
        """What it is about, in a few words: ``performance accuracy and 3 more``."""
        more = len(self.parts) - 1
        return f"{self.check} {self.subject}".strip() + (f" and {more} more" if more else "")

    @property
    def happened(self) -> str:
        """When it happened, as `event_time` writes it; empty for an alert of nbprod 0.1."""
        return event_time(self.began, self.ended) if self.began and self.ended else ""

    def when(self, today: datetime | None = None) -> str:
        """When it happened, and when that was seen: ``December 1997, seen 27 Nov``.

        Parameters
        ----------
        today
            A day of this year is written without it; now by default.
        """
        year = "" if self.opened_at.year == (today or now()).year else f" {self.opened_at:%Y}"
        seen = f"seen {self.opened_at.day} {self.opened_at:%b}{year}"
        return f"{self.happened}, {seen}" if self.happened else seen

    def __repr__(self) -> str:
        return f"<Alert {self.when()}: {self.deployment} {self.title}, {self.severity}, {self.status}, {self.id}>"

    def _repr_html_(self) -> str:
        until = f" until {self.snoozed_until:%Y-%m-%d %H:%M} UTC" if self.snoozed_until else ""
        by = f" by {self.status_by}" if self.status_by else ""
        return card(
            f"{self.when()}: {self.deployment} {self.title}",
            [
                ("severity", self.severity),
                ("status", f"{self.status}{until}{by}"),
                ("summary", self.summary),
                *((part.label, part.sentence + (" (over)" if part.is_over else "")) for part in self.parts[1:13]),
                ("and", f"{len(self.parts) - 13} more" if len(self.parts) > 13 else ""),
                ("note", self.note),
                ("owner", self.owner),
                ("runbook", self.runbook),
                ("seen", f"{self.times_seen} times since {self.opened_at:%Y-%m-%d}"),
                ("run", self.run_id),
                ("alert", self.id),
            ],
        )


def event_time(began: datetime, ended: datetime) -> str:
    """A stretch of time as people say it, in UTC; the end is not included.

    Examples
    --------
    >>> event_time(datetime(1997, 12, 1, tzinfo=UTC), datetime(1998, 1, 1, tzinfo=UTC))
    'December 1997'
    >>> event_time(datetime(1997, 5, 3, tzinfo=UTC), datetime(1997, 5, 10, tzinfo=UTC))
    '3 to 9 May 1997'
    """
    began, ended = began.astimezone(UTC), ended.astimezone(UTC)
    if ended <= began:
        return f"{began.day} {began:%B %Y %H:%M} UTC"
    last = ended - timedelta(microseconds=1)
    whole_months = _starts_month(began) and _starts_month(ended)
    first_day, last_day = ("", "") if whole_months else (f"{began.day} ", f"{last.day} ")
    if (first_day, f"{began:%B %Y}") == (last_day, f"{last:%B %Y}"):
        return f"{first_day}{began:%B %Y}"
    if f"{began:%B %Y}" == f"{last:%B %Y}":
        return f"{first_day}to {last_day}{last:%B %Y}"
    if began.year == last.year:
        return f"{first_day}{began:%B} to {last_day}{last:%B %Y}"
    return f"{first_day}{began:%B %Y} to {last_day}{last:%B %Y}"


def parts_sentence(parts: Sequence[AlertPart]) -> str:
    """Parts by check: ``drift (age, income and 4 more), estimated (accuracy)``."""
    subjects: dict[str, list[str]] = {}
    for part in parts:
        subjects.setdefault(part.check, []).append(part.subject)
    return ", ".join(f"{check} ({listed(names, 3)})" if any(names) else check for check, names in subjects.items())


def _starts_month(at: datetime) -> bool:
    return (at.day, at.hour, at.minute, at.second, at.microsecond) == (1, 0, 0, 0, 0)
