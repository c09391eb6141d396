"""Software health of a window: every signal against the deployment's own usual week, objectives and their budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.duration import parse_duration
from nbprod.domain.numbers import number
from nbprod.domain.objective import Objectives
from nbprod.monitors.budget import LARGEST
from nbprod.monitors.findings import PART, Findings
from nbprod.monitors.health_series import BIN, BIN_MINUTES, HealthSeries, read_health
from nbprod.monitors.health_signals import LEVELS, SHARES, Level, Share
from nbprod.monitors.logged_health import logged_facts
from nbprod.statistics import Burn, SeasonVerdict, fastest_burns, unusual_level, unusual_share

__all__ = ["judge_health", "judge_series"]

DAY = timedelta(days=1)
WEEKS = 8  #: before a stretch, of which its usual week is learned
BEFORE = timedelta(days=3)  #: what the longest burn rate looks back


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """A day of the window, or all of a shorter one."""

    start: datetime
    end: datetime
    value: float  #: material or not
    found: SeasonVerdict | None
    is_material: bool
    sentence: str


def judge_health(
    lake: str,
    deployment: str,
    *,
    start: datetime,
    end: datetime,
    level: float = LARGEST,
    objectives: Mapping[str, Any] | None = None,
) -> Findings:
    """Hold what a deployment's servers told of themselves against their own usual week.

    Parameters
    ----------
    lake
        Folder or URL of the tables.
    deployment
        Its name.
    start, end
        Of the window; aware, UTC where they name no zone.
    level
        The chance of a false alarm this look may have: a quarter of it is for health.
    objectives
        ``[monitors.NAME.objectives]``.

    Returns
    -------
    Findings
        Without checks where no server of this deployment told anything in the window or before it: what was logged is
        told then, and not judged.
    """
    promised = Objectives.parse(deployment, objectives or {})
    history = max(WEEKS * 7 * DAY, parse_duration(promised.window)) + DAY
    # whole stretches that end with the window
    begin = end - -(-(end - (start - history)) // BIN) * BIN
    series = read_health(lake, deployment, begin, end)
    logged = logged_facts(lake, deployment, start, end)
    if series is None:
        return Findings(title="Health", lines=logged)
    found = judge_series(series, start=start, end=end, level=level, objectives=promised)
    return replace(found, lines=(*found.lines, *logged))


def judge_series(
    series: HealthSeries,
    *,
    start: datetime,
    end: datetime,
    level: float = LARGEST,
    objectives: Objectives | None = None,
) -> Findings:
    """As `judge_health`, of numbers that are there already; the series ends with the window."""
    places = [*_stretches(series, start, end)]
    if series.first_told is None or not places:
        return Findings(title="Health")
    # users feel errors and slow answers, so these have more of the level
    part = level * PART / (len(places) * (sum(one.weight for one in LEVELS) + sum(one.weight for one in SHARES)))
    checks = [_level_check(signal, series, places, part * signal.weight) for signal in LEVELS]
    checks += [_share_check(signal, series, places, part * signal.weight) for signal in SHARES]
    first = places[0][0]
    burns = [*_objective_checks(series, objectives or Objectives(), first)]
    last = len(series)
    requests, errors = series.requests[first:last].sum(), series.errors[first:last].sum()
    versions = _counts(series.versions, first, last)
    codes = _counts(series.codes, first, last)
    metrics = {
        "requests": float(requests),
        "error_share": float(errors / requests) if requests else float("nan"),
        **{f"p{q}_ms": series.quantile_ms(first, last, q / 100) for q in (50, 95, 99)},
    }
    return Findings(
        title="Health",
        checks=(*checks, *burns),
        metrics={name: value for name, value in metrics.items() if isfinite(value)},
        lines=tuple(
            (name, text) for name, text in (("answers by code", codes), ("predictions by version", versions)) if text
        ),
        tables={} if series.table_version is None else {"health": series.table_version},
    )


def _counts(named: Mapping[str, NDArray[np.float64]], first: int, last: int) -> str:
    sums = {name: counts[first:last].sum() for name, counts in named.items()}
    return ", ".join(f"{name}: {number(float(total))}" for name, total in sums.items() if total)


def _stretches(series: HealthSeries, start: datetime, end: datetime) -> Iterator[tuple[int, int]]:
    """Days that end with the window, oldest first; a rest at its start that is shorter is left to the look before."""
    length = min(end - start, DAY)
    size = max(length // BIN, 1)
    count = max((end - start) // length, 1)
    for back in range(count, 0, -1):
        last = len(series) - (back - 1) * size
        if last - size >= 0:
            yield last - size, last


def _days_before(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The same hours one day before, two days before and so on."""
    day = DAY // BIN
    for back in range(1, WEEKS * 7 + 1):
        if first - back * day < 0:
            return
        yield first - back * day, last - back * day


def _level_check(signal: Level, series: HealthSeries, places: list[tuple[int, int]], level: float) -> CheckResult:
    looked = []
    for first, last in places:
        value = signal.of(series, first, last)
        earlier = np.array([signal.of(series, *place) for place in _days_before(first, last)])
        found = unusual_level(value, earlier, both=signal.both, offset=signal.offset)
        ratio = (value + signal.offset) / (found.usual + signal.offset) if found else 1.0
        is_material = ratio >= signal.ratio or (signal.both and ratio <= 1 / signal.ratio)
        usual = f", usually {_number(found.usual)} {signal.unit}".rstrip() if found else ""
        said = f"{signal.words} {_number(value)} {signal.unit}".rstrip() + usual
        looked.append(_stretch(series, first, last, value, found, is_material, said))
    most = f"{signal.ratio:g} times what is usual" + (", or that part of it" if signal.both else "")
    return _check(signal.name, signal.words, looked, level, rule=f"less than {most}")


