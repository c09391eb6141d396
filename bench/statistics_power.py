"""Power: how often a change is seen, by nbprod, by the best of the classical tests, and by evidently's default test.

Shapes and changes are made at random from families, with a seed; none is chosen by hand. The size of each change is
such that the best classical test sees it in about as many runs as asked for. Classical tests are held to 5 % on the
same shape without a change: where values repeat, some of them reject far more often, and would win by that.

Run: python bench/statistics_power.py [cases] [runs] [seed]
"""

from __future__ import annotations

import sys
import warnings
from time import perf_counter

import numpy as np
import pandas as pd
from scipy import stats
from statistics_false_alarms import evidently_flags

from nbprod.statistics import Profile, compare

SIZES = ((1000, 1000), (10_000, 1000), (5000, 5000))
AIMED = (0.5, 0.8, 0.95, 0.99)  #: power of the best classical test a change is made for
PILOT = 40  # runs from which sizes of changes, and levels of classical tests, are found


def shape(random):
    """A distribution at random: its name, and a function from a generator and a number of rows to values."""
    a, b = random.uniform(size=2)
    few = int(3 + 9 * a)
    shares = random.dirichlet(np.ones(few))
    families = {
        "normal": lambda r, n: r.normal(10 * b, 1 + a, n),
        f"lognormal {0.5 + 2.5 * a:.1f}": lambda r, n: r.lognormal(0, 0.5 + 2.5 * a, n),
        "Cauchy": lambda r, n: r.standard_cauchy(n),
        f"Student {1.5 + 3 * a:.1f}": lambda r, n: r.standard_t(1.5 + 3 * a, n),
        f"Pareto {0.8 + 2.2 * a:.1f}": lambda r, n: r.pareto(0.8 + 2.2 * a, n) + 1,
        f"gamma {0.2 + 5 * a:.1f}": lambda r, n: r.gamma(0.2 + 5 * a, 1, n),
        f"beta {0.5 + 4 * a:.1f} {0.5 + 4 * b:.1f}": lambda r, n: r.beta(0.5 + 4 * a, 0.5 + 4 * b, n),
        "uniform": lambda r, n: r.uniform(size=n),
        f"two normals {2 + 5 * a:.1f} apart": lambda r, n: (
            r.normal(size=n) + (2 + 5 * a) * (r.uniform(size=n) < 0.2 + 0.6 * b)
        ),
        f"zeros {0.3 + 0.65 * a:.2f}": lambda r, n: np.where(
            r.uniform(size=n) < 0.3 + 0.65 * a, 0, r.lognormal(0, 0.5 + b, n)
        ),
        f"Poisson {0.5 + 10 * a:.1f}": lambda r, n: r.poisson(0.5 + 10 * a, n) * 1.0,
        f"negative binomial {1 + 4 * a:.1f}": lambda r, n: r.negative_binomial(1 + 4 * a, 0.1 + 0.4 * b, n) * 1.0,
        "rounded": lambda r, n: np.round(r.normal(size=n) * (2 + 10 * a)),
        f"integers {few}": lambda r, n: r.choice(few, n, p=shares) * 1.0,
    }
    name = random.choice([*families])
    return str(name), families[name]


def change(random, middle, spread):
    """A change at random: its name, and a function from a generator, values and a size to changed values."""
    value = float(middle + spread * random.normal())
    kinds = {
        "shift": lambda _, x, d: x + spread * d,
        "scale": lambda _, x, d: middle + (x - middle) * (1 + d),
        "factor": lambda _, x, d: x * (1 + d),
        "tail": lambda r, x, d: np.where(r.uniform(size=len(x)) < d / 10, x * 1000, x),
        "stuck": lambda r, x, d: np.where(r.uniform(size=len(x)) < d, value, x),
        "zeros": lambda r, x, d: np.where(r.uniform(size=len(x)) < d, 0.0, x),
        "sign": lambda r, x, d: np.where(r.uniform(size=len(x)) < d, middle + abs(x - middle), x),
        "cut": lambda _, x, d: np.minimum(x, middle + spread * (2 - min(d, 1.9))),
        "outliers": lambda r, x, d: np.where(r.uniform(size=len(x)) < d / 10, 1e6 * spread, x),
        "mixed": lambda r, x, d: np.where(r.uniform(size=len(x)) < d, middle + 2 * spread + x, x),
    }
    name = random.choice([*kinds])
    return str(name), kinds[name]


