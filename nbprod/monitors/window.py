"""What a monitor looks at: a deployment's predictions in a window, beside the reference they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from nbprod.datasets import read_frame
from nbprod.domain.markup import card
from nbprod.errors import DataError, SettingsError
from nbprod.lake import Lake
from nbprod.lake.columns import INPUT, input_name
from nbprod.packages import load_package

__all__ = ["MonitoredWindow", "load_window"]

#: What predictions are called, in a window and in the reference of an external model.
OUTPUTS = ("prediction", "probability")


@dataclass(frozen=True, kw_only=True, repr=False)
class MonitoredWindow:
    """A window and its reference.

    Attributes
    ----------
    current
        The window's rows: inputs, ``prediction``, ``probability`` where there is one, ``at``, ``outcome`` (missing
        where it has not come).
    reference
        The same of the reference; its moments are in ``time``.
    inputs
        The columns the model reads.
    task
        ``classification`` or ``regression``.
    classes
        The labels the model knows, in its order.
    time
        The reference's column of moments; ``None``: its rows do not depend on time.
    tables
        Versions of the tables that were read.
    """

    deployment: str
    start: datetime
    end: datetime
    current: pd.DataFrame
    reference: pd.DataFrame
    inputs: tuple[str, ...]
    task: str
    classes: tuple[Any, ...] = ()
    time: str | None = None
    tables: Mapping[str, int]

    @property
    def outcomes(self) -> int:
        """How many predictions have an outcome."""
        return int(self.current["outcome"].notna().sum()) if len(self.current) else 0

    def __repr__(self) -> str:
        days = f"{self.start:%Y-%m-%d}…{self.end:%Y-%m-%d}"
        return f"<MonitoredWindow {self.deployment} {days} {len(self.current):,} rows>"

    def _repr_html_(self) -> str:
        return card(
            f"{self.deployment}, {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}",
            [
                ("predictions", f"{len(self.current):,}"),
                ("with an outcome", f"{self.outcomes:,}"),
                ("reference", f"{len(self.reference):,} rows"),
                ("inputs", ", ".join(self.inputs[:8]) + (" …" if len(self.inputs) > 8 else "")),
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
        Outcomes that arrived later are not seen.
    package
        The folder of the package that made the predictions.
    reference
        Of a model nbprod does not serve: a table with its inputs, ``prediction``, its target and perhaps
        ``probability``.
    task, target
        Of such a model: ``classification`` or ``regression``, and the reference's column of outcomes.

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
    first, last = _aware(start), _aware(end)
    known = _aware(as_of) if as_of else None
    rows = Lake(lake).window(deployment, pd.Timestamp(first), pd.Timestamp(last), as_of=known)
    current = rows.to_table().to_pandas()
    current = current.rename(columns={name: input_name(name) for name in current.columns if name.startswith(INPUT)})
    if "outcome" not in current:
        current["outcome"] = pd.Series([None] * len(current), dtype="object")
    if "at" in current:
        current = current.sort_values(["at", "prediction_id"], ignore_index=True)
    found = _of_package(package) if package else _of_table(str(reference), current, task, target or "outcome")
    return MonitoredWindow(
        deployment=deployment,
        start=first,
        end=last,
        current=current,
        tables=dict(rows.tables),
        **found,
    )


def _of_package(package: str | Path) -> dict[str, Any]:
    loaded = load_package(package)
    schema = loaded.schema
    frame = loaded.reference().rename(columns={schema.target: "outcome"})
    return {
        "reference": frame,
        "inputs": schema.names,
        "task": schema.task,
        "classes": schema.classes,
        "time": schema.time if schema.time in frame else None,
    }


def _of_table(reference: str, current: pd.DataFrame, task: str | None, target: str) -> dict[str, Any]:
    frame = read_frame(reference)
    if missing := {"prediction", target} - set(frame.columns):
        raise DataError(
            f"The reference {reference} has no column {' and no column '.join(sorted(missing))}",
            hint="Predictions of the same model on known rows, with their outcomes, make a reference.",
        )
    frame = frame.rename(columns={target: "outcome"})
    known = {*OUTPUTS, "outcome", "prediction_id", "version", "at", "logged_at", "latency_ms"}
    if task is None:
        few = not pd.api.types.is_float_dtype(frame["outcome"]) and frame["outcome"].nunique() <= 20
        task = "classification" if few else "regression"
    labels = sorted(frame["outcome"].dropna().unique().tolist()) if task == "classification" else []
    return {
        "reference": frame,
        "inputs": tuple(str(name) for name in frame if name in set(current) and name not in known),
        "task": task,
        "classes": tuple(labels),
        "time": "at" if "at" in frame else None,
    }


def _aware(moment: datetime | str) -> datetime:
    stamp = pd.Timestamp(moment)
    return (stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp).to_pydatetime()
