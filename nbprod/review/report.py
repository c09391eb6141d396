"""How reviewers agree with the model and with each other, and what their answers say of all predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.review import ReviewForm, ReviewPolicy
from nbprod.errors import DataError
from nbprod.lake import Lake
from nbprod.lake.disagreement import disagreements
from nbprod.review.queue import reviews_by_prediction
from nbprod.statistics import (
    Interval,
    cohen_kappa,
    krippendorff_alpha,
    metric_interval,
    sampled_strata,
    stratified_share,
    stratum_weights,
)

__all__ = ["PairAgreement", "ReviewReport", "review_report"]


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """Two reviewers on the predictions both answered."""

    first: str
    second: str
    items: int
    agreement: float  #: the share they said the same of, from 0 to 1
    kappa: float | None  #: Cohen's; ``None`` where chance explains it all, or of numbers

    def __str__(self) -> str:
        kappa = f", kappa {number(self.kappa, 3)}" if self.kappa is not None else ""
        return f"{self.agreement:.0%} of {self.items:,}{kappa}"


@dataclass(frozen=True, kw_only=True)
class ReviewReport:
    """What reviews say of a deployment's predictions in a window.

    Attributes
    ----------
    predictions
        How many had a chance of being looked at.
    answered
        How many of those have an answer.
    waiting
        How many wait for one.
    metric
        ``accuracy``, or ``mae`` in the target's unit.
    corrected
        The metric of all these predictions, each answered one standing for those of the same chance; ``None`` where
        it cannot be told, and then ``why_not`` says why.
    uncorrected
        The metric of the answered ones alone, among which the uncertain are more than their share.
    kappa
        Cohen's, of reviewers and model, over all predictions as ``corrected`` is; ``None`` where it cannot be told.
    reviewers
        By reviewer how many predictions were answered.
    with_model
        By reviewer the share of answers that are what the model said; of classes.
    pairs
        Each two reviewers who answered a prediction both.
    alpha
        Krippendorff's, of all reviewers; ``None`` where no prediction was answered twice.
    """

    deployment: str
    predictions: int
    answered: int
    waiting: int
    metric: str
    corrected: Interval | None = None
    why_not: str = ""
    uncorrected: float | None = None
    kappa: float | None = None
    reviewers: Mapping[str, int] = field(default_factory=dict)
    with_model: Mapping[str, float] = field(default_factory=dict)
    pairs: tuple[PairAgreement, ...] = ()
    alpha: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Every figure that can be told, by name."""
        figures = {
            "predictions": self.predictions,
            "answered": self.answered,
            "waiting": self.waiting,
            self.metric: self.corrected.value if self.corrected is not None else None,
            f"uncorrected_{self.metric}": self.uncorrected,
            "model_kappa": self.kappa,
            "reviewers_alpha": self.alpha,
        }
        return {name: float(value) for name, value in figures.items() if value is not None}

    @property
    def sentence(self) -> str:
        """The report in a line."""
        head = f"{self.answered:,} of {self.predictions:,} predictions reviewed, {self.waiting:,} wait"
        if self.corrected is None:
            return f"{head}; {self.metric} of all cannot be told: {self.why_not}"
        told = f"{self.metric} of all is {number(self.corrected.value, 3)}"
        bounds = f"between {number(self.corrected.low, 3)} and {number(self.corrected.high, 3)} at 95 %"
        alone = f" (of the reviewed alone {number(self.uncorrected, 3)})" if self.uncorrected is not None else ""
        alpha = f"; reviewers agree with alpha {number(self.alpha, 3)}" if self.alpha is not None else ""
        return f"{head}; {told}, {bounds}{alone}{alpha}"

    def __str__(self) -> str:
        return f"{self.deployment}: {self.sentence}"

    def __repr__(self) -> str:
        return f"<ReviewReport {self}>"

    def _repr_html_(self) -> str:
        return card(
            f"Reviews of {self.deployment}",
            [
                ("predictions", f"{self.predictions:,} could be sent, {self.answered:,} answered"),
                ("waiting", f"{self.waiting:,}"),
                (f"{self.metric} of all", str(self.corrected) if self.corrected is not None else self.why_not),
                ("of the reviewed alone", number(self.uncorrected, 3) if self.uncorrected is not None else None),
                ("kappa with the model", number(self.kappa, 3) if self.kappa is not None else None),
                ("alpha of reviewers", number(self.alpha, 3) if self.alpha is not None else None),
                *((who, f"{count:,} answers" + self._as_model(who)) for who, count in self.reviewers.items()),
                *((f"{pair.first} and {pair.second}", str(pair)) for pair in self.pairs),
            ],
        )

    def _as_model(self, who: str) -> str:
        return f", {self.with_model[who]:.0%} as the model" if who in self.with_model else ""