def classical(a, b):
    """p-values of the usual tests."""
    beyond = int(((b < a.min()) | (b > a.max())).sum())
    values, place = np.unique(np.r_[a, b], return_inverse=True)
    found = {
        "Kolmogorov-Smirnov": stats.ks_2samp(a, b, method="asymp").pvalue,
        "Mann-Whitney": stats.mannwhitneyu(a, b).pvalue,
        "Anderson-Darling": stats.anderson_ksamp([a, b]).pvalue,
        "Levene": stats.levene(a, b, center="median").pvalue,
        "Ansari-Bradley": stats.ansari(a, b).pvalue,
        "outside, Fisher": stats.fisher_exact([[0, len(a)], [beyond, len(b) - beyond]]).pvalue,
    }
    if len(values) <= 40:
        table = np.stack([np.bincount(part, minlength=len(values)) for part in np.split(place, [len(a)])])
        found["chi-square"] = stats.chi2_contingency(table).pvalue
    return found


def levels(make, sizes, seed):
    """The p-value below which each classical test rejects at most 5 % of the time on a shape without a change."""
    seen = {}
    for run in range(2 * PILOT):
        random = np.random.default_rng([seed, run, 1])
        for name, p_value in classical(make(random, sizes[0]), make(random, sizes[1])).items():
            seen.setdefault(name, []).append(p_value)
    # what is within noise of 5 % keeps its level
    return {
        name: 0.05 if np.mean(np.array(p) < 0.05) <= 0.10 else float(np.quantile(p, 0.05)) for name, p in seen.items()
    }


def powers(make, alter, size, sizes, allowed, runs, seed, *, ours):
    """Share of runs in which each classical test, nbprod and evidently see a change."""
    hits = dict.fromkeys(allowed, 0)
    seen = flagged = 0
    for run in range(runs):
        random = np.random.default_rng([seed, run, 2])
        a, b = make(random, sizes[0]), alter(random, make(random, sizes[1]), size)
        for name, p_value in classical(a, b).items():
            hits[name] = hits.get(name, 0) + (p_value < allowed.get(name, 0.05))
        if ours:
            before, after = pd.DataFrame({"x": a}), pd.DataFrame({"x": b})
            seen += compare(Profile.of(before), after, seed=run).columns["x"].p_value < 0.05
            flagged += bool(evidently_flags(before, after)["x"])
    name = max(hits, key=lambda one: hits[one])
    return name, hits[name] / runs, seen / runs, flagged / runs


def sized(make, alter, sizes, allowed, aimed, seed):
    """The size of a change with which the best classical test has the power aimed at, by halving."""
    low, high = 0.001, 1.0
    for _ in range(7):
        size = float(np.sqrt(low * high))
        if powers(make, alter, size, sizes, allowed, PILOT, seed, ours=False)[1] < aimed:
            low = size
        else:
            high = size
    return high


def main(cases: int, runs: int, seed: int) -> None:
    warnings.simplefilter("ignore")
    print("| shape, change | rows | best classical test | its power | nbprod | evidently | ratio |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    found = []
    for case in range(cases):
        random = np.random.default_rng([seed, case])
        name, make = shape(random)
        sample = make(random, 5000)
        quarter, middle, other = np.quantile(sample, [0.25, 0.5, 0.75])
        what, alter = change(random, float(middle), float(other - quarter) or float(np.std(sample)))
        sizes, aimed = SIZES[case % len(SIZES)], AIMED[int(random.integers(len(AIMED)))]
        allowed = levels(make, sizes, seed + case)
        size = sized(make, alter, sizes, allowed, aimed, seed + case)
        best, theirs, ours, evidently = powers(
            make, alter, size, sizes, allowed, runs, seed + case + 10_000, ours=True
        )
        if theirs >= 0.2:
            found.append((theirs, ours, evidently))
        ratio = f"{ours / theirs:.2f}" if theirs else ""
        print(
            f"| {name}, {what} {size:.3g} | {sizes[0]:,}/{sizes[1]:,} | {best} | {theirs:.2f} | {ours:.2f} |"
            f" {evidently:.2f} | {ratio} |",
            flush=True,
        )
    table = np.array(found)
    print(
        f"\n{len(table)} cases in which the best classical test sees anything; the best of seven tests is chosen after"
    )
    print("the fact, which no single test could do:")
    for low, high in ((0.2, 0.6), (0.6, 0.9), (0.9, 0.98), (0.98, 1.01)):
        part = table[(table[:, 0] >= low) & (table[:, 0] < high)]
        if len(part):
            theirs, ours, evidently = part.mean(axis=0)
            print(
                f"best between {low:.2f} and {min(high, 1):.2f}: {len(part)} cases, best {theirs:.2f}, nbprod {ours:.2f}"
                f" (ratio {np.mean(part[:, 1] / part[:, 0]):.2f}, at least 0.95 in"
                f" {np.mean(part[:, 1] >= 0.95 * part[:, 0]):.0%}), evidently {evidently:.2f}"
            )
    behind = int((table[:, 1] < table[:, 2] - 2 * np.sqrt(0.25 / runs)).sum())
    print(f"evidently surely ahead of nbprod in {behind} of {len(table)} cases")


if __name__ == "__main__":
    start = perf_counter()
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [60, 60, 1][len(given) :]))
    print(f"\n{perf_counter() - start:.0f} s")
