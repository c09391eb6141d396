"""Estimated against realised performance by chunk: nbprod beside NannyML 0.13.1 (in an environment of its own).

Run: python bench/statistics_estimation.py
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import statistics_nannyml as nannyml
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from nbprod.datasets import read_frame
from nbprod.statistics import PerformanceEstimator

DATA = Path(__file__).parents[1] / "nbprod" / "resources" / "data"
MEANS: dict[
    tuple[str, str], list[tuple[int, float, float]]
] = {}  # chunks and the two errors, by kind of data and metric
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")

CBPE = """
import json, sys
import pandas as pd, nannyml as nml
reference, analysis = (pd.read_parquet(path) for path in sys.argv[1:3])
metrics = ["accuracy", "precision", "recall", "f1", "roc_auc"]
estimator = nml.CBPE(metrics=metrics, y_pred="y_pred", y_pred_proba="y_prob", y_true="y", timestamp_column_name="at",
                     chunk_period="M", problem_type="classification_binary")
estimator.fit(reference)
result = estimator.estimate(analysis).filter(period="analysis").to_df()
print(json.dumps({m: result[(m, "value")].tolist() for m in metrics}))
"""
DLE = """
import json, sys
import pandas as pd, nannyml as nml
reference, analysis = (pd.read_parquet(path) for path in sys.argv[1:3])
features = [c for c in reference.columns if c not in ("y", "y_pred", "at")]
estimator = nml.DLE(feature_column_names=features, y_pred="y_pred", y_true="y", timestamp_column_name="at",
                    chunk_period="M", metrics=["mae", "rmse"])
estimator.fit(reference)
result = estimator.estimate(analysis).filter(period="analysis").to_df()
print(json.dumps({m: result[(m, "value")].tolist() for m in ["mae", "rmse"]}))
"""


def electricity(trained, known):
    frame = read_frame(DATA / "electricity.parquet")
    frame["at"] = pd.Timestamp("1996-05-07") + pd.to_timedelta(np.arange(len(frame)) * 30, "min")
    frame = frame.rename(columns={"class": "y"})
    features = ["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]
    model = HistGradientBoostingClassifier(random_state=0).fit(frame[features][:trained], frame["y"][:trained])
    frame["y_prob"], frame["y_pred"] = model.predict_proba(frame[features])[:, 1], model.predict(frame[features])
    return frame[trained:known], frame[known:]


def shifted(seed):
    """Thirty months in which the features drift and the concept does not; the model is too bold."""
    random = np.random.default_rng(seed)
    months = np.repeat(np.arange(36), 1500)
    drift = np.where(months < 6, 0.0, 1.2 * np.sin((months - 6) / 30 * np.pi))
    x = random.normal(size=(len(months), 3)) + drift[:, None] * np.array([1.0, -0.5, 0.0])
    chance = 1 / (1 + np.exp(-(1.5 * x[:, 0] + np.sin(2 * x[:, 1]) + x[:, 2] ** 2 - 1)))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["y"] = (random.uniform(size=len(frame)) < chance).astype(int)
    frame["at"] = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(len(frame)) * 30.0 * 36 / len(frame), "D")
    names = ["a", "b", "c"]
    model = LogisticRegression().fit(frame[names][:3000] ** 1, frame["y"][:3000])
    odds = model.decision_function(frame[names])
    frame["y_prob"] = 1 / (1 + np.exp(-2.5 * odds))
    frame["y_pred"] = (frame["y_prob"] > 0.5).astype(int)
    return frame[3000:9000], frame[9000:]


def bikes():
    frame = read_frame(DATA / "bike_sharing.parquet")
    frame["at"] = pd.Timestamp("2011-01-01") + pd.to_timedelta(np.arange(len(frame)), "h")
    features = ["season", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "hum", "windspeed"]
    frame = frame.rename(columns={"cnt": "y"})[[*features, "y", "at"]]
    model = HistGradientBoostingRegressor(random_state=0).fit(frame[features][:4000], frame["y"][:4000])
    frame["y_pred"] = model.predict(frame[features])
    return frame[4000:9000], frame[9000:]


def compared(name, reference, analysis, *, task):
    chunks = analysis["at"].dt.to_period("M").astype(str)
    if task == "classification":
        estimator = PerformanceEstimator.fit(reference, target="y", prediction="y_pred", probability="y_prob")
        metrics, code = METRICS, CBPE
    else:
        features = [column for column in reference if column not in {"y", "y_pred", "at"}]
        estimator = PerformanceEstimator.fit(reference, target="y", prediction="y_pred", features=features)
        metrics, code = ("mae", "rmse"), DLE
    found = [estimator.check(part) for _, part in analysis.groupby(chunks.to_numpy())]
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{part}.parquet") for part in ("reference", "analysis")]
        for frame, path in zip((reference, analysis), paths, strict=True):
            frame.to_parquet(path, index=False)
        theirs = nannyml.ask(code, *paths)
    for metric in metrics:
        kept = [place for place, chunk in enumerate(found) if metric in chunk]
        realised = np.array([found[place][metric].realised for place in kept])
        ours = np.array([found[place][metric].estimated.value for place in kept])
        other = np.array([theirs[metric][place] for place in kept], dtype=float)
        inside = np.mean([found[place][metric].realised in found[place][metric].estimated for place in kept])
        first, second = np.abs(ours - realised).mean(), np.nanmean(np.abs(other - realised))
        print(
            f"| {name} | {metric} | {len(kept)} | {first:.4f} | {second:.4f} | {first / second:.2f} | {inside:.0%} |",
            flush=True,
        )
        MEANS.setdefault((name.partition(",")[0].rstrip(" 0123456789"), metric), []).append(
            (len(kept), first, second)
        )


def main():
    warnings.simplefilter("ignore")
    print("| data | metric | chunks | nbprod, mean abs. error | NannyML | ratio | realised in our interval |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for trained, known in ((8000, 12_000), (8000, 14_000), (12_000, 17_400)):
        compared(
            f"electricity, reference {trained:,} to {known:,}", *electricity(trained, known), task="classification"
        )
    for seed in range(6):
        compared(f"covariate shift {seed}", *shifted(seed), task="classification")
    compared("bike sharing", *bikes(), task="regression")
    print("\nOver all chunks of a kind of data:\n\n| data | metric | chunks | ratio |\n| --- | --- | ---: | ---: |")
    for (name, metric), parts in MEANS.items():
        ours, other = (sum(part[0] * part[place] for part in parts) for place in (1, 2))
        print(f"| {name} | {metric} | {sum(part[0] for part in parts)} | {ours / other:.2f} |")


if __name__ == "__main__":
    main()
