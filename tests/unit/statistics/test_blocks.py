"""Moments fall into the block they belong to."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import time_blocks


def test_days_hours_and_weeks():
    times = pd.date_range("2026-01-04 22:00", periods=4, freq="h", tz="UTC")  # Sunday evening
    assert np.diff(time_blocks(times, "1d")).tolist() == [0, 1, 0]
    assert np.diff(time_blocks(times, "2h")).tolist() == [0, 1, 0]
    assert np.diff(time_blocks(times, "1w")).tolist() == [0, 1, 0]


def test_all_kinds_of_moments_agree():
    aware = [datetime(2026, 1, 5, 23, tzinfo=UTC)]
    expected = time_blocks(aware).tolist()
    zone = pd.Series(pd.to_datetime(aware)).dt.tz_convert("Asia/Tokyo")  # already the 6th there
    for times in (
        zone,
        np.array(["2026-01-05T23:00"], "datetime64[s]"),
        ["2026-01-05T23:00:00Z"],
        [date(2026, 1, 5)],
    ):
        assert time_blocks(times).tolist() == expected


def test_what_is_no_moment_is_refused():
    with pytest.raises(DataError, match="numbers are no moments"):
        time_blocks([1, 2])
    with pytest.raises(DataError, match="missing"):
        time_blocks([datetime(2026, 1, 1, tzinfo=UTC), None])
    with pytest.raises(DataError, match="cannot be read"):
        time_blocks(["1/2/2026"])
    with pytest.raises(SettingsError, match="is not a length of time"):
        time_blocks([datetime(2026, 1, 1, tzinfo=UTC)], "day")
