"""Validation finds what is wrong with a table, and what gives the answer away, by looking at values and not at names."""

from __future__ import annotations

import importlib.resources

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.errors import DataError, SettingsError
from nbprod.validation import check_sums, power_alone, schema_table, validate

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def table(rows=2000):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=rows, freq="h", tz="UTC"),
            "a": random.normal(size=rows),
            "b": random.normal(size=rows),
            "place": random.choice(["north", "south"], rows),
            "y": random.choice([0, 1], rows),
        }
    )


def outcomes(frame, **settings):
    found = validate(frame, **{"target": "y", "task": "classification", "time": "at", **settings})
    return {check.name: check.outcome for check in found.checks}, found


def test_clean_table_passes_every_check():
    seen, found = outcomes(table())

    assert set(seen.values()) == {PASSED}
    assert found.outcome is PASSED
    assert found.sentence == "8 checks found nothing wrong in 2,000 rows."


@pytest.mark.parametrize(
    ("change", "check", "outcome", "says"),
    [
        (lambda f: f.assign(a=f["a"].where(f.index > 1500)), "missing", FAILED, "a lacks more than 50%"),
        (lambda f: pd.concat([f, f.head(100)]), "duplicates", FAILED, "100 rows repeat an earlier row"),
        (lambda f: f.assign(b=1), "constants", INCONCLUSIVE, "b never changes"),
        (lambda f: f.assign(b=np.nan), "constants", FAILED, "b holds no value at all"),
        (lambda f: f.assign(y=[1] + [0] * 1999), "balance", FAILED, "seen once"),
        (lambda f: f.assign(y=[1] * 9 + [0] * 1991), "balance", INCONCLUSIVE, "0.45%"),
        (lambda f: f.assign(c=f["y"] * 3.0 + f["b"] / 100), "leak alone", FAILED, "By itself, c ("),
        (lambda f: f.assign(a=0, b=f.index // 4, place="x"), "contradictions", INCONCLUSIVE, "no model can be right"),
        (lambda f: f.iloc[::-1], "order", INCONCLUSIVE, "1,999 rows go back in time"),
        (lambda f: f.drop(index=range(500, 600)), "order", PASSED, "gaps are over ten times the usual step"),
    ],
)
def test_each_fault_is_found_and_said(change, check, outcome, says):
    seen, found = outcomes(change(table()))

    assert seen[check] is outcome
    assert says in " ".join(each.sentence for each in found.checks)


def test_rows_of_the_test_that_were_learned_from_are_counted():
    frame = table()

    seen, found = outcomes(frame.iloc[:1500], test=frame.iloc[1400:])

    assert seen["overlap"] is FAILED
    assert "100 of 600 test rows" in found.sentence


def test_casual_and_registered_add_up_in_the_real_data_whatever_they_are_called():
    source = importlib.resources.files("nbprod") / "resources" / "data" / "bike_sharing.parquet"
    with importlib.resources.as_file(source) as path:
        frame = pd.read_parquet(path).rename(columns={"casual": "p", "registered": "q", "cnt": "r"})

    check = check_sums(frame, "r")

    assert check.outcome is FAILED
    assert check.sentence.startswith("p + q = r.")


def test_electricity_passes_every_check():
    source = importlib.resources.files("nbprod") / "resources" / "data" / "electricity.parquet"
    with importlib.resources.as_file(source) as path:
        found = validate(pd.read_parquet(path), target="class", task="classification", time="at")

    assert found.outcome is PASSED


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda f: f["a"] + f["b"], "a + b = total"),
        (lambda f: 2 * f["a"] - f["b"] + 5, "2 * a + -1 * b + 5 = total"),
        (lambda f: 1e6 * f["a"], "1e+06 * a = total"),
        (lambda f: (f["a"] + f["b"]).mask(f.index % 100 == 0, 7.0), "a + b = total"),
    ],
)
def test_sums_differences_and_multiples_are_found_even_with_a_few_errors(make, sentence):
    frame = table().assign(c=lambda f: f["a"] * f["b"], total=make)

    assert check_sums(frame, "total").sentence.startswith(sentence)


def test_a_sum_with_noise_is_a_relation_and_no_leak():
    frame = table().assign(total=lambda f: f["a"] + f["b"] + np.random.default_rng(1).normal(0, 0.01, len(f)))

    assert check_sums(frame, "total").outcome is PASSED


def test_power_alone_is_near_zero_for_noise_and_near_one_for_the_answer():
    frame = table().assign(copy=lambda f: f["y"].map({0: "x", 1: "z"}), key=[f"k{i}" for i in range(2000)])

    powers = power_alone(frame, "y", "classification")

    assert powers["copy"] == 1
    assert powers.drop("copy").max() < 0.15


def test_dropped_columns_cannot_leak():
    frame = table().assign(leak=lambda f: f["y"])

    assert outcomes(frame)[0]["leak alone"] is FAILED
    assert outcomes(frame, drop=["leak"])[0]["leak alone"] is PASSED


def test_private_values_are_not_shown():
    shown = schema_table(table(), private=["place"])

    assert shown.loc["place", "example"] == ""
    assert shown.loc["a", "example"] != ""


def test_every_storage_type_can_be_validated():
    frame = table(300)
    odd = pd.DataFrame(
        {
            "nullable": pd.array([1, None, 3] * 100, dtype="Int64"),
            "arrow": pd.array([1.5, None, 2.5] * 100, dtype="double[pyarrow]"),
            "category": pd.Categorical(["a", "b", None] * 100),
            "lists": [[1], [2, 3], []] * 100,
            "mixed": [1, "x", None] * 100,
            "y": frame["y"],
        }
    )

    found = validate(odd, target="y", task="classification")

    assert list(found.schema.index) == list(odd.columns)


@pytest.mark.parametrize(
    ("frame", "settings", "error", "says"),
    [
        (table().iloc[:0], {}, DataError, "no rows"),
        (table(), {"target": "yy"}, SettingsError, "Did you mean y"),
        (table(), {"time": "a"}, DataError, "numbers, not moments"),
        (table(), {"test": pd.DataFrame({"q": [1]})}, DataError, "no column in common"),
    ],
)
def test_bad_input_is_refused(frame, settings, error, says):
    with pytest.raises(error) as caught:
        outcomes(frame, **settings)

    assert says in str(caught.value)
