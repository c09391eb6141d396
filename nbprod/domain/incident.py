"""One cause, one alert: the rule that brings a deployment's alerts in line with what was seen, without a ledger.

What fails in one look, and what began close to it in event time, is one alert with its parts listed: ten columns that
moved, the accuracy that fell and the estimate that said so are one thing to look at. "Close" is a gap of at most the
policy's ``group`` between the window in which an alert was first found and the one in which something new is. It is
counted from where the alert began, so an alert that stays open for months does not swallow what begins months later:
that is another cause and an alert of its own. What begins close to an open alert becomes visible as a new part and is
told once more; a part that makes the alert worse than it ever was opens it again if it was acknowledged or snoozed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nbprod.domain.alert import Alert, AlertChange, AlertPart, AlertStatus, parts_sentence
from nbprod.domain.alert_policy import AlertPolicy
from nbprod.domain.check import CheckOutcome, CheckResult

__all__ = ["MACHINE", "AlertMove", "Sight", "bring_in_line"]

#: Of parts of one severity the first kind speaks for all; kinds not named here come after the estimate.
ORDER = ("performance", "serving", "quality", "estimated")
LAST = ("drift", "prediction")
MACHINE = "nbprod"  #: who opens again what became worse


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What was seen in one look at a deployment."""

    deployment: str
    source: str  #: the run or the server that looked
    began: datetime  #: event time of the window
    ended: datetime
    seen_at: datetime
    checks: tuple[CheckResult, ...]
    ranked: tuple[str, ...] = ()  #: columns that changed, what matters most to the model first
    contradicted: Mapping[str, str] = field(default_factory=dict)  #: estimates that outcomes contradict, with words

    def rank(self, subject: str) -> int:
        """The place of a column among those that changed."""
        return self.ranked.index(subject) if subject in self.ranked else len(self.ranked)


@dataclass(frozen=True, kw_only=True)
class AlertMove:
    """An alert as it was and as it is now; ``before=None`` is new."""

    before: Alert | None
    after: Alert
    change: AlertChange


def bring_in_line(
    standing: Sequence[Alert], sight: Sight, policy: AlertPolicy, new_id: Callable[[], str]
) -> list[AlertMove]:
    """Repeat, ease, grow, raise, resolve and open alerts as a look says; those it says nothing of are left out.

    An inconclusive check changes nothing: doubt neither opens nor closes. A subject the look does not speak of was
    not looked at, so its part stays, unless the look's check of that kind passed as a whole. A check that passed on
    an older window than the one a part was last found in does not end it.

    Parameters
    ----------
    standing
        The deployment's alerts that are not resolved.
    sight
        What was seen.
    policy
        How the deployment's alerts are grouped.
    new_id
        Makes the id of a new alert.
    """
    seen = {(check.name, check.subject): check for check in sight.checks}
    failed = {key: check for key, check in seen.items() if check.outcome is CheckOutcome.FAILED}
    parts = {alert.id: [_seen_again(part, sight, seen, policy) for part in alert.parts] for alert in standing}
    known = {part.key for of_one in parts.values() for part in of_one if not part.is_over}
    new = [_found(check, sight, policy) for key, check in failed.items() if key not in known]
    hosts = [alert for alert in standing if any(not part.is_over for part in parts[alert.id])]
    host = _nearest(hosts, sight, policy.group) if new else None
    if host is not None:
        parts[host.id] = _joined(parts[host.id], new)
    moves = [_moved(alert, tuple(parts[alert.id]), sight, policy, grew=alert is host) for alert in standing]
    found = [move for move in moves if move is not None]
    return [*found, _opened(new, sight, policy, new_id())] if new and host is None else found


def _seen_again(
    part: AlertPart, sight: Sight, seen: Mapping[tuple[str, str], CheckResult], policy: AlertPolicy
) -> AlertPart:
    if part.is_over:
        return part
    check = seen.get(part.key) or seen.get((part.check, ""))
    if check is None:
        return part
    if check.outcome is CheckOutcome.PASSED and (part.last_end is None or sight.ended >= part.last_end):
        return replace(part, over_at=sight.seen_at)
    if check.outcome is not CheckOutcome.FAILED or (check.name, check.subject) != part.key:
        return part
    now = _found(check, sight, policy)
    is_earlier = part.began is not None and sight.began < part.began
    return replace(
        now,
        began=now.began if is_earlier or part.began is None else part.began,
        first_end=now.first_end if is_earlier or part.first_end is None else part.first_end,
        last_end=max(now.last_end, part.last_end) if now.last_end and part.last_end else now.last_end,
        first_seen_at=part.first_seen_at,
        times_seen=part.times_seen + 1,
    )


def _found(check: CheckResult, sight: Sight, policy: AlertPolicy) -> AlertPart:
    return AlertPart(
        check=check.name,
        subject=check.subject,
        sentence=check.sentence,
        severity=policy.severity_of(check),
        run_id=sight.source,
        began=sight.began,
        first_end=sight.ended,
        last_end=sight.ended,
        first_seen_at=sight.seen_at,
        last_seen_at=sight.seen_at,
        rank=sight.rank(check.subject),
    )


