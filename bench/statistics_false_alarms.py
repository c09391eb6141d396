"""False alarms on data without drift: nbprod's compare beside evidently's defaults, in all settings of size and shape.

Run: python bench/statistics_false_alarms.py [runs] [evidently runs]
"""

from __future__ import annotations

import sys
import warnings
from time import perf_counter

import numpy as np
import pandas as pd

from nbprod.statistics import Profile, compare

SIZES = (
    (100, 100),
    (500, 500),
    (1000, 1000),
    (1001, 1001),
    (10_000, 10_000),
    (1000, 100),
    (10_000, 100),
    (10_000, 500),
    (10_000, 1000),
    (100_000, 1000),
)


def zipf(random, n):
    share = 1 / np.arange(1, 201)
    return random.choice(200, n, p=share / share.sum()).astype(str)


COLUMNS = {
    "normal": lambda random, n: random.normal(size=n),
    "lognormal": lambda random, n: random.lognormal(size=n),
    "Student t, 2 d.o.f.": lambda random, n: random.standard_t(2, size=n),
    "95 % zeros": lambda random, n: np.where(random.uniform(size=n) < 0.95, 0, random.lognormal(size=n)),
    "Poisson(3)": lambda random, n: random.poisson(3, size=n),
    "3 values, as number": lambda random, n: random.integers(0, 3, size=n),
    "binary": lambda random, n: (random.uniform(size=n) < 0.3).astype(str),
    "3 categories": lambda random, n: random.integers(0, 3, size=n).astype(str),
    "8 categories": lambda random, n: random.integers(0, 8, size=n).astype(str),
    "20 categories": lambda random, n: random.integers(0, 20, size=n).astype(str),
    "50 categories": lambda random, n: random.integers(0, 50, size=n).astype(str),
    "200 categories, Zipf": zipf,
}
# beside the mixed list: 20 normal columns and 5 of 8 categories
UNIFORM = {f"n{i}": COLUMNS["normal"] for i in range(20)} | {f"c{i}": COLUMNS["8 categories"] for i in range(5)}


def draw(makers, random, n):
    return pd.DataFrame({name: make(random, n) for name, make in makers.items()})


def evidently_flags(reference, current):
    from evidently.legacy.calculations.stattests.registry import _get_default_stattest
    from evidently.legacy.core import ColumnType

    flags = {}
    for name in reference:
        few_integers = pd.api.types.is_integer_dtype(reference[name]) and reference[name].nunique() <= 10
        numeric = pd.api.types.is_numeric_dtype(reference[name]) and not few_integers
        kind = ColumnType.Numerical if numeric else ColumnType.Categorical
        test = _get_default_stattest(reference[name], current[name], kind)
        flags[name] = test(reference[name], current[name], kind, None).drifted
    return flags


def main(runs: int, evidently_runs: int) -> None:
    warnings.simplefilter("ignore")
    rows = {name: [] for name in [*COLUMNS, "any column, mixed", "any column, uniform"]}
    theirs = {name: [] for name in rows}
    for before, after in SIZES:
        count = runs if before <= 10_000 else max(runs // 4, 50)
        low = dict.fromkeys(COLUMNS, 0)
        any_mixed = any_uniform = 0
        for run in range(count):
            random = np.random.default_rng([run, before, after])
            found = compare(Profile.of(draw(COLUMNS, random, before)), draw(COLUMNS, random, after), seed=run)
            for name, column in found.columns.items():
                low[name] += column.p_value < 0.05
            any_mixed += bool(found.significant)
            found = compare(Profile.of(draw(UNIFORM, random, before)), draw(UNIFORM, random, after), seed=run)
            any_uniform += bool(found.significant)
        for name in COLUMNS:
            rows[name].append(100 * low[name] / count)
        rows["any column, mixed"].append(100 * any_mixed / count)
        rows["any column, uniform"].append(100 * any_uniform / count)
        if evidently_runs:
            flags = dict.fromkeys(theirs, 0)
            for run in range(evidently_runs):
                random = np.random.default_rng([run, before, after])
                mixed = evidently_flags(draw(COLUMNS, random, before), draw(COLUMNS, random, after))
                uniform = evidently_flags(draw(UNIFORM, random, before), draw(UNIFORM, random, after))
                for name, flag in mixed.items():
                    flags[name] += bool(flag)
                flags["any column, mixed"] += any(mixed.values())
                flags["any column, uniform"] += any(uniform.values())
            for name, value in flags.items():
                theirs[name].append(100 * value / evidently_runs)
        print(f"done {before}/{after}", file=sys.stderr, flush=True)
    heads = [f"{before:,}/{after:,}" for before, after in SIZES]
    print(
        f"\nnbprod, % of {runs} runs (a quarter at 100,000) with p < 0.05 per column; any column significant at 5 %"
    )
    print(table(rows, heads))
    if evidently_runs:
        print(f"\nevidently's default test per column, % of {evidently_runs} runs that flag drift")
        print(table(theirs, heads))


def table(rows, heads):
    lines = ["| column | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    lines += [f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |" for name, values in rows.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    start = perf_counter()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 40)
    print(f"\n{perf_counter() - start:.0f} s")
