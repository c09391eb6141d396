"""A window of time, and what a monitor said about a deployment in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nbprod.domain.advice import Verdict, next_step
from nbprod.domain.check import CheckResult
from nbprod.domain.duration import parse_duration
from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.objective import JobRules, Objectives
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError

__all__ = [
    "AGREEMENT",
    "BESIDE",
    "BUDGET",
    "ESTIMATED",
    "HEALTH",
    "JOBS",
    "KPI",
    "OBJECTIVE",
    "REFERENCE",
    "SIDES",
    "MonitorPolicy",
    "MonitorReport",
    "MonitoredBeside",
    "Verdict",
    "Window",
    "contradicted_metrics",
    "contradiction_sentence",
    "parse_duration",
    "side_label",
]

#: What the names of metrics begin with.
ESTIMATED, REFERENCE = "estimated_", "reference_"
SIDES = {"realised": "", "estimated": ESTIMATED, "reference": REFERENCE}
AGREEMENT = "agreement"  #: the checks that hold estimates against outcomes, one a metric
#: The checks of what is beside the model: KPIs, the server against its usual week and its objectives, batch jobs.
KPI, HEALTH, OBJECTIVE, JOBS = "kpi", "health", "objective", "jobs"
BESIDE = frozenset({KPI, HEALTH, OBJECTIVE, JOBS})
BUDGET = "budget"  #: the check that holds the level a look was judged at
MOST_FALSE_ALARMS = 365


@dataclass(frozen=True, kw_only=True)
class MonitorPolicy:
    """How a deployment is watched: ``[monitors.NAME]`` in ``nbprod.toml``."""

    block: str = "1d"  #: rows of one block depend on each other: ``30m``, ``6h``, ``1d``, ``1w``; empty: rows do not
    metric: str = ""  #: what performance means; empty: accuracy, or mae
    max_drop: float = 0.05  #: material: in the metric's unit; of a regression, a share of the reference
    min_rows: int = 100  #: fewer predictions say nothing
    alpha: float = 0.01  #: false discoveries among columns, in one window
    columns: tuple[str, ...] = ()  #: the inputs watched; empty: all
    false_alarms_per_year: float = 2.0  #: the budget all windows share, however often one looks
    horizon: str = ""  #: outcomes count once a prediction is this old: ``7d``; empty: as soon as they come

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> MonitorPolicy:
        """Read a table of ``nbprod.toml``; what is beside the model, `MonitoredBeside` reads.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        table = SettingsTable(f"[monitors.{name}]", content)
        table.refuse_unknown([*cls.__dataclass_fields__, *MonitoredBeside.__dataclass_fields__])
        own = {key: value for key, value in content.items() if key in cls.__dataclass_fields__}
        policy = cls(**SettingsTable(table.name, own).by_defaults(cls()))
        if policy.max_drop < 0 or policy.min_rows < 1 or not 0 < policy.alpha < 1:
            raise SettingsError(
                f"[monitors.{name}] is out of range", hint="max_drop >= 0, min_rows >= 1, alpha between 0 and 1."
            )
        if not 0 < policy.false_alarms_per_year <= MOST_FALSE_ALARMS:
            raise SettingsError(
                f"[monitors.{name}] false_alarms_per_year = {policy.false_alarms_per_year:g} is not a budget",
                hint=f"A number above 0, at most {MOST_FALSE_ALARMS}: 2 is two a year.",
            )
        if policy.horizon:
            parse_duration(policy.horizon)
        return policy

    @property
    def matures_after(self) -> timedelta | None:
        """The age from which on a prediction's outcome counts; ``None``: at once."""
        return parse_duration(self.horizon) if self.horizon else None


@dataclass(frozen=True, kw_only=True)
class MonitoredBeside:
    """What else is watched of a deployment: the same table of ``nbprod.toml``."""

    kpis: str = ""  #: a Python file of the workspace that defines KPIs
    tables: tuple[str, ...] = ()  #: data sets that KPIs may ask for
    objectives: Objectives = field(default_factory=Objectives)
    jobs: JobRules = field(default_factory=JobRules)

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> MonitoredBeside:
        """Read a table of ``nbprod.toml``.

        Raises
        ------
        SettingsError
            A value cannot be used.
        """
        table = SettingsTable(f"[monitors.{name}]", content)
        return cls(
            kpis=table.text("kpis", ""),
            tables=tuple(table.texts("tables", 'Names of data sets: tables = ["orders"]')),
            objectives=Objectives.parse(name, table.table("objectives", "objectives = { availability = 0.999 }")),
            jobs=JobRules.parse(name, table.table("jobs", 'jobs = { every = "1d" }')),
        )


