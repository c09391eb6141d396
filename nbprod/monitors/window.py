"""What a monitor looks at: a deployment's predictions in a window, beside the reference they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from nbprod.clock import now
from nbprod.domain.markup import card
from nbprod.errors import SettingsError
from nbprod.lake import Lake
from nbprod.lake.columns import INPUT, input_name
from nbprod.lake.disagreement import disagreements
from nbprod.monitors.performance import ScoredRows
from nbprod.monitors.reference import MonitorReference, reference_of_package, reference_of_table
from nbprod.monitors.sampling import with_disagreements

__all__ = ["MonitoredWindow", "load_window", "read_window"]

MOMENT = "datetime64[us, UTC]"
LONG = timedelta(days=7)  #: a window this long has seen a week through, and enough blocks to speak for itself


@dataclass(frozen=True, kw_only=True, repr=False)
class MonitoredWindow:
    """A window and its reference.

    Attributes
    ----------
    inputs
        The window's rows as the model saw them.
    scored
        The same rows with what the model said, when, by which version, and the outcome where it has come.
    earlier
        As ``scored``, of the windows before: what a trend is drawn from.
    recent
        The inputs of those rows, of a window shorter than a week; else no columns: a long window speaks for itself.
    reference
        What they are held against.
    as_of
        Leave out outcomes that arrived later.
    tables
        Versions of the tables that were read.
    """

    deployment: str
    start: datetime
    end: datetime
    inputs: pd.DataFrame
    scored: ScoredRows
    earlier: ScoredRows
    reference: MonitorReference
    as_of: datetime
    tables: Mapping[str, int]
    recent: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def current(self) -> pd.DataFrame:
        """Inputs and what the model made of them, under the names of the reference."""
        return _joined_columns(self.inputs, self.scored.frame)

    @property
    def before(self) -> pd.DataFrame:
        """As ``current``, of the rows before; without rows where their inputs were not read."""
        return _joined_columns(self.recent, self.earlier.frame) if len(self.recent.columns) else self.current.iloc[:0]

    @property
    def outcomes(self) -> int:
        """How many predictions have an outcome."""
        return self.scored.outcomes

    def __len__(self) -> int:
        return len(self.scored)

    def __repr__(self) -> str:
        days = f"{self.start:%Y-%m-%d}…{self.end:%Y-%m-%d}"
        return f"<MonitoredWindow {self.deployment} {days} {len(self):,} rows>"

    def _repr_html_(self) -> str:
        names = self.reference.inputs
        return card(
            f"{self.deployment}, {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}",
            [
                ("predictions", f"{len(self):,}, {len(self.earlier):,} in the windows before"),
                ("with an outcome", f"{self.outcomes:,}"),
                ("reference", f"{len(self.reference):,} rows"),
                ("inputs", ", ".join(names[:8]) + (" …" if len(names) > 8 else "")),
            ],
        )


def load_window(
    lake: str,
    deployment: str,
    *,
    start: datetime | str,
    end: datetime | str,
    as_of: datetime | str | None = None,
    package: str | None = None,
    reference: str | None = None,
    task: str | None = None,
    target: str | None = None,
    history: int = 0,
) -> MonitoredWindow:
    """Read the predictions of a window and the reference they are held against.

    Parameters
    ----------
    lake
        The folder or URL of the workspace's tables.
    deployment
        Its name.
    start, end
        Event times; UTC where they name no zone; ``end`` is not included. Words in ISO 8601 do, since plain papermill
        hands over nothing else.
    as_of
        Outcomes that arrived later are not seen; now by default.
    package
        The folder of the package that made the predictions.
    reference
        Of a model nbprod does not serve: a table with its inputs, ``prediction``, its target and perhaps
        ``probability``.
    task, target
        Of such a model: ``classification`` or ``regression``, and the reference's column of outcomes.
    history
        How many windows before this one are read too; of windows of a week or more without their inputs.

    Raises
    ------
    SettingsError
        Neither a package nor a reference is given, or both.
    DataError
        The reference cannot be used.
    """
    if bool(package) == bool(reference):
        raise SettingsError(
            "A monitor compares with a package or with a reference table: give one of the two",
            hint="package for a model nbprod serves, reference for another.",
        )
    if package:
        known = reference_of_package(package)
    else:
        inputs = Lake(lake).window(deployment).inputs
        known = reference_of_table(str(reference), set(inputs), task, target or "outcome")
    return read_window(lake, deployment, known, start=start, end=end, as_of=as_of, history=history)


def read_window(
    lake: str,
    deployment: str,
    reference: MonitorReference,
    *,
    start: datetime | str,
    end: datetime | str,
    as_of: datetime | str | None = None,
    history: int = 0,
) -> MonitoredWindow:
    """As `load_window`, with a reference that is there already."""
    first, last = _aware(start), _aware(end)
    seen_at = _aware(as_of) if as_of else now()
    rows = Lake(lake).window(deployment, first, last, as_of=seen_at)
    inputs, scored = _in_order(rows.to_table())
    is_reviewed = "reviewer" in rows.columns
    since = first - history * (last - first)
    differing = disagreements(Lake(lake), deployment, since, last) if is_reviewed else frozenset()
    scored = replace(scored, frame=with_disagreements(scored.frame, differing))
    earlier, recent = scored.rows(np.zeros(len(scored), dtype=bool)), pd.DataFrame()
    if history:
        before = Lake(lake).window(
            deployment, first - history * (last - first), first, as_of=seen_at, tables=rows.tables
        )
        wanted = [name for name in before.columns if last - first < LONG or not name.startswith(INPUT)]
        recent, earlier = _in_order(before.to_table(wanted))
        earlier = replace(earlier, frame=with_disagreements(earlier.frame, differing))
    return MonitoredWindow(
        deployment=deployment,
        start=first,
        end=last,
        inputs=inputs,
        scored=scored,
        earlier=earlier,
        reference=reference,
        as_of=seen_at,
        tables=dict(rows.tables),
        recent=recent,
    )


def _joined_columns(inputs: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    made = [name for name in map(str, answers) if name == "prediction" or name.startswith("probability")]
    return pd.concat([inputs[[name for name in inputs if name not in made]], answers[made]], axis=1)


def _in_order(table: pa.Table) -> tuple[pd.DataFrame, ScoredRows]:
    """Inputs and answers apart, by event time: an input may have the name of one of our columns."""
    if {"at", "prediction_id"} <= set(table.column_names):
        table = table.sort_by([("at", "ascending"), ("prediction_id", "ascending")])
    names = [name for name in table.column_names if name.startswith(INPUT)]
    inputs = table.select(names).rename_columns([input_name(name) for name in names]).to_pandas()
    core = table.drop_columns(names).to_pandas()
    for name, kind in (("prediction", "object"), ("outcome", "object"), ("at", MOMENT), ("outcome_at", MOMENT)):
        if name not in core:  # nothing was ever kept, or no outcome has come
            core[name] = pd.Series([None] * len(core), dtype=kind)
    moments = core.pop("at")
    return inputs, ScoredRows(frame=core, times=moments)


def _aware(moment: datetime | str) -> datetime:
    stamp = pd.Timestamp(moment)
    return (stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp).to_pydatetime()
