"""One row from a dict, checked and predicted by the compiled model, beside ``pipeline.predict_proba(DataFrame)``.

Pipelines over tables whose shape is drawn at random (columns, categories, gaps), a logistic regression, boosting and a
forest on each; both paths take turns, and the best of the rounds counts. Then the same pipelines on a large table.

    python bench/compiled.py [--tables 3] [--rounds 7] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as a server runs a worker

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from nbprod.compiled import CompiledModel, CompiledPredictor
from nbprod.compiled.certificate import Certificate
from nbprod.compiled.compiling import compile_model
from nbprod.datasets.schema import infer_schema
from nbprod.packages.rows import check_rows

ROWS = 20_000
MANY = 100_000
BARS = {"logistic": 80, "boosting": 50, "forest": 50}


def estimators() -> dict[str, object]:
    return {
        "logistic": LogisticRegression(max_iter=500),
        "boosting": HistGradientBoostingClassifier(max_iter=100, early_stopping=False, categorical_features=None),
        "forest": RandomForestClassifier(100, max_depth=12, random_state=0),
    }


def make_table(random: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    numbers, categories = int(random.integers(5, 16)), int(random.integers(2, 9))
    table = pd.DataFrame(
        {f"number_{k}": random.normal(size=ROWS) * 10 ** random.uniform(-2, 3) for k in range(numbers)}
    )
    for k in range(categories):
        table[f"category_{k}"] = random.choice([f"value {j}" for j in range(random.integers(2, 30))], ROWS)
    for name in table.columns[: numbers // 3]:
        table.loc[random.random(ROWS) < 0.05, name] = np.nan
    ranks = table.iloc[:, :numbers].rank(pct=True).fillna(0.5).to_numpy()
    score = (
        (ranks - 0.5) @ random.normal(size=numbers) * 3
        + (table["category_0"] == "value 0")
        + random.normal(size=ROWS)
    )
    return table, pd.Series(np.where(score > 0, "up", "down"), name="class")


def make_model(table: pd.DataFrame, estimator: object) -> object:
    numbers = [name for name in table if name.startswith("number")]
    categories = [name for name in table if name.startswith("category")]
    prepared = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
        ]
    )
    return make_pipeline(prepared, estimator)


def fastest(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def compiled(model: object, table: pd.DataFrame) -> CompiledPredictor:
    schema = infer_schema(
        table,
        target="class",
        task="classification",
        classes=list(model.classes_),
        probabilistic=True,
        time=None,
        private=frozenset(),
    )
    passed = Certificate(compiled=True, passed=True, sentence="")
    return CompiledPredictor(CompiledModel(compile_model(model, schema)), schema, passed)


def one_row(model: object, predictor: CompiledPredictor, rows: list[dict], rounds: int) -> str:
    """A table's line for single rows: both paths, their ratio, and the largest difference on fifty rows."""
    gaps = []
    for row in rows[:50]:
        expected = model.predict_proba(check_rows([row], predictor.schema).frame)[0, 1]
        gaps.append(abs(predictor.predict(predictor.check(row).values)["probability"] - expected))
    fast, slow = [], []
    for row in rows[:rounds]:
        fast.append(fastest(lambda row=row: predictor.predict(predictor.check(row).values), 200))
        slow.append(fastest(lambda row=row: model.predict_proba(pd.DataFrame([row])), 5))
    return f"{min(fast):.1f} µs | {min(slow):,.0f} µs | {min(slow) / min(fast):.0f}x | {max(gaps):.1e}"


def many_rows(model: object, predictor: CompiledPredictor, table: pd.DataFrame) -> str:
    """A table's line for many rows at once: microseconds a row of both paths, and their ratio."""
    large = table.sample(MANY, replace=True, random_state=0).reset_index(drop=True)
    fast = min(fastest(lambda: predictor.predict_columns(large), 1) for _ in range(2)) / MANY
    slow = min(fastest(lambda: model.predict_proba(large), 1) for _ in range(2)) / MANY
    return f"{fast:.2f} µs | {slow:.2f} µs | {slow / fast:.1f}x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    random = np.random.default_rng(given.seed)
    print(
        "| columns | one row from a dict | compiled, checked | predict_proba(DataFrame) | ratio | difference | bar |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    many = []
    for _ in range(given.tables):
        table, target = make_table(random)
        rows = table.head(200).astype(object).where(table.head(200).notna(), None).to_dict("records")
        for name, estimator in estimators().items():
            model = make_model(table, estimator).fit(table, target)
            predictor = compiled(model, table)
            line = one_row(model, predictor, rows, given.rounds)
            print(f"| {table.shape[1]} | {name} | {line} | {BARS[name]}x |", flush=True)
            many.append(f"| {table.shape[1]} | {name} | {many_rows(model, predictor, table)} |")
    print(f"\n| columns | {MANY:,} rows at once | compiled, a row | pipeline, a row | ratio |")
    print("| ---: | --- | ---: | ---: | ---: |")
    print("\n".join(many))


if __name__ == "__main__":
    main()