def _share_check(signal: Share, series: HealthSeries, places: list[tuple[int, int]], level: float) -> CheckResult:
    looked = []
    for first, last in places:
        events, total = signal.of(series, first, last)
        earlier = np.array([signal.of(series, *place) for place in _days_before(first, last)]).reshape(-1, 2)
        found = unusual_share(events, total, earlier[:, 0], earlier[:, 1])
        is_material = (
            found is not None
            and events >= signal.fewest
            and found.value >= signal.ratio * found.usual
            and found.value - found.usual >= signal.least
        )
        usual = f", usually {found.usual:.2%}" if found else ""
        said = f"{_number(events)} {signal.words}, {events / total:.2%} of {_number(total)}{usual}" if total else ""
        looked.append(
            _stretch(series, first, last, events / total if total else float("nan"), found, is_material, said)
        )
    return _check(signal.name, signal.words, looked, level, rule=f"less than {signal.ratio:g} times what is usual")


def _stretch(
    series: HealthSeries,
    first: int,
    last: int,
    value: float,
    found: SeasonVerdict | None,
    is_material: bool,  # noqa: FBT001 — one call a kind of signal, above
    sentence: str,
) -> _Stretch:
    return _Stretch(
        start=series.start + first * BIN,
        end=series.start + last * BIN,
        value=value,
        found=found,
        is_material=is_material,
        sentence=sentence,
    )


def _check(name: str, words: str, looked: list[_Stretch], level: float, *, rule: str) -> CheckResult:
    """One signal over the days of a window: the first that is unusual and material, else the last that is known."""
    check = CheckResult(name="health", subject=name, outcome=CheckOutcome.INCONCLUSIVE, sentence="", rule=rule)
    bad = [one for one in looked if one.found is not None and one.found.p_value <= level and one.is_material]
    if bad:
        since = f"{bad[0].start:%a %d %b %Y %H:%M}"
        on = f"in {len(bad)} of {len(looked)} days, first from {since}" if len(looked) > 1 else f"from {since}"
        return replace(
            check,
            outcome=CheckOutcome.FAILED,
            sentence=f"{bad[0].sentence} at these hours of the week ({on})",
            value=bad[0].value,
        )
    judged = [one for one in looked if one.found is not None]
    if judged:
        return replace(check, outcome=CheckOutcome.PASSED, sentence=judged[-1].sentence, value=judged[-1].value)
    known = next((one.sentence for one in reversed(looked) if isfinite(one.value)), "")
    told = f"{known}; " if known else f"{words}: "
    return replace(check, sentence=f"{told}not judged: what is usual is known after three weeks")


def _objective_checks(series: HealthSeries, promised: Objectives, first: int) -> Iterator[CheckResult]:
    length = parse_duration(promised.window) // BIN
    if promised.availability:
        goal = f"{promised.availability:.6g} of requests without an error of the server"
        yield _objective_check(
            "availability", goal, series.errors, series.requests, 1 - promised.availability, series, first, length
        )
    if promised.latency_ms and len(series.bounds):
        # the histogram knows no times within a bucket: the next bound is what can be promised
        within = min(
            int(np.searchsorted(series.bounds * 1000, promised.latency_ms * (1 - 1e-9))), len(series.bounds) - 1
        )
        slow = series.latencies[:, within + 1 :]
        goal = f"{promised.latency:.6g} of answers within {1000 * series.bounds[within]:g} ms"
        yield _objective_check(
            "latency",
            goal,
            slow.sum(axis=1),
            series.latencies.sum(axis=1),
            1 - promised.latency,
            series,
            first,
            length,
        )


def _objective_check(
    name: str,
    goal: str,
    bad: Any,
    total: Any,
    budget: float,
    series: HealthSeries,
    first: int,
    length: int,
) -> CheckResult:
    burns = fastest_burns(bad, total, budget, first=first, bin_minutes=BIN_MINUTES)
    period = slice(max(len(series) - length, 0), None)
    asked = total[period].sum()
    used = float(bad[period].sum() / (asked * budget)) if asked else float("nan")
    said = f"{used:.0%} of the error budget is used" if isfinite(used) else "nobody asked"
    fast: list[Burn] = [one for one in burns if one.is_burning]
    if fast:
        worst, begun = fast[0], series.start + (min(one.first or 0 for one in fast) + 1) * BIN
        hours = worst.rule.long_minutes / 60
        said = (
            f"{name} burned {worst.rate:.3g} times its error budget over {hours:g} h"
            f" (seen at {begun:%a %d %b %Y %H:%M}); {said}"
        )
    return CheckResult(
        name="objective",
        subject=name,
        outcome=CheckOutcome.FAILED if fast else CheckOutcome.PASSED,
        sentence=said,
        value=used if isfinite(used) else None,
        rule=goal,
    )


def _number(value: float) -> str:
    return number(value, 3) if isfinite(value) else "unknown"