def review_report(
    lake: Lake,
    deployment: str,
    form: ReviewForm,
    policy: ReviewPolicy | None,
    waiting: int,
    start: datetime | None,
    end: datetime | None,
    *,
    seed: int = 0,
) -> ReviewReport:
    """Read the answers of a window and hold them against the model and each other; see `ReviewReport`.

    Parameters
    ----------
    lake, deployment
        Whose tables.
    form
        Says whether answers are classes.
    policy
        The rules of today: whether disagreements are sent.
    waiting
        How many predictions are open.
    start, end
        Of the predictions.
    seed
        Of resampling.
    """
    of_classes = form.task == "classification"
    name = "accuracy" if of_classes else "mae"
    window = lake.window(deployment, start, end)
    read = [one for one in ("prediction_id", "prediction", "review", "outcome", "reviewer") if one in window.columns]
    rows = (
        window.to_table(read)
        .to_pandas()
        .reindex(columns=["prediction_id", "prediction", "review", "outcome", "reviewer"])
    )
    rows = rows[rows["review"].notna()].reset_index(drop=True)
    if policy is not None and policy.disagreement:
        differing = rows["prediction_id"].isin(disagreements(lake, deployment, start, end))
        rows["review"] = rows["review"].where(~differing, 1.0)
    ids = set(rows["prediction_id"])
    said = {key: value for key, value in reviews_by_prediction(lake, deployment).items() if key in ids}
    known = rows["outcome"].notna().to_numpy()
    corrected, why_not, kappa, uncorrected = _figures(rows, known, name, seed=seed)
    alpha = krippendorff_alpha(
        [[*one.values()] for one in said.values()], scale="nominal" if of_classes else "interval"
    )
    model = dict(zip(rows["prediction_id"], rows["prediction"], strict=True))
    counted: dict[str, list[bool]] = {}
    for key, answers in said.items():
        for who, answer in answers.items():
            counted.setdefault(who, []).append(_label(answer) == _label(model[key]))
    return ReviewReport(
        deployment=deployment,
        predictions=len(rows),
        answered=len(said),
        waiting=waiting,
        metric=name,
        corrected=corrected,
        why_not=why_not,
        uncorrected=uncorrected,
        kappa=kappa if of_classes else None,
        reviewers={who: len(same) for who, same in sorted(counted.items())},
        with_model={who: float(np.mean(same)) for who, same in sorted(counted.items())} if of_classes else {},
        pairs=tuple(_pairs(said, of_classes=of_classes)),
        alpha=alpha if isfinite(alpha) else None,
    )


def _figures(
    rows: pd.DataFrame, known: Any, name: str, *, seed: int
) -> tuple[Interval | None, str, float | None, float | None]:
    """The corrected metric or why there is none, kappa, and the metric of the answered alone."""
    if not known.any():
        return None, "no answer has come", None, None
    truth, made = rows["outcome"][known], rows["prediction"][known]
    right = np.zeros(len(rows))
    right[known] = [_label(one) == _label(other) for one, other in zip(truth, made, strict=True)]
    alone = float(right[known].mean()) if name == "accuracy" else float(np.abs(truth - made).mean())
    try:
        weights = stratum_weights(rows["review"], known)[known]
    except DataError as problem:
        return None, problem.message, None, alone
    if name != "accuracy":
        return metric_interval("mae", truth, made, weights=weights, seed=seed), "", None, alone
    kappa = cohen_kappa([_label(one) for one in truth], [_label(one) for one in made], weights=weights)
    corrected = stratified_share(sampled_strata(rows["review"], known, right))
    return corrected, "", kappa if isfinite(kappa) else None, alone


def _pairs(said: Mapping[str, Mapping[str, Any]], *, of_classes: bool) -> list[PairAgreement]:
    both: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
    for answers in said.values():
        for first, second in combinations(sorted(answers), 2):
            both.setdefault((first, second), []).append((_label(answers[first]), _label(answers[second])))
    found = []
    for (first, second), several in sorted(both.items()):
        kappa = cohen_kappa(*zip(*several, strict=True)) if of_classes else float("nan")
        same = float(np.mean([one == other for one, other in several]))
        found.append(
            PairAgreement(
                first=first,
                second=second,
                items=len(several),
                agreement=same,
                kappa=kappa if isfinite(kappa) else None,
            )
        )
    return found


def _label(value: Any) -> str:
    """A class however a table holds it: 1 and 1.0 are one."""
    value = value.item() if hasattr(value, "item") else value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
