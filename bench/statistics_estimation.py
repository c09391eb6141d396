"""Estimated against realised performance by chunk: nbprod beside NannyML 0.13.1 (in an environment of its own).

Run: python bench/statistics_estimation.py [WORD ...]; only data sets whose name, kind or task holds a word.
Both see the same rows and chunks with default settings. Times are of the processor, for fitting and estimating, imports
apart, one thread each.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import statistics_nannyml as nannyml
from statistics_estimation_data import DataSet, data_sets

from nbprod.statistics import PerformanceEstimator
from nbprod.threads import one_thread

CLASSIFICATION = ("accuracy", "precision", "recall", "f1", "roc_auc")
REGRESSION = ("mae", "rmse")
ASK = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd, nannyml as nml
what = json.loads(sys.argv[3])
reference, analysis = (pd.read_parquet(path) for path in sys.argv[1:3])
begun = time.process_time()
if what["task"] == "regression":
    metrics = ["mae", "rmse"]
    estimator = nml.DLE(feature_column_names=what["features"], y_pred="y_pred", y_true="y", chunk_size=what["size"],
                        metrics=metrics)
else:
    metrics = ["accuracy", "precision", "recall", "f1", "roc_auc"]
    binary = what["task"] == "binary"
    estimator = nml.CBPE(metrics=metrics, y_pred="y_pred", y_true="y", chunk_size=what["size"],
                         y_pred_proba="y_prob" if binary else {k: f"y_prob_{k}" for k in range(what["classes"])},
                         problem_type="classification_" + what["task"])
estimator.fit(reference)
result = estimator.estimate(analysis)
took = time.process_time() - begun
found = result.filter(period="analysis").to_df()
print(json.dumps({"seconds": took, **{m: {part: found[(m, column)].tolist() for part, column in (
    ("value", "value"), ("low", "lower_confidence_boundary"), ("high", "upper_confidence_boundary"))}
    for m in metrics}}))
"""


@dataclass(frozen=True)
class Compared:
    """One metric on one data set: mean absolute errors, and how often the realised value lay in our interval."""

    data: DataSet
    metric: str
    ours: float
    theirs: float
    inside: int
    inside_theirs: int
    chunks: int

    @property
    def ratio(self) -> float:
        """Our error as a share of theirs."""
        return self.ours / max(self.theirs, 1e-12)


def ours(data: DataSet):
    begun = time.process_time()
    probability = data.probabilities or None
    estimator = PerformanceEstimator.fit(
        data.reference,
        target="y",
        prediction="y_pred",
        probability=probability[0] if probability and len(probability) == 1 else probability,
    )
    found = estimator.estimate_chunks(data.analysis.drop(columns="y"), data.chunks)
    took = time.process_time() - begun
    return estimator, list(found.values()), took


def theirs(data: DataSet):
    what = {"task": data.task, "size": data.size, "features": data.features, "classes": len(data.probabilities)}
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{part}.parquet" for part in ("reference", "analysis")]
        data.reference.to_parquet(paths[0])
        data.analysis.drop(columns="y").to_parquet(paths[1])
        return nannyml.ask(ASK, *paths, json.dumps(what))


def compare(data: DataSet, found=None) -> tuple[list[Compared], float, float]:
    estimator, estimates, took = ours(data)
    found = theirs(data) if found is None else found
    realised = [estimator.check(part) for _, part in data.analysis.groupby(data.chunks)]
    rows = []
    for metric in REGRESSION if data.task == "regression" else CLASSIFICATION:
        kept = [place for place, chunk in enumerate(realised) if metric in chunk]
        truth = np.array([realised[place][metric].realised for place in kept])
        mine = [estimates[place][metric] for place in kept]
        other = {
            part: np.array([found[metric][part][place] for place in kept], dtype=float) for part in found[metric]
        }
        rows.append(
            Compared(
                data=data,
                metric=metric,
                ours=float(np.abs(truth - [one.value for one in mine]).mean()),
                theirs=float(np.nanmean(np.abs(truth - other["value"]))),
                inside=sum(value in one for value, one in zip(truth, mine, strict=True)),
                inside_theirs=int(((truth >= other["low"]) & (truth <= other["high"])).sum()),
                chunks=len(kept),
            )
        )
    return rows, took, found["seconds"]


def summary(rows: Iterable[Compared], title: str) -> None:
    rows = list(rows)
    if not rows:
        return
    sets = {(row.data.name, row.data.task) for row in rows}
    chunks = sum(row.chunks for row in rows)
    ratios = np.array([row.ratio for row in rows])
    print(
        f"| {title} | {len(sets)} | {ratios.mean():.2f} | {np.exp(np.log(ratios).mean()):.2f} | {np.median(ratios):.2f}"
        f" | {sum(row.inside for row in rows) / chunks:.1%} | {sum(row.inside_theirs for row in rows) / chunks:.1%} |"
    )


def main() -> None:
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    print("| data | task | chunks of | ratio of errors, by metric | inside | seconds: nbprod, NannyML |")
    print("| --- | --- | ---: | --- | ---: | ---: |")
    rows: list[Compared] = []
    seconds = np.zeros(2)
    for data in data_sets():
        if words and not any(word in f"{data.name} {data.kind} {data.task}" for word in words):
            continue
        with one_thread():
            found, *took = compare(data)
        seconds += took
        rows += found
        cells = ", ".join(f"{row.metric} {row.ratio:.2f}" for row in found)
        inside = sum(row.inside for row in found) / sum(row.chunks for row in found)
        chunks = f"{found[0].chunks} of {data.size:,}"
        print(
            f"| {data.name} | {data.task} | {chunks} | {cells} | {inside:.0%} | {took[0]:.2f}, {took[1]:.2f} |",
            flush=True,
        )
    print(f"\nProcessor seconds together: {seconds[0]:.1f} and {seconds[1]:.1f}\n")
    print("| of | data sets | mean ratio | geometric | median | realised in our interval | in theirs |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    summary(rows, "all")
    for field in ("task", "kind"):
        for name in dict.fromkeys(getattr(row.data, field) for row in rows):
            summary((row for row in rows if getattr(row.data, field) == name), name)
    for name in dict.fromkeys(row.metric for row in rows):
        summary((row for row in rows if row.metric == name), name)


if __name__ == "__main__":
    main()
