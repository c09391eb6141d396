"""What windows are held against: the profile sealed with a package, and its kept rows where rows are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbprod.datasets import read_frame
from nbprod.domain.markup import card
from nbprod.domain.schema import Schema
from nbprod.errors import DataError
from nbprod.packages.feature_importance import FILE, read_feature_importance
from nbprod.packages.golden import read_parquet
from nbprod.packages.sealing import verify_folder
from nbprod.statistics import PerformanceEstimator, Profile

__all__ = ["OUTPUTS", "MonitorReference", "reference_of_package", "reference_of_table"]

#: What predictions are called, in a window and in the reference of an external model.
OUTPUTS = ("prediction", "probability")
#: Rows an estimator learns from; a regressor's is a boosted model, and more rows hardly change what it says.
ESTIMATOR_ROWS = 10_000
FEWEST_ROWS = 40


@dataclass(frozen=True, kw_only=True, repr=False)
class MonitorReference:
    """Rows the model was not trained on, as they are remembered.

    Attributes
    ----------
    rows
        Inputs, ``prediction``, probabilities where there are any, and ``outcome``. Read for performance and pictures;
        columns are compared by the profile alone.
    sealed
        The profile that was stored, if there is one.
    inputs
        The columns the model reads.
    task
        ``classification`` or ``regression``.
    classes
        The labels the model knows, in its order.
    time
        The column of moments; ``None``: rows do not depend on time.
    reliance
        How much the model relies on each input, ``None`` for one that held a single value; empty: not known.
    """

    rows: pd.DataFrame
    sealed: Profile | None = None
    inputs: tuple[str, ...]
    task: str
    classes: tuple[Any, ...] = ()
    time: str | None = None
    reliance: Mapping[str, float | None] = field(default_factory=dict)

    def profile(self, block: str) -> Profile:
        """The profile by blocks of time of a length; one that was not sealed so is made of the rows, on its grid."""
        timed = self.time if block else None
        if self.sealed is not None and (
            timed is None or (self.sealed.blocks is not None and self.sealed.blocks.block == block)
        ):
            return self.sealed
        return Profile.of(self.rows, grid=self.sealed, time=timed, block=block or "1d")

    @property
    def probabilities(self) -> tuple[str, ...]:
        """The columns of probabilities: of the positive class, or of each class in order."""
        several = tuple(f"probability_{name}" for name in self.classes)
        if "probability" in self.rows:
            return ("probability",)
        return several if several and set(several) <= set(self.rows) else ()

    @property
    def importances(self) -> Mapping[str, float] | None:
        """A weight for each input; one that held a single value has the mean of the others."""
        known = [value for value in self.reliance.values() if value is not None]
        usual = sum(known) / len(known) if known else 1.0
        return {name: usual if value is None else value for name, value in self.reliance.items()} or None

    @property
    def untested(self) -> frozenset[str]:
        """Inputs that held a single value: what the model makes of another is not known."""
        return frozenset(name for name, value in self.reliance.items() if value is None)

    @cached_property
    def estimator(self) -> PerformanceEstimator | None:
        """What estimates performance before outcomes come; ``None`` where the reference is too small for it."""
        names = self.probabilities if self.task == "classification" else ()
        known = self.rows.dropna(subset=["outcome", "prediction", *names])
        if len(known) < FEWEST_ROWS or (self.task == "classification" and not names):
            return None
        if self.task == "classification":
            if known["outcome"].nunique() < 2:
                return None
            return PerformanceEstimator.fit(
                known,
                target="outcome",
                prediction="prediction",
                probability=names[0] if len(names) == 1 else names,
                classes=self.classes or None,
                features=[name for name in self.inputs if name in known],
            )
        if len(known) > ESTIMATOR_ROWS:
            known = known.iloc[np.linspace(0, len(known) - 1, ESTIMATOR_ROWS).astype(int)]
        return PerformanceEstimator.fit(known, target="outcome", prediction="prediction", features=self.inputs)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<MonitorReference {len(self.rows):,} rows, {self.task}, {len(self.inputs)} inputs>"

    def _repr_html_(self) -> str:
        return card("MonitorReference", [("rows", f"{len(self.rows):,}"), ("inputs", ", ".join(self.inputs[:8]))])


def reference_of_package(package: str | Path) -> MonitorReference:
    """What a package was sealed with; its model is not constructed.

    Raises
    ------
    PackageError
        A file differs from the manifest.
    """
    sealed = verify_folder(package)
    schema = Schema.from_json(sealed.read("schema.json").decode())
    rows = read_parquet(sealed.read("reference.parquet")).rename(columns={schema.target: "outcome"})
    return MonitorReference(
        rows=rows,
        sealed=Profile.from_bytes(sealed.read("profile.bin")),
        inputs=schema.names,
        task=schema.task,
        classes=schema.classes,
        time=schema.time if schema.time in rows and _are_moments(rows[schema.time]) else None,
        reliance=read_feature_importance(sealed.read(FILE)) if FILE in sealed.files else {},
    )


def reference_of_table(reference: str, known: set[str], task: str | None, target: str) -> MonitorReference:
    """A table with the predictions of a model that nbprod does not serve.

    Parameters
    ----------
    reference
        A path or URL.
    known
        The inputs that are kept with its predictions.
    task, target
        ``classification`` or ``regression``, and the column of outcomes.

    Raises
    ------
    DataError
        It has no predictions or no outcomes.
    """
    frame = read_frame(reference)
    if missing := {"prediction", target} - set(frame.columns):
        raise DataError(
            f"The reference {reference} has no column {' and no column '.join(sorted(missing))}",
            hint="Predictions of the same model on known rows, with their outcomes, make a reference.",
        )
    frame = frame.rename(columns={target: "outcome"})
    if "at" in frame and not _are_moments(frame["at"]):
        try:
            frame["at"] = pd.to_datetime(frame["at"], utc=True, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise DataError(f"The times in {reference} cannot be read: {error}", hint="at holds moments.") from error
    if task is None:
        few = not pd.api.types.is_float_dtype(frame["outcome"]) and frame["outcome"].nunique() <= 20
        task = "classification" if few else "regression"
    labels = sorted(frame["outcome"].dropna().unique().tolist()) if task == "classification" else []
    own = {*OUTPUTS, "outcome", "prediction_id", "version", "at", "logged_at", "latency_ms"}
    return MonitorReference(
        rows=frame,
        inputs=tuple(str(name) for name in frame if name in known and name not in own),
        task=task,
        classes=tuple(labels),
        time="at" if "at" in frame and _are_moments(frame["at"]) else None,
    )


def _are_moments(times: pd.Series[Any]) -> bool:
    """Whether rows can be put in order of time; with a time missing they cannot."""
    return pd.api.types.is_datetime64_any_dtype(times) and not times.isna().any()
