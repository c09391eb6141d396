"""Prints how the electricity model of 1996 decays, and what retraining gains on the rows that follow."""

from __future__ import annotations

from itertools import pairwise

from nbprod.datasets import read_frame
from nbprod.evaluation import choose_rows, compare
from nbprod.statistics.predictions import Predictions
from nbprod.training import make_estimator, make_pipeline, prepare, split_rows

FRAME = read_frame("electricity")
FEATURES = [name for name in FRAME.columns if name not in {"at", "class"}]


def learned(start, end, *, test_size=None, model="hgb"):
    rows = prepare(FRAME, target="class", time="at", start=start, end=end)
    if test_size is not None:  # without refit: the newest rows are only tested on
        rows = split_rows(rows, "time", test_size=test_size).train
    pipeline = make_pipeline(make_estimator(model, rows.task, seed=0), rows.features, kinds=rows.kinds)
    return pipeline.fit(rows.features, rows.target)


def gain(candidate, champion, start, end):
    rows = choose_rows(FRAME, target="class", task="classification", time="at", start=start, end=end, block="1d")
    told = (Predictions.of(model, rows.frame[FEATURES]) for model in (candidate, champion))
    result = compare(rows, *told, metric="accuracy")
    return result.measured("champion"), result.measured("candidate"), result.measured("gain")


def main():
    for words, champion_test in (("refit=True", None), ("refit=False, test_size=0.2", 0.2)):
        champion = learned(None, "1997-01-01", test_size=champion_test)
        ends = [f"1997-{month:02d}-01" for month in range(1, 13)] + ["1997-12-31"]
        months = [gain(champion, champion, a, b)[0].value for a, b in pairwise(ends)]
        print(f"champion: hgb, 1996, {words}; accuracy by month of 1997:", *(f"{value:.2f}" for value in months))
        for cut, end in (("1997-05-15", "1997-06-01"), ("1997-06-15", "1997-07-01")):
            for known in (cut, f"{cut[:8]}08"):
                for start in (None, "1997-03-01"):
                    candidate = learned(start, known)
                    before, after, more = gain(candidate, champion, cut, end)
                    later = gain(candidate, champion, "1997-07-01", "1998-01-01")[2]
                    print(
                        f"  retrained on {start or 'all'} to {known} (refit=True), judged {cut} to {end}:"
                        f" {before.value:.3f} -> {after.value:.3f}, gain {more.value:+.3f}"
                        f" [{more.low:+.3f}, {more.high:+.3f}]; Jul-Dec {later.value:+.3f}"
                    )


if __name__ == "__main__":
    main()
