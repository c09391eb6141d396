"""Detection delay: electricity's three columns that come alive in May 1997, and drifts injected at a known day.

nbprod beside evidently's default tests and NannyML 0.13.1 (in an environment of its own), on the same windows.

Run: python bench/statistics_delay.py
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import statistics_nannyml as nannyml
from statistics_daily import DAYS, ROWS, world
from statistics_false_alarms import evidently_flags

from nbprod.datasets import read_frame
from nbprod.statistics import AlarmBudget, Profile, compare, compare_together

DATA = Path(__file__).parents[1] / "nbprod" / "resources" / "data"
FEATURES = ["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]
ALIVE = {"vicprice", "vicdemand", "transfer"}

UNIVARIATE = """
import json, sys
import pandas as pd, nannyml as nml
reference, analysis = (pd.read_parquet(path) for path in sys.argv[1:3])
columns = [c for c in reference.columns if c not in ("at", "window")]
size = {"chunk_period": sys.argv[3]}
try:
    calculator = nml.UnivariateDriftCalculator(column_names=columns, timestamp_column_name="at", **size)
    result = calculator.fit(reference).calculate(analysis).filter(period="analysis").to_df()
    alerts = {}
    for c in columns:
        parts = [result[(c, m, "alert")] for m in {k[1] for k in result.columns if k[0] == c}]
        alerts[c] = [int(i) for i in range(len(result)) if any(bool(p.iloc[i]) for p in parts)]
except Exception as error:
    alerts = {"error": str(error)[:100]}
print(json.dumps(alerts))
"""


def ask_nannyml(reference, analysis, period):
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{part}.parquet") for part in ("reference", "analysis")]
        for frame, path in zip((reference, analysis), paths, strict=True):
            frame.to_parquet(path, index=False)
        return nannyml.ask(UNIVARIATE, *paths, period)


def electricity():
    frame = read_frame(DATA / "electricity.parquet")[FEATURES].copy()
    frame["at"] = pd.Timestamp("1996-05-07") + pd.to_timedelta(np.arange(len(frame)) * 30, "min")
    reference = frame[:12_000]
    analysis = frame[(frame["at"] >= "1997-02-01") & (frame["at"] < "1998-01-01")]
    profile = Profile.of(reference, time="at")
    months = list(analysis.groupby(analysis["at"].dt.to_period("M").astype(str)))
    theirs = ask_nannyml(reference, analysis, "M")
    print("| month of 1997 | nbprod: changed | nbprod by rows (no time structure) | evidently | NannyML |")
    print("| --- | --- | --- | --- | --- |")
    for place, (month, window) in enumerate(months):
        ours = compare(profile, window, columns=FEATURES).changed
        by_rows = compare(reference[FEATURES], window[FEATURES]).changed
        flags = evidently_flags(reference[FEATURES], window[FEATURES])
        other = [name for name, where in theirs.items() if name != "error" and place in where]
        cells = (ours, by_rows, [name for name, flag in flags.items() if flag], other)
        print(f"| {month[5:]} | " + " | ".join(", ".join(sorted(cell)) or "–" for cell in cells) + " |")  # noqa: RUF001
    if "error" in theirs:
        print(f"\nNannyML: {theirs['error']}")


def injected(seeds=3):
    """Daily looks at 48 rows, alone and with the last 7 and 28 days; 180 days of history; one column moves on day 120."""
    changes = {
        "x0 + 1.5 std": lambda part: part.assign(x0=part["x0"] + 1.5 * std["x0"]),
        "x2 + 3 std": lambda part: part.assign(x2=part["x2"] + 3 * std["x2"]),
        "x1 x 4 (skewed)": lambda part: part.assign(x1=part["x1"] * 4),
        "c0: all 'a'": lambda part: part.assign(c0="a"),
        "x3 missing in 30 %": lambda part: part.assign(
            x3=part["x3"].mask(np.random.default_rng(0).uniform(size=len(part)) < 0.3)
        ),
    }
    history, start = 180, 120
    alpha = AlarmBudget(per_year=2, looks_per_year=DAYS).alpha
    print(
        "\n| injected on day 120 | nbprod: days until named | false alarms before | NannyML: days | false before | evidently: days | false before |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for words, change in changes.items():
        column = words[:2]
        rows = []
        for seed in range(seeds):
            frame = world(seed, history)
            std = frame[: history * ROWS].std(numeric_only=True)
            cut = (history + start) * ROWS
            frame = pd.concat([frame[:cut], change(frame[cut:])])
            reference, analysis = frame[: history * ROWS], frame[history * ROWS : (history + start + 60) * ROWS]
            profile = Profile.of(reference, time="at")
            windows = [analysis[day * ROWS : (day + 1) * ROWS] for day in range(start + 60)]
            days = [Profile.of(window, grid=profile) for window in windows]
            ours = [compare_together(profile, days[: day + 1][-28:], alpha).changed for day in range(len(days))]
            theirs = ask_nannyml(reference, analysis, "D")
            other = [
                [name for name, where in theirs.items() if name != "error" and day in where]
                for day in range(len(windows))
            ]
            plain = reference.drop(columns="at")
            flagged = [
                [name for name, flag in evidently_flags(plain, window.drop(columns="at")).items() if flag]
                if day >= start or day % 10 == 0
                else None
                for day, window in enumerate(windows[: start + 10])
            ]
            rows.append([*delay(ours, column, start), *delay(other, column, start), *delay(flagged, column, start)])
        print(
            f"| {words} | " + " | ".join("/".join(str(row[place]) for row in rows) for place in range(6)) + " |",
            flush=True,
        )
    print(
        "\nThree worlds, one number each. Days with any alarm before day 120 (evidently: of every tenth day looked at)."
    )


def delay(days, column, start):
    later = [day for day in range(start, len(days)) if days[day] is not None and column in days[day]]
    return (later[0] - start if later else "never", sum(bool(found) for found in days[:start]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    electricity()
    injected()
