"""Power: how often a real change is seen, nbprod's p-value beside evidently's default test.

Run: python bench/statistics_power.py [runs]
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
from statistics_false_alarms import evidently_flags, table

from nbprod.statistics import Profile, compare

SIZES = ((1000, 1000), (10_000, 1000), (10_000, 10_000))


def rate(share):
    return lambda random, n: np.where(random.uniform(size=n) < share, "rare", "usual")


def kinds(new):
    def make(random, n):
        values = random.choice(list("abcdefgh"), n)
        return np.where(random.uniform(size=n) < new, "new", values)

    return make


CHANGES = {
    "normal +0.05 std": (lambda random, n: random.normal(size=n), lambda random, n: random.normal(0.05, 1, n)),
    "normal +0.2 std": (lambda random, n: random.normal(size=n), lambda random, n: random.normal(0.2, 1, n)),
    "normal std x1.1": (lambda random, n: random.normal(size=n), lambda random, n: random.normal(0, 1.1, n)),
    "lognormal x1.1": (lambda random, n: random.lognormal(size=n), lambda random, n: 1.1 * random.lognormal(size=n)),
    "rate 1 % to 2 %": (rate(0.01), rate(0.02)),
    "rate 1 % to 5 %": (rate(0.01), rate(0.05)),
    "new category 2 %": (kinds(0), kinds(0.02)),
}


def main(runs: int) -> None:
    warnings.simplefilter("ignore")
    ours = {name: [] for name in CHANGES}
    theirs = {name: [] for name in CHANGES}
    for before, after in SIZES:
        found, flagged = dict.fromkeys(CHANGES, 0), dict.fromkeys(CHANGES, 0)
        for run in range(runs):
            random = np.random.default_rng([run, before, after])
            reference = pd.DataFrame({name: make(random, before) for name, (make, _) in CHANGES.items()})
            current = pd.DataFrame({name: make(random, after) for name, (_, make) in CHANGES.items()})
            for name, column in compare(Profile.of(reference), current, seed=run).columns.items():
                found[name] += column.p_value < 0.05
            for name, flag in evidently_flags(reference, current).items():
                flagged[name] += bool(flag)
        for name in CHANGES:
            ours[name].append(100 * found[name] / runs)
            theirs[name].append(100 * flagged[name] / runs)
    heads = [f"{before:,}/{after:,}" for before, after in SIZES]
    print(f"nbprod, % of {runs} runs with p < 0.05\n{table(ours, heads)}")
    print(f"\nevidently's default test, % flagged\n{table(theirs, heads)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
