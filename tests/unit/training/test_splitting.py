"""Splits are honest: nothing of a group, and nothing of the future, is learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from nbprod.errors import DataError, SettingsError
from nbprod.training import folds_of, prepare, split_rows


def rows(count=100, *, group=None, time=None, target=None):
    frame = pd.DataFrame({"x": np.arange(count), "y": [0, 1] * (count // 2) if target is None else target})
    if group is not None:
        frame["g"] = group
    if time is not None:
        frame["at"] = time
    return prepare(
        frame, target="y", group="g" if group is not None else None, time="at" if time is not None else None
    )


def test_random_split_keeps_classes_in_proportion():
    split = split_rows(rows(target=[0] * 80 + [1] * 20), "random", test_size=0.25, seed=1)

    assert split.test.target.value_counts().to_dict() == {0: 20, 1: 5}
    assert "drawn at random" in split.sentence


@given(groups=st.lists(st.sampled_from("abcdef"), min_size=20, max_size=20), seed=st.integers(0, 5))
def test_no_group_is_on_both_sides(groups, seed):
    assume(len(set(groups)) >= 2)
    try:
        split = split_rows(rows(20, group=groups), "group", test_size=0.3, seed=seed)
    except DataError:
        reject()  # the groups left hold a single class

    assert not set(split.train.groups) & set(split.test.groups)
    assert len(split.train) + len(split.test) == 20


def test_time_split_learns_from_the_past_and_keeps_moments_whole():
    time = pd.to_datetime(np.repeat(pd.date_range("2026-01-01", periods=10), 10))

    split = split_rows(rows(100, time=time), "time", test_size=0.25)

    assert split.train.times.max() < split.test.times.min()
    assert len(split.test) == 30


def test_time_split_without_a_column_takes_the_last_rows():
    split = split_rows(rows(100), "time", test_size=0.1)

    assert split.test.features["x"].tolist() == list(range(90, 100))


def test_folds_of_time_never_learn_from_the_future():
    for train, test in folds_of(rows(100), "time", 4, 0):
        assert train.max() < test.min()


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("group", {}, "needs a group column"),
        ("random", {"group": ["a", "b"] * 50}, 'Set split="group"'),
        ("times", {}, "Did you mean time"),
    ],
)
def test_contradictory_settings_are_refused(kind, options, says):
    with pytest.raises(SettingsError) as caught:
        split_rows(rows(100, **options), kind)

    assert says in str(caught.value)


def test_training_rows_of_one_class_are_refused():
    with pytest.raises(DataError, match="all rows to learn from have y = 0"):
        split_rows(rows(target=[0] * 80 + [1] * 20), "time", test_size=0.2)


def test_blocks_of_a_time_split_are_days():
    split = split_rows(rows(100, time=pd.date_range("2026-01-01", periods=100, freq="6h")), "time", test_size=0.5)

    assert len(np.unique(split.blocks)) == 13
