import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from nbprod.datasets.schema import infer_schema
from nbprod.domain.schema import ColumnKind
from nbprod.errors import DataError, SchemaError
from nbprod.packages.rows import check_rows

SEEN = pd.DataFrame(
    {
        "load": [0.5, np.nan, 2.5],
        "hour": [0, 12, 23],
        "place": ["north", "south", "north"],
        "kind": pd.Categorical(["a", "b", "a"]),
        "holiday": [True, False, False],
        "at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"], utc=True),
        "small": np.array([1, 2, 3], dtype="int16"),
        "single": np.array([0.1, 0.2, 0.3], dtype="float32"),
    }
)
SCHEMA = infer_schema(SEEN, target="class", task="classification", classes=np.array(["DOWN", "UP"]))
ROW = {"load": 1.0, "hour": 3, "place": "south", "kind": "b", "holiday": False, "at": "2026-01-02T00:00:00Z", "small": 2, "single": 0.2}  # fmt: skip


def test_each_column_gets_its_kind_range_and_categories():
    kinds = {column.name: column.kind for column in SCHEMA.columns}
    assert kinds == {
        "load": ColumnKind.NUMBER, "hour": ColumnKind.INTEGER, "place": ColumnKind.CATEGORY, "kind": ColumnKind.CATEGORY,
        "holiday": ColumnKind.BOOLEAN, "at": ColumnKind.DATETIME, "small": ColumnKind.INTEGER, "single": ColumnKind.NUMBER,
    }  # fmt: skip
    assert SCHEMA.column("load").nullable
    assert not SCHEMA.column("hour").nullable
    assert (SCHEMA.column("hour").low, SCHEMA.column("hour").high) == (0, 23)
    assert SCHEMA.column("place").categories == ("north", "south")
    assert SCHEMA.classes == ("DOWN", "UP")


def test_private_columns_show_neither_range_nor_categories():
    schema = infer_schema(SEEN, target="class", task="regression", private=["hour", "place"])
    assert schema.column("hour").low is None
    assert schema.column("place").categories == ()


def test_text_with_many_values_is_free_text():
    schema = infer_schema(pd.DataFrame({"note": [f"n{i}" for i in range(201)]}), target="y", task="regression")
    assert schema.column("note").kind is ColumnKind.TEXT


def test_mixed_values_cannot_be_described():
    with pytest.raises(DataError, match="Column odd holds mixed"):
        infer_schema(pd.DataFrame({"odd": [1, "a", {}]}), target="y", task="regression")


def test_columns_without_names_are_refused():
    with pytest.raises(DataError, match="names of text"):
        infer_schema(pd.DataFrame(np.zeros((2, 2))), target="y", task="regression")


def test_the_rows_it_was_inferred_from_come_back_equal_in_the_models_order():
    checked = check_rows(SEEN[SEEN.columns[::-1]], SCHEMA)
    pd.testing.assert_frame_equal(checked.frame, SEEN)
    assert checked.warnings == ()


def test_rows_as_mappings_get_the_dtypes_of_the_training():
    checked = check_rows([ROW, ROW], SCHEMA)
    assert checked.frame.dtypes.astype(str).to_dict() == SEEN.dtypes.astype(str).to_dict()
    assert checked.warnings == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"hour": "3"}, "hour holds text, for instance '3'; whole numbers are expected."),
        ({"hour": 3.5}, "hour holds 3.5; whole numbers are expected."),
        ({"hour": None}, "hour has 1 missing values; there were none when the model was saved."),
        ({"hour": True}, "hour holds true or false; whole numbers are expected."),
        ({"load": "1.0"}, "load holds text, for instance '1.0'; numbers are expected."),
        ({"load": float("inf")}, "load holds infinite values."),
        ({"place": 4}, "place holds whole numbers; text is expected."),
        ({"kind": 4.5}, "kind holds numbers; text is expected."),
        ({"holiday": 1}, "holiday holds whole numbers; true or false is expected."),
        ({"at": "yesterday"}, "at holds text that is no ISO 8601 moment."),
        ({"at": 5}, "at holds whole numbers; moments are expected."),
        ({"load": {"deep": 1}}, "load holds values of several types; numbers are expected."),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_sentence(changes, sentence):
    with pytest.raises(SchemaError) as caught:
        check_rows([{**ROW, **changes}], SCHEMA)
    assert caught.value.message == sentence
    assert caught.value.columns == tuple(changes)


