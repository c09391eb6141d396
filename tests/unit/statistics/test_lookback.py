"""Windows taken together with those before them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import SettingsError
from nbprod.statistics import (
    AlarmBudget,
    ColumnVerdict,
    Profile,
    calibrate_false_alarms,
    compare,
    compare_together,
)

ROWS = 40


def days(count, *, seed=0, first=0):
    random = np.random.default_rng([seed, first])
    at = pd.date_range(f"2026-01-01T{0:02d}", periods=count * ROWS, freq="36min") + pd.Timedelta(days=first)
    level = np.repeat(random.normal(size=count), ROWS) * 0.3
    return pd.DataFrame({"at": at, "x": level + random.normal(size=len(at)), "y": random.normal(size=len(at))})


@pytest.fixture(scope="module")
def reference():
    return Profile.of(days(120), time="at")


def profiles(reference, frames):
    return [Profile.of(frame, grid=reference) for frame in frames]


def test_what_one_day_cannot_prove_a_few_days_can(reference):
    """Values that begin to be missing: 1 in 121 by chance on one day, and no chance on four of four."""
    windows = profiles(
        reference, [days(1, first=120 + n).assign(y=lambda f: f["y"].where(f.index % 3 > 0)) for n in range(4)]
    )

    alone = compare(reference, windows[-1], alpha=0.005)
    together = compare_together(reference, windows, alpha=0.005, lengths=(1, 4))

    assert alone.columns["y"].verdict is not ColumnVerdict.CHANGED
    assert together.changed == ("y",)
    assert together.columns["y"].windows == 4
    assert "Seen in the last 4 windows together." in together.columns["y"].sentence
    assert together.columns["x"].windows == 1


def test_one_window_is_compared_as_it_always_was(reference):
    [window] = profiles(reference, [days(1, first=130)])

    assert compare_together(reference, [window], alpha=0.01) == compare(reference, window, alpha=0.01)


def test_lengths_share_the_level(reference):
    windows = profiles(reference, [days(1, first=120 + n) for n in range(8)])

    assert compare_together(reference, windows, alpha=0.03, lengths=(1, 2, 7)).alpha == pytest.approx(0.01)
    assert compare_together(reference, windows[:2], alpha=0.03, lengths=(1, 2, 7)).alpha == pytest.approx(0.015)


def test_nothing_is_found_where_nothing_happened(reference):
    windows = profiles(reference, [days(1, first=150 + n) for n in range(20)])
    found = [compare_together(reference, windows[: n + 1], alpha=2 / 365).changed for n in range(20)]

    assert sum(map(bool, found)) <= 1


def test_looking_back_ends_where_columns_were_of_another_kind(reference):
    odd = Profile.of(days(1, first=125).assign(y="words"), time="at", grid=None)
    windows = [odd, *profiles(reference, [days(1, first=126)])]

    assert compare_together(reference, windows, alpha=0.01, lengths=(1, 2)).alpha == 0.01


@pytest.mark.parametrize("lengths", [(), (2, 3), (1, 1), (1, 7, 3)])
def test_lengths_that_make_no_sense_are_refused(reference, lengths):
    with pytest.raises(SettingsError, match="1 first"):
        compare_together(reference, profiles(reference, [days(1)]), lengths=lengths)


def test_the_self_test_looks_at_windows_together_too_where_the_reference_is_long_enough():
    budget = AlarmBudget(per_year=2)
    for count, windows in ((14, 14 - 3 + 1), (80, 13)):  # of 14 days, three are the most that are taken out as one
        found = calibrate_false_alarms(days(count), time="at", together=4, budget=budget, runs=13)
        assert found.windows == windows
        assert found.changed <= 2
        assert "windows to confirm the budget" in found.sentence