def _nearest(alerts: Sequence[Alert], sight: Sight, group: timedelta) -> Alert | None:
    """The alert that began closest to a window, if it is close enough; of several the newest."""
    gaps = [(_gap(alert, sight), number) for number, alert in enumerate(alerts)]
    near = [(gap, number) for gap, number in gaps if gap is not None and gap <= group]
    return alerts[min(near)[1]] if near else None


def _gap(alert: Alert, sight: Sight) -> timedelta | None:
    """The time between the window an alert was first found in and another one; zero where they touch."""
    first = min((part for part in alert.parts if part.began), key=lambda part: part.first_seen_at, default=None)
    if first is None or first.began is None or first.first_end is None:
        return None  # of an earlier nbprod, which did not keep event times
    return max(sight.began - first.first_end, first.began - sight.ended, timedelta())


def _joined(parts: Sequence[AlertPart], new: Sequence[AlertPart]) -> list[AlertPart]:
    """Parts with new ones; what was over and has come back is the same part again."""
    before = {part.key: part for part in parts}
    back = [
        replace(part, times_seen=before[part.key].times_seen + 1, first_seen_at=before[part.key].first_seen_at)
        if part.key in before
        else part
        for part in new
    ]
    return [*(part for part in parts if part.key not in {one.key for one in new}), *back]


def _moved(
    alert: Alert, parts: tuple[AlertPart, ...], sight: Sight, policy: AlertPolicy, *, grew: bool
) -> AlertMove | None:
    if parts == alert.parts:
        return None
    is_over = all(part.is_over for part in parts)
    is_seen = any(part.last_seen_at == sight.seen_at for part in parts)
    after = replace(
        _composed(alert, parts, policy),
        run_id=sight.source if is_seen else alert.run_id,
        last_seen_at=sight.seen_at if is_seen else alert.last_seen_at,
        times_seen=alert.times_seen + is_seen,
        revision=alert.revision + 1,
    )
    if is_over:
        after = replace(
            after,
            status=AlertStatus.RESOLVED,
            resolved_at=sight.seen_at,
            status_at=sight.seen_at,
            status_by=MACHINE,
            snoozed_until=None,
            note=_why_over(alert, parts, sight),
        )
        return AlertMove(before=alert, after=after, change=AlertChange.RESOLVED)
    if after.severity.rank > alert.severity.rank:
        if alert.status is not AlertStatus.OPEN:
            after = replace(
                after,
                status=AlertStatus.OPEN,
                status_at=sight.seen_at,
                status_by=MACHINE,
                acknowledged_by=None,
                snoozed_until=None,
                escalated_at=None,
            )
        return AlertMove(before=alert, after=after, change=AlertChange.RAISED)
    change = AlertChange.GREW if grew else AlertChange.REPEATED if is_seen else AlertChange.EASED
    return AlertMove(before=alert, after=after, change=change)


def _opened(new: Sequence[AlertPart], sight: Sight, policy: AlertPolicy, id_: str) -> AlertMove:
    bare = Alert(
        id=id_,
        deployment=sight.deployment,
        check=new[0].check,
        subject=new[0].subject,
        status=AlertStatus.OPEN,
        summary=new[0].sentence,
        run_id=sight.source,
        opened_at=sight.seen_at,
        last_seen_at=sight.seen_at,
        severity=new[0].severity,
        parts=tuple(new),
    )
    return AlertMove(before=None, after=_composed(bare, tuple(new), policy), change=AlertChange.OPENED)


def _composed(alert: Alert, parts: tuple[AlertPart, ...], policy: AlertPolicy) -> Alert:
    """An alert that speaks for its parts: the one that matters most in front, the worst severity it ever had."""
    ordered = tuple(sorted(parts, key=_weight))
    first, *others = [part for part in ordered if not part.is_over] or ordered
    also = f" With it: {parts_sentence(others)}." if others else ""
    sentence = first.sentence if not also or first.sentence.endswith((".", "!", "?")) else f"{first.sentence}."
    began = [part.began for part in parts if part.began]
    ended = [part.last_end for part in parts if part.last_end]
    return replace(
        alert,
        check=first.check,
        subject=first.subject,
        summary=sentence + also,
        severity=max(alert.severity, *(part.severity for part in parts), key=lambda one: one.rank),
        began=min(began, default=None),
        ended=max(ended, default=None),
        parts=ordered,
        owner=alert.owner if alert.escalated_at and policy.escalate_owner else policy.owner,
        runbook=policy.runbook_of(first.check),
    )


def _weight(part: AlertPart) -> tuple[bool, int, int, int, tuple[str, str]]:
    """What sorts parts: those that stand first, then severity, kind, and what the model relies on most."""
    if part.check in ORDER:
        kind = ORDER.index(part.check)
    else:
        kind = len(ORDER) + 1 + LAST.index(part.check) if part.check in LAST else len(ORDER)
    return part.is_over, -part.severity.rank, kind, part.rank, part.key


def _why_over(alert: Alert, parts: Sequence[AlertPart], sight: Sight) -> str:
    ended_now = {part.key for part in parts if part.over_at == sight.seen_at}
    for part in alert.parts:
        if part.key in ended_now and part.check == "estimated" and part.subject in sight.contradicted:
            return sight.contradicted[part.subject]
    return "the monitor no longer finds it"
