"""Holds KPIs of a window against what is usual for the deployment: the weeks before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from nbprod.domain.check import CheckOutcome, CheckResult, Need
from nbprod.domain.duration import parse_duration
from nbprod.domain.monitor import KPI, REFERENCE, Window
from nbprod.domain.numbers import number
from nbprod.lake import Lake
from nbprod.lake.columns import INPUT, input_name
from nbprod.monitors.budget import LARGEST, share_of_level
from nbprod.monitors.findings import PART, Findings
from nbprod.monitors.kpis.evaluating import KpiError, Tables, kpi_values, time_limit
from nbprod.monitors.kpis.kpi import PERIODS, Kpi
from nbprod.monitors.window import MonitoredWindow
from nbprod.pages.charts import Limit, Mark, Series, trend
from nbprod.statistics import Fall, Interval, fall_between, jackknife_interval, mean_interval, time_blocks
from nbprod.statistics.blocks import block_start

__all__ = ["judge_kpis", "judge_rows"]

Floats = NDArray[np.float64]
TITLE = "KPIs"
USUAL = timedelta(days=28)  #: before the window, at least: what is usual has its weekdays four times
FEWEST = 7  #: pieces as long as the window that say by themselves how much the KPI varies
FEWEST_ROWS = 30  #: of a segment
MOST_VALUES = 12  #: of a column of segments
LEAST_CHANCE = 0.025  #: a worsening that is no worse than 95 % intervals allow is none, however large the budget


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """A KPI of the window beside what is usual."""

    value: Interval
    usual: Interval
    fall: Fall
    limit: float  #: a larger fall is material

    def outcome(self, level: float) -> CheckOutcome:
        """Failed where the fall is significant and material, passed where it is not or would have been seen."""
        if self.fall.value > self.limit and self.fall.chance <= min(level, LEAST_CHANCE):
            return CheckOutcome.FAILED
        is_seen = self.fall.high - self.fall.value <= 2 * self.limit
        if self.fall.high <= self.limit or self.fall.value <= 0 or (self.fall.value <= self.limit and is_seen):
            return CheckOutcome.PASSED
        return CheckOutcome.INCONCLUSIVE


def judge_kpis(
    window: MonitoredWindow,
    lake: str,
    kpis: Sequence[Kpi],
    *,
    level: float = LARGEST,
    judged: Sequence[float] = (),
    tables: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Findings:
    """Hold each KPI of a window against the four weeks before it, or as long as the window is.

    Parameters
    ----------
    window
        From `load_window`.
    lake
        Folder or URL of the tables.
    kpis
        From `find_kpis`.
    level
        The chance of a false alarm this look may have: a quarter of it is for KPIs.
    judged
        What share of the outcomes was known at earlier looks at this window, with which it shares the level.
    tables
        Further tables by name: a path, a URL, or a data frame.
    seed
        The same seed gives the same intervals.

    Returns
    -------
    Findings
        A check a KPI and segment. A KPI that raises, takes too long or returns what is none is a failed check that
        says so, and the others go on.
    """
    if not kpis:
        return Findings(title=TITLE)
    start = window.start - max(USUAL, window.end - window.start)
    earlier = Lake(lake).window(
        window.deployment, start, window.start, as_of=window.as_of, tables=dict(window.tables)
    )
    now = _named(window.inputs, window.scored.frame.assign(at=window.scored.times.to_numpy()))
    share = share_of_level(judged, window.outcomes / max(len(window), 1))
    return judge_rows(
        now,
        _of_table(earlier.to_table().to_pandas()),
        kpis,
        when=Window(start=window.start, end=window.end),
        level=level * PART * share,
        tables=tables,
        seed=seed,
    )


def judge_rows(
    now: pd.DataFrame,
    before: pd.DataFrame,
    kpis: Sequence[Kpi],
    *,
    when: Window,
    level: float,
    tables: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Findings:
    """As `judge_kpis`, of predictions that are there already.

    Parameters
    ----------
    now, before
        Predictions of the window and of the time before it, with ``at`` and ``outcome``.
    kpis, tables, seed
        As for `judge_kpis`.
    when
        The window.
    level
        The chance of a false alarm all KPIs together may have.
    """
    known, part = Tables(tables or {}), level / len(kpis)
    checks: list[CheckResult] = []
    metrics: dict[str, float] = {}
    pictures = []
    for kpi in kpis:
        try:
            with time_limit(kpi.limit_s):
                found = _Look(kpi, when, now, before, known, seed)
                told, picture = [*found.checks(part)], found.picture()
        except KpiError as problem:
            checks.append(_failed(kpi, str(problem)))
            continue
        checks += told
        metrics |= found.metrics
        pictures.append(picture)
    return Findings(title=TITLE, checks=tuple(checks), metrics=metrics, pictures=tuple(pictures))


class _Look:
    """One KPI at one window."""

    def __init__(
        self,
        kpi: Kpi,
        window: Window,
        now: pd.DataFrame,
        before: pd.DataFrame,
        tables: Tables,
        seed: int,
    ) -> None:
        self.kpi, self.seed, self.tables = kpi, seed, tables
        self.start, self.length = window.start, window.end - window.start
        self.now, self.before = now, before
        if not len(now):
            raise KpiError("there are no predictions in the window")
        for name in kpi.segments:
            if name not in now:
                raise KpiError(f"it is to be judged by {name}, which no prediction has")
        found = kpi_values(kpi, now, tables)
        self.values = None if isinstance(found, float) else found
        if self.values is not None and not np.isfinite(self.values).any() and now["outcome"].notna().any():
            raise KpiError("every one of its values is NaN")
        self.earlier = self._earlier_values()
        self.whole = self._judged(np.ones(len(now), dtype=bool), np.ones(len(before), dtype=bool))

    @property
    def metrics(self) -> dict[str, float]:
        """As they are recorded."""
        if self.whole is None:
            return {}
        return {self.kpi.name: self.whole.value.value, REFERENCE + self.kpi.name: self.whole.usual.value}

    def checks(self, level: float) -> Iterator[CheckResult]:
        """Of the KPI, and of its segments where the KPI itself has not failed."""
        kpi, whole = self.kpi, self.whole
        rule = f"worse by at most {kpi.max_drop:.0%} of what is usual"
        if whole is None:
            waits = self.values is not None and not np.isfinite(self.values).any()
            why = "no outcome has come that tells it" if waits else "nothing before this window tells what is usual"
            yield CheckResult(
                name=KPI,
                subject=kpi.name,
                outcome=CheckOutcome.INCONCLUSIVE,
                sentence=f"{kpi.name} cannot be judged yet: {why}",
                rule=rule,
                needs=Need.OUTCOMES if waits else None,
            )
            return
        part = level / 2 if kpi.segments else level
        outcome = whole.outcome(part)
        segments = [*self._segments()] if self.values is not None else []
        sentence = self._sentence(whole)
        if outcome is CheckOutcome.FAILED and segments:
            where, worst = max(segments, key=lambda one: one[1].fall.value)
            sentence += f", most where {where} ({_number(worst.usual.value)} to {_number(worst.value.value)})"
        yield self._check(kpi.name, whole, outcome, sentence, rule)
        if outcome is not CheckOutcome.FAILED:
            for where, judged in segments:
                own = judged.outcome(part / len(segments))
                # a doubt about a part of the rows is none about the window
                own = CheckOutcome.PASSED if own is CheckOutcome.INCONCLUSIVE else own
                yield self._check(
                    f"{kpi.name} where {where}", judged, own, f"{self._sentence(judged)} where {where}", rule
                )

    def picture(self) -> tuple[str, str]:
        """The KPI by period, with what is usual and the line from which on it is material."""
        block = PERIODS[self.kpi.per]
        at, values = [], []
        for frame, found in ((self.before, self.earlier), (self.now, self.values)):
            if not len(frame):
                continue
            numbers = time_blocks(frame["at"], block)
            for one in np.unique(numbers):
                inside = numbers == one
                value = (
                    _mean(found[inside])
                    if found is not None
                    else _number_or_none(self._evaluate(frame[inside].reset_index(drop=True)))
                )
                at.append(block_start(int(one), block) + parse_duration(block) / 2)
                values.append(value)
        lines = [Series(name=self.kpi.name, x=at, y=values)]
        limits = []
        if self.whole is not None:
            sign = -1 if self.kpi.is_higher_better else 1
            limits = [
                Limit(y=self.whole.usual.value + sign * self.whole.limit, label="worse is material"),
            ]
        unit = f", {self.kpi.unit}" if self.kpi.unit else ""
        svg = str(
            trend(f"{self.kpi.name}{unit}", lines, marks=[Mark(x=self.start, label="this window")], limits=limits)
        )
        return svg, (self._sentence(self.whole) if self.whole else f"{self.kpi.name} cannot be judged yet") + "."

    def _earlier_values(self) -> Floats | None:
        if self.values is None or not len(self.before):
            return None
        found = kpi_values(self.kpi, self.before, self.tables)
        if isinstance(found, float):
            raise KpiError("it returned a number for some predictions, and one a prediction for others")
        return found

    def _judged(self, now: NDArray[np.bool_], before: NDArray[np.bool_]) -> _Judged | None:
        """The rows of the window beside those before it; ``None`` where either says nothing."""
        pieces = self._pieces(before)
        is_short = len(pieces) >= FEWEST
        found = self._by_pieces(now, pieces) if is_short else self._by_blocks(now, before)
        if found is None or not np.isfinite([found[0].value, found[1].value]).all():
            return None
        value, usual = found
        fall = fall_between(usual, value, higher_is_better=self.kpi.is_higher_better)
        if is_short and pieces.std() > 0:
            error = float(pieces.std(ddof=1)) * np.sqrt(1 + 1 / len(pieces))
            fall = replace(fall, chance=float(special.stdtr(len(pieces) - 1, -fall.value / error)))
        return _Judged(value=value, usual=usual, fall=fall, limit=self.kpi.max_drop * abs(usual.value))

    def _pieces(self, before: NDArray[np.bool_]) -> Floats:
        """The KPI in each piece of the time before that is as long as the window."""
        count = int(max(USUAL, self.length) // self.length)
        if count < FEWEST or not len(self.before):
            return np.array([])
        ago = (pd.Timestamp(self.start) - self.before["at"]).dt.total_seconds().to_numpy(np.float64)
        numbers = np.ceil(ago / self.length.total_seconds()).astype(np.int64)
        found = [self._of(self.before, self.earlier, before & (numbers == one)) for one in range(1, count + 1)]
        return np.array([one for one in found if one is not None])

    def _by_pieces(self, now: NDArray[np.bool_], pieces: Floats) -> tuple[Interval, Interval] | None:
        """How much the pieces differ from each other says how much this one may."""
        value = self._of(self.now, self.values, now)
        if value is None:
            return None
        middle, spread = float(pieces.mean()), float(pieces.std(ddof=1))
        half = -float(special.stdtrit(len(pieces) - 1, 0.025)) * spread
        return (
            Interval(value=value, low=value - half, high=value + half),
            Interval(
                value=middle, low=middle - half / np.sqrt(len(pieces)), high=middle + half / np.sqrt(len(pieces))
            ),
        )

    def _by_blocks(self, now: NDArray[np.bool_], before: NDArray[np.bool_]) -> tuple[Interval, Interval] | None:
        """A long window says how much it may differ by its own periods."""
        if not before.any() or not now.any():
            return None
        sides = ((self.now, self.values, now), (self.before, self.earlier, before))
        found = [self._interval(*side) for side in sides]
        return found[0], found[1]

    def _interval(self, frame: pd.DataFrame, values: Floats | None, chosen: NDArray[np.bool_]) -> Interval:
        blocks = time_blocks(frame["at"], PERIODS[self.kpi.per])
        if values is not None:
            return mean_interval(values[chosen], blocks[chosen], seed=self.seed)
        own = frame[chosen].reset_index(drop=True)
        return jackknife_interval(lambda rows: self._evaluate(own[rows].reset_index(drop=True)), blocks[chosen])

    def _of(self, frame: pd.DataFrame, values: Floats | None, chosen: NDArray[np.bool_]) -> float | None:
        if not chosen.any():
            return None
        if values is not None:
            return _mean(values[chosen])
        return _number_or_none(self._evaluate(frame[chosen].reset_index(drop=True)))

    def _evaluate(self, rows: pd.DataFrame) -> float:
        found = kpi_values(self.kpi, rows, self.tables)
        if not isinstance(found, float):
            raise KpiError("it returned a number for some predictions, and one a prediction for others")
        return found

    def _segments(self) -> Iterator[tuple[str, _Judged]]:
        for column in self.kpi.segments:
            now, before = (frame[column].astype("string").fillna("missing") for frame in (self.now, self.before))
            for value in now.value_counts().head(MOST_VALUES).sort_index().index:
                inside, then = (now == value).to_numpy(bool), (before == value).to_numpy(bool)
                if min(inside.sum(), then.sum()) >= FEWEST_ROWS and (judged := self._judged(inside, then)):
                    yield f"{column} = {value}", judged

    def _sentence(self, judged: _Judged) -> str:
        fall, unit = judged.fall, f" {self.kpi.unit}" if self.kpi.unit else ""
        return (
            f"{self.kpi.name} is {_number(judged.value.value)}{unit}, usually {_number(judged.usual.value)}"
            f" (worse by {_number(fall.value)}, 95 % between {_number(fall.low)} and {_number(fall.high)})"
        )

    def _check(self, subject: str, judged: _Judged, outcome: CheckOutcome, sentence: str, rule: str) -> CheckResult:
        fall = judged.fall
        return CheckResult(
            name=KPI,
            subject=subject,
            outcome=outcome,
            sentence=sentence,
            value=fall.value,
            low=fall.low if np.isfinite(fall.low) else None,
            high=fall.high if np.isfinite(fall.high) else None,
            rule=rule,
        )


def _failed(kpi: Kpi, why: str) -> CheckResult:
    return CheckResult(
        name=KPI,
        subject=kpi.name,
        outcome=CheckOutcome.FAILED,
        sentence=f"{kpi.name} could not be computed: {why}",
        rule=f"a number, or one a prediction, within {kpi.limit_s:g} s",
    )


def _of_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Predictions of the time before, as those of the window."""
    if not len(rows):
        return pd.DataFrame({"at": pd.Series(dtype="datetime64[us, UTC]"), "outcome": pd.Series(dtype=object)})
    rows = rows.sort_values(["at", "prediction_id"], ignore_index=True)
    inputs = rows[[name for name in map(str, rows) if name.startswith(INPUT)]]
    core = rows.drop(columns=inputs.columns)
    return _named(inputs.rename(columns=input_name), core if "outcome" in core else core.assign(outcome=None))


def _named(inputs: pd.DataFrame, core: pd.DataFrame) -> pd.DataFrame:
    """One frame; an input that has the name of one of our columns is found as ``input_NAME``."""
    names = {name: f"{INPUT}{name}" for name in inputs if name in core.columns}
    times = pd.to_datetime(core["at"], utc=True)
    return pd.concat([inputs.rename(columns=names), core.assign(at=times)], axis=1).reset_index(drop=True)


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _number_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _number(value: float) -> str:
    return number(value, 3) if np.isfinite(value) else "unknown"
