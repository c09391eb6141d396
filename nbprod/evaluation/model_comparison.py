"""A candidate beside the champion on the same rows: every metric of both, and the paired difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.gate import GateEvidence, GatePolicy, GateVerdict, Measured, SliceGain, judge
from nbprod.domain.markup import card
from nbprod.domain.schema import Schema
from nbprod.errors import DataError, SettingsError
from nbprod.evaluation.rows import EvaluationRows
from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import Metric
from nbprod.statistics.predictions import Predictions, chosen_metric, difference, metrics_of, scores

__all__ = ["ModelComparison", "as_predictions", "check_comparable", "compare"]

CANDIDATE, CHAMPION = "candidate", "champion"


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelComparison:
    """Two models on the same rows, or a first one alone."""

    rows: EvaluationRows
    metric: Metric  #: the one that counts
    candidate: Predictions
    champion: Predictions | None
    table: pd.DataFrame  #: a row for each metric: of both models, and the gain, with bounds
    seed: int

    @property
    def models(self) -> dict[str, Predictions]:
        """By name, the candidate first."""
        return {CANDIDATE: self.candidate} | ({} if self.champion is None else {CHAMPION: self.champion})

    def measured(self, name: str) -> Measured | None:
        """What the table says of the metric that counts: ``candidate``, ``champion`` or ``gain``."""
        if name != CANDIDATE and self.champion is None:
            return None
        if self.metric.name not in self.table.index or name not in self.table.columns:
            return Measured(value=np.nan, low=-np.inf, high=np.inf)
        columns = [name, f"{name}_low", f"{name}_high"]
        value, low, high = self.table.loc[[self.metric.name], columns].to_numpy(dtype=np.float64)[0].tolist()
        return Measured(value=value, low=low, high=high)

    def judge(
        self,
        policy: GatePolicy,
        *,
        candidate: str,
        champion: str | None,
        data: str,
        slices: pd.DataFrame | None = None,
    ) -> GateVerdict:
        """Hold what was measured against a policy.

        Parameters
        ----------
        policy
            The gate.
        candidate, champion
            Digests of the packages; ``None`` when there is no champion yet.
        data
            Fingerprint of the data.
        slices
            As `slice_gains` gives them.
        """
        score = self.measured(CANDIDATE)
        assert score is not None
        parts = [] if slices is None or self.champion is None else list(slices.dropna(subset=["gain"]).iterrows())
        evidence = GateEvidence(
            candidate=candidate,
            champion=champion,
            data=data,
            rows=len(self.rows),
            blocks=self.rows.block_count,
            metric=self.metric.name,
            higher_is_better=self.metric.higher_is_better,
            candidate_score=score,
            champion_score=self.measured(CHAMPION),
            gain=self.measured("gain"),
            slices=tuple(
                SliceGain(
                    name=str(name),
                    rows=int(part["rows"]),
                    gain=Measured(
                        value=float(part["gain"]), low=float(part["gain_low"]), high=float(part["gain_high"])
                    ),
                )
                for name, part in parts
            ),
            start=self.rows.window[0],
            end=self.rows.window[1],
        )
        return judge(policy, evidence)

    def __repr__(self) -> str:
        return f"<ModelComparison {', '.join(self.models)}: {self.metric.name} on {len(self.rows):,} rows>"

    def _repr_html_(self) -> str:
        shown = [(name, self.measured(name)) for name in (CANDIDATE, CHAMPION, "gain")]
        return card(
            f"{self.metric.name} on {len(self.rows):,} rows", [(name, value) for name, value in shown if value]
        )


def as_predictions(frame: pd.DataFrame, classes: Any = ()) -> Predictions:
    """What a package's predictor answered: ``prediction``, and ``probability`` or one ``probability_…`` a class.

    Parameters
    ----------
    frame
        Of the predictor.
    classes
        Of the package's schema, in its order; empty for regression.
    """
    values = frame["prediction"].to_numpy()
    columns = [f"probability_{name}" for name in classes]
    if "probability" in frame.columns and len(classes) == 2:
        positive = frame["probability"].to_numpy(dtype=np.float64)
        probabilities = np.column_stack([1 - positive, positive])
    elif columns and set(columns) <= set(frame.columns):
        probabilities = frame[columns].to_numpy(dtype=np.float64)
    else:
        return Predictions(answers=values)
    return Predictions(answers=values, probabilities=probabilities, classes=tuple(classes))


def check_comparable(candidate: Schema, champion: Schema | None = None) -> None:
    """Refuse two models that predict different things.

    Raises
    ------
    SettingsError
        Target or task differ.
    """
    if champion is None:
        return
    for what, one, other in (
        ("target", candidate.target, champion.target),
        ("task", candidate.task, champion.task),
    ):
        if one != other:
            raise SettingsError(
                f"the candidate's {what} is {one!r} and the champion's is {other!r}; they cannot be compared",
                hint="Name a champion of the same registered model.",
            )


def compare(
    rows: EvaluationRows,
    candidate: Predictions,
    champion: Predictions | None = None,
    *,
    metric: str = "auto",
    seed: int = 0,
    resamples: int = 1000,
) -> ModelComparison:
    """Score both models on the same rows.

    Parameters
    ----------
    rows
        With their truth.
    candidate, champion
        Predictions for exactly these rows; no champion yet is ``None``.
    metric
        The one that counts; ``auto`` for the task's usual one.
    seed, resamples
        Of the bootstrap.

    Raises
    ------
    DataError
        Predictions and rows differ in number, or the truth has a class no model knows.
    SettingsError
        The metric does not exist for this task.
    """
    compared = [candidate] if champion is None else [candidate, champion]
    for each in compared:
        if len(each) != len(rows):
            raise DataError(
                f"there are {len(each):,} predictions for {len(rows):,} rows", hint="Score the same rows."
            )
    counting = chosen_metric(metric, rows.task, *compared)
    _check_classes(rows, compared)
    lines: dict[str, dict[str, float]] = {}
    for name, each in zip((CANDIDATE, CHAMPION), compared, strict=False):
        found = scores(rows.task, rows.truth, each, blocks=rows.blocks, seed=seed, resamples=resamples)
        for metric_name, interval in found.items():
            lines.setdefault(metric_name, {}).update(_interval_columns(name, interval))
    if champion is not None:
        for shared in metrics_of(rows.task, *compared):
            gain = difference(
                shared, rows.truth, candidate, champion, blocks=rows.blocks, seed=seed, resamples=resamples
            )
            if np.isfinite(gain.value):
                lines.setdefault(shared.name, {}).update(_interval_columns("gain", gain))
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("metric")
    first = [counting.name] if counting.name in table.index else []
    table = table.loc[[*first, *(name for name in table.index if name not in first)]]
    return ModelComparison(rows=rows, metric=counting, candidate=candidate, champion=champion, table=table, seed=seed)


def _check_classes(rows: EvaluationRows, compared: list[Predictions]) -> None:
    for each in compared:
        unknown = [] if each.classes is None else sorted(set(rows.truth.tolist()) - set(each.classes), key=str)
        if unknown:
            raise DataError(
                f"the truth {rows.truth.name!r} has the class {unknown[0]!s}, which a model does not know",
                hint="Train with it, or leave those rows out.",
            )


def _interval_columns(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