def test_all_faults_are_told_at_once_and_a_missing_column_with_its_nearest_name():
    row = {**ROW, "hours": 3, "load": "x"}
    del row["hour"]
    with pytest.raises(SchemaError) as caught:
        check_rows([row], SCHEMA)
    assert caught.value.message == (
        "load holds text, for instance 'x'; numbers are expected.\nhour is missing. Did you mean hours?"
    )
    assert caught.value.columns == ("load", "hour")


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ([1, 2], [1.0, 2.0]),
        ([1, None], [1.0, np.nan]),
        (pd.array([1, None], dtype="Int64"), [1.0, np.nan]),
        (pd.array([1.5, None], dtype="Float64"), [1.5, np.nan]),
        ([Decimal("1.5"), None], [1.5, np.nan]),
        ([None, None], [np.nan, np.nan]),
    ],
)
def test_whole_numbers_and_their_kin_widen(values, result):
    frame = pd.DataFrame([ROW, ROW])
    frame["load"] = values
    column = check_rows(frame, SCHEMA).frame["load"]
    assert column.dtype == "float64"
    np.testing.assert_array_equal(column, result)


def test_large_whole_numbers_keep_every_digit():
    frame = pd.DataFrame([ROW]).assign(hour=[2**53 + 1])
    assert check_rows(frame, SCHEMA).frame["hour"].tolist() == [2**53 + 1]


def test_whole_numbers_in_floating_point_stay_whole():
    frame = pd.DataFrame([ROW]).assign(hour=[3.0])
    assert check_rows(frame, SCHEMA).frame["hour"].dtype == "int64"


def test_one_bit_too_many_for_the_training_dtype_is_kept_and_told():
    checked = check_rows([{**ROW, "small": 40_000}], SCHEMA)
    assert checked.frame["small"].tolist() == [40_000]
    assert checked.warnings == ("small is outside 1 to 3 in 1 of 1 rows, for instance 40000.",)


def test_what_was_never_seen_is_a_warning_and_the_category_survives():
    rows = [{**ROW, "place": "moon", "kind": "z", "extra": 1, "class": "UP"}, ROW]
    checked = check_rows(rows, SCHEMA)
    assert checked.frame["kind"].tolist() == ["z", "b"]
    assert checked.warnings == (
        "place has values never seen in 1 of 2 rows: 'moon'.",
        "kind has values never seen in 1 of 2 rows: 'z'.",
        "The model does not take extra; left out.",
    )


def test_moments_of_any_zone_become_those_of_the_training():
    aware = dt.datetime(2026, 1, 1, 11, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    checked = check_rows([{**ROW, "at": aware}], SCHEMA)
    assert checked.frame["at"].iloc[0] == pd.Timestamp("2026-01-01 10:00", tz="UTC")
    assert checked.frame["at"].dtype == SEEN["at"].dtype


def test_no_rows_are_no_fault():
    assert check_rows([], SCHEMA).frame.shape == (0, 8)
    assert check_rows(SEEN.iloc[:0], SCHEMA).frame.shape == (0, 8)


@pytest.mark.parametrize("rows", ["text", {"hour": 3}, [1, 2]])
def test_rows_of_another_form_are_refused(rows):
    with pytest.raises(SchemaError, match="data frame or a list of mappings"):
        check_rows(rows, SCHEMA)


def test_a_column_twice_is_refused():
    with pytest.raises(SchemaError, match="more than once: load"):
        check_rows(pd.concat([SEEN, SEEN[["load"]]], axis=1), SCHEMA)
