"""The same rows and seed give the same bytes in another process; importing loads nothing heavy; the real data behave."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from nbprod.datasets import read_frame
from nbprod.statistics import Profile, compare

DATA = Path(__file__).parents[2] / "nbprod" / "resources" / "data"
SCRIPT = """
import hashlib, json, sys
from nbprod.statistics import PerformanceEstimator, Profile, compare
from nbprod.datasets import read_frame
frame = read_frame(sys.argv[1])
frame["kind"] = (frame["period"] * 7).astype(int).astype(str)
reference, current = frame[:12000], frame[17000:18000]
profile = Profile.of(reference)
found = compare(profile, current, seed=4).to_dict()
frame["p"] = (frame["nswprice"] * 5).clip(0.01, 0.99)
estimator = PerformanceEstimator.fit(frame[:5000], target="class", probability="p")
estimates = {name: value.to_dict() for name, value in estimator.estimate(frame[5000:6000]).items()}
print(hashlib.sha256(profile.to_bytes() + json.dumps([found, estimates], sort_keys=True).encode()).hexdigest())
"""


def test_same_bytes_whatever_the_hash_seed():
    prints = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(DATA / "electricity.parquet")],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        prints.add(done.stdout.strip())
    assert len(prints) == 1
    assert len(prints.pop()) == len(hashlib.sha256().hexdigest())


def test_importing_the_packages_loads_no_numerical_library():
    code = (
        "import sys, json, nbprod.statistics, nbprod.datasets\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"numpy", "scipy", "pandas", "pyarrow", "sklearn", "evidently", "matplotlib"}


def test_profile_of_a_file_is_that_of_the_frame():
    path = DATA / "electricity.parquet"
    frame = read_frame(path)
    assert Profile.of(path) == Profile.of(frame)
    half = Profile.of(frame[:20_000], grid=Profile.of(frame))
    assert half.merge(Profile.of(frame[20_000:], grid=half)) == Profile.of(frame)


def test_victorian_columns_change_in_may_1997_and_not_before():
    frame = read_frame(DATA / "electricity.parquet")[["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]]
    frame["at"] = pd.Timestamp("1996-05-07") + pd.to_timedelta(np.arange(len(frame)) * 30, "min")
    reference = Profile.of(frame[:12_000], time="at")
    changed = {}
    for month in range(2, 13):
        window = frame[(frame["at"].dt.year == 1997) & (frame["at"].dt.month == month)]
        changed[month] = set(compare(reference, window).changed)
    alive = {"vicprice", "vicdemand", "transfer"}
    for month in range(2, 5):
        assert not changed[month] & alive
    for month in range(5, 13):
        assert alive <= changed[month]
    # price and demand move with the season within what nine months of reference have seen
    assert all(found <= alive for found in changed.values())