@dataclass(frozen=True, kw_only=True)
class Window:
    """From ``start`` (included) to ``end`` (excluded), both aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.start >= self.end:
            raise SettingsError(
                f"{self.start} to {self.end} is not a window",
                hint="Give two moments with a zone, start before end.",
            )

    @classmethod
    def last(cls, length: str, *, until: datetime) -> Window:
        """The window of a length such as ``24h``, ``30d`` or ``4w`` that ends at a moment.

        Raises
        ------
        SettingsError
            The length is not a whole number followed by h, d or w.
        """
        return cls(start=until - parse_duration(length), end=until)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


def contradicted_metrics(checks: Iterable[CheckResult]) -> tuple[str, ...]:
    """The metrics whose outcomes contradict the estimate: the interval of the difference does not hold 0.

    This is the one place that decides it, and `side_label` the one that says it beside a number.
    """
    return tuple(
        check.subject
        for check in checks
        if check.name == AGREEMENT
        and ((check.low is not None and check.low > 0) or (check.high is not None and check.high < 0))
    )


def contradiction_sentence(metrics: Sequence[str]) -> str:
    """That outcomes contradict the estimates of metrics; empty for none."""
    if not metrics:
        return ""
    listed = metrics[0] if len(metrics) == 1 else f"{', '.join(metrics[:-1])} and {metrics[-1]}"
    return f"Outcomes contradict the estimate of {listed}."


def side_label(side: str, *, contradicted: bool, share: str = "") -> str:
    """What stands beside a number of one of `SIDES`; an estimate says when outcomes contradict it.

    Parameters
    ----------
    side
        ``realised``, ``estimated`` or ``reference``.
    contradicted
        Whether outcomes contradict the metric's estimate.
    share
        For several windows: in which of them.
    """
    if side != "estimated" or not contradicted:
        return side
    return f"estimated ({f'{share}: ' if share else ''}contradicted by outcomes)"


@dataclass(frozen=True, kw_only=True)
class MonitorReport:
    """The recorded verdict of one monitor run over one window."""

    run_id: str
    deployment: str
    version: str | None  #: ``electricity/2``: the version whose package was the reference
    start: datetime
    end: datetime
    verdict: Verdict
    sentence: str  #: the verdict in words, with its reasons
    rows: int  #: predictions in the window
    outcomes: int  #: of those, with an outcome
    checks: tuple[CheckResult, ...] = ()
    changed: tuple[str, ...] = ()  #: columns that changed, worst first
    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)  #: versions of the Delta tables that were read
    created_at: datetime | None = None

    @property
    def window(self) -> Window:
        """The window it speaks of."""
        return Window(start=self.start, end=self.end)

    @property
    def level(self) -> float | None:
        """The chance of a false alarm this look was allowed; ``None`` where no budget was kept."""
        return next((check.value for check in self.checks if check.name == BUDGET), None)

    @property
    def by_metric(self) -> dict[str, dict[str, float]]:
        """Each metric as it was realised, as it was estimated without outcomes, and in the reference."""
        names = dict.fromkeys(name.removeprefix(ESTIMATED).removeprefix(REFERENCE) for name in self.metrics)
        return {
            name: {
                side: self.metrics[prefix + name] for side, prefix in SIDES.items() if prefix + name in self.metrics
            }
            for name in names
        }

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The metrics whose outcomes contradict the estimate."""
        return contradicted_metrics(self.checks)

    @property
    def contradiction(self) -> str:
        """The same as a sentence; empty where there is none."""
        return contradiction_sentence(self.contradicted)

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return next_step(self.deployment, self.verdict, self.checks)

    def __repr__(self) -> str:
        return f"<MonitorReport {self.deployment} {self.start:%Y-%m-%d}…{self.end:%Y-%m-%d} {self.verdict}>"

    def _repr_html_(self) -> str:
        return card(
            f"Monitor of {self.deployment}, {self.window}",
            [
                ("verdict", self.verdict),
                ("in words", self.sentence),
                ("next", self.next_step),
                ("rows", f"{self.rows:,} ({self.outcomes:,} with outcome)"),
                ("changed", ", ".join(self.changed[:6])),
                *(
                    (
                        f"{name}, {side_label(side, contradicted=name in self.contradicted)}",
                        number(value),
                    )
                    for name, sides in list(self.by_metric.items())[:2]
                    for side, value in sides.items()
                ),
            ],
        )
