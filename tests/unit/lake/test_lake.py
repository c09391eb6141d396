"""Predictions and outcomes: kept once, typed, joined by id, and seen as they were known at a moment."""

import math
import os
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.errors import SchemaError, SettingsError, StoreError
from nbprod.lake import Lake
from nbprod.lake.columns import (
    MOMENT,
    NUMBER,
    TEXT,
    TRUTH,
    as_table,
    input_column,
    input_name,
    to_storage_type,
    wider_type,
)
from nbprod.lake.delta import Transaction

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def core(*ids, day=0, **more):
    return {
        "prediction_id": list(ids),
        "prediction": ["UP"] * len(ids),
        "at": [DAY + timedelta(days=day)] * len(ids),
        **more,
    }


def add(lake, *ids, inputs=None, private=(), day=0, transaction=None, unique=False, **more):
    table = lake.predictions("power")
    return table.append(core(*ids, day=day, **more), inputs, private=private, transaction=transaction, unique=unique)


def seen(lake, *, start=DAY, end=DAY + timedelta(days=30), **more):
    rows = lake.window("power", start, end, **more).to_table(["prediction_id", "outcome"]).to_pylist()
    return {row["prediction_id"]: row["outcome"] for row in rows}


def test_a_prediction_comes_back_with_its_inputs(lake):
    told = add(lake, "a", inputs={"hours per week": [40], "name": ["ana"]}, private=["name"], version=["power/1"])
    found = lake.predictions("power").at("a")

    assert str(told) == "power: 1 predictions added"
    assert found.pop("logged_at") > DAY
    assert found == {
        "prediction_id": "a", "version": "power/1", "prediction": "UP", "at": DAY, "inputs": {"hours per week": 40.0},
    }  # fmt: skip
    assert lake.predictions("power").at("b") is None
    assert lake.predictions("other").at("a") is None


def test_a_private_input_is_in_no_file(lake, tmp_path):
    add(lake, "a", inputs={"name": ["very-secret-name"], "x": [1]}, private=["name"])

    for path in (tmp_path / "lake").rglob("*"):
        assert path.is_dir() or (b"very-secret" not in path.read_bytes() and b"input_name" not in path.read_bytes())


def test_tables_are_private_to_the_user(lake, tmp_path):
    add(lake, "a")

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "lake").rglob("*.parquet")}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "lake/power/predictions").stat().st_mode) == 0o700


def test_a_window_includes_its_start_and_not_its_end(lake):
    for day in range(4):
        add(lake, f"d{day}", day=day)
    rows = lake.predictions("power").window(DAY + timedelta(days=1), DAY + timedelta(days=3))

    assert sorted(rows.to_table(["prediction_id"])["prediction_id"].to_pylist()) == ["d1", "d2"]
    assert rows.count() == 2
    assert rows.tables == {"predictions": 4}


def test_a_window_skips_parts_of_other_days(lake):
    for day in range(4):
        add(lake, f"d{day}", day=day)
    rows = lake.predictions("power").window(DAY + timedelta(days=3), None)

    assert len(list(rows.dataset.get_fragments(rows.condition))) == 1


def test_a_deployment_without_predictions_has_an_empty_window(lake):
    rows = lake.window("power", DAY, DAY + timedelta(days=1))

    assert (rows.count(), rows.count_outcomes(), list(rows.batches()), rows.tables) == (0, 0, [], {})
    assert repr(rows) == "<PredictionSnapshot of nothing>"


def test_the_latest_outcome_that_has_arrived_counts(lake):
    add(lake, "a", "b", "c")
    outcomes = lake.outcomes("power")
    outcomes.append({"prediction_id": ["a", "b"], "outcome": ["UP", "UP"], "at": [DAY + timedelta(days=7)] * 2})
    outcomes.append({"prediction_id": ["a"], "outcome": ["DOWN"], "at": [DAY + timedelta(days=9)]})
    outcomes.append({"prediction_id": ["b"], "outcome": ["DOWN"], "at": [DAY + timedelta(days=6)]})

    assert seen(lake) == {"a": "DOWN", "b": "UP", "c": None}
    assert seen(lake, as_of=DAY + timedelta(days=8)) == {"a": "UP", "b": "UP", "c": None}
    assert seen(lake, as_of=DAY + timedelta(days=6)) == {"a": None, "b": "DOWN", "c": None}
    assert lake.window("power", DAY, DAY + timedelta(days=1)).count_outcomes() == 2


def test_of_two_outcomes_that_arrived_together_the_last_written_counts(lake):
    add(lake, "a")
    told = lake.outcomes("power").append({"prediction_id": ["a", "a"], "outcome": ["UP", "DOWN"], "at": [DAY, DAY]})

    assert seen(lake) == {"a": "DOWN"}
    assert str(told) == "power: 2 outcomes added, 2 match a prediction, 1 repeat an id, the latest counts"


def test_outcomes_that_match_nothing_are_counted_kept_and_joined_later(lake):
    add(lake, "a")
    told = lake.outcomes("power").append({"prediction_id": ["a", "z", "y"], "outcome": ["UP", "UP", None]})
    add(lake, "z")

    assert (told.added, told.matched, told.unknown, told.blank) == (2, 1, 1, 1)
    assert str(told) == "power: 2 outcomes added, 1 match a prediction, 1 match none yet, 1 blank ones left out"
    assert seen(lake) == {"a": "UP", "z": "UP"}


def test_an_earlier_look_can_be_repeated(lake):
    add(lake, "a")
    lake.outcomes("power").append({"prediction_id": ["a"], "outcome": ["UP"]})
    first = lake.window("power", DAY, DAY + timedelta(days=1))
    add(lake, "b")
    lake.outcomes("power").append({"prediction_id": ["a"], "outcome": ["DOWN"]})

    assert seen(lake) == {"a": "DOWN", "b": None}
    assert seen(lake, tables=first.tables) == {"a": "UP"}
    assert first.to_table().num_rows == 1
    with pytest.raises(StoreError, match="cannot be read as of version 99"):
        lake.window("power", DAY, DAY + timedelta(days=1), tables={"predictions": 99})


def test_the_same_hand_in_again_adds_nothing_even_after_compaction(lake):
    first = Transaction(name="server-1", number=7)
    add(lake, "a", transaction=first)
    told = add(lake, "a", transaction=first)
    lake.predictions("power").compact()
    add(lake, "a", transaction=Transaction(name="server-1", number=6))
    add(lake, "b", transaction=Transaction(name="server-1", number=8))

    assert "the same predictions were added before; nothing was added" in str(told)
    assert sorted(seen(lake)) == ["a", "b"]


def test_ids_kept_before_are_left_out_on_request(lake):
    add(lake, "a", "b")
    told = add(lake, "b", "c", unique=True)

    assert str(told) == "power: 1 predictions added, 1 skipped because their id is already stored"
    assert sorted(seen(lake)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("older", "newer", "found"),
    [
        ([1, 2], [0.5, None], [1.0, 2.0, 0.5, None]),
        ([True, False], [3, 4], [1.0, 0.0, 3.0, 4.0]),
        ([1.0, 2.5], ["x", None], ["1", "2.5", "x", None]),
        ([DAY, DAY], ["x", "y"], [str(DAY).replace("+00:00", ".000000Z")] * 2 + ["x", "y"]),
        ([None, None], ["x", "y"], [None, None, "x", "y"]),
        (["x", "y"], [None, None], ["x", "y", None, None]),
        (["x", "y"], [1, 2], ["x", "y", "1", "2"]),
    ],
)
def test_an_input_that_changes_its_type_is_widened_and_no_row_is_lost(lake, older, newer, found):
    add(lake, "a", "b", inputs={"x": older})
    add(lake, "c", "d", inputs={"x": newer, "new": [1, 2]})
    rows = lake.predictions("power").window().to_table().sort_by("prediction_id")

    assert rows["input_x"].to_pylist() == found
    assert rows["input_new"].to_pylist() == [None, None, 1.0, 2.0]


def test_inputs_keep_the_names_the_model_knows(lake):
    add(lake, "a", inputs={"prediction": [1.0], "Age": [1], "age": [2], "a,b": [3], "at": [4]})
    rows = lake.window("power", DAY, DAY + timedelta(days=1))
    (batch,) = rows.batches()

    assert rows.inputs == ("prediction", "Age", "age", "a,b", "at")
    assert batch["prediction"].to_pylist() == ["UP"]
    with pytest.raises(SchemaError, match=r"no column 'outcom' is kept\nDid you mean outcome"):
        list(rows.batches(["outcom"]))


@given(
    st.lists(
        st.text("aAbBéÉ %,_1", min_size=1, max_size=3) | st.text(min_size=1, max_size=8),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_any_input_names_stay_apart_and_come_back(names):
    columns = []
    for name in names:
        columns.append(input_column(name, columns))

    assert [input_name(column) for column in columns] == names
    assert len({column.lower() for column in columns}) == len(names)


@pytest.mark.parametrize(
    ("frame", "kind", "values"),
    [
        (pd.Series([1, 2], dtype="Int64"), NUMBER, [1.0, 2.0]),
        (pd.Series([1.5, math.nan]), NUMBER, [1.5, None]),
        (pd.Series(["a", "b", "a"], dtype="category"), TEXT, ["a", "b", "a"]),
        (pd.Series([True, None], dtype="boolean"), TRUTH, [True, None]),
        (pd.Series(["a", 1, None], dtype=object), TEXT, ["a", "1", None]),
        (pd.Series([date(2026, 1, 1)]), MOMENT, [DAY]),
        (pd.to_datetime(pd.Series(["2026-01-01T01:00"])).dt.tz_localize("Europe/Berlin"), MOMENT, [DAY]),
        (pd.Series([[1, 2]]), TEXT, ["[1, 2]"]),
        (pd.Series([None, None], dtype=object), NUMBER, [None, None]),
    ],
)
def test_every_sort_of_column_has_a_type_to_be_kept_in(frame, kind, values):
    column = to_storage_type(as_table(pd.DataFrame({"x": frame}), "rows")["x"])

    assert (column.type, column.to_pylist()) == (kind, values)


@given(*[st.sampled_from([TRUTH, NUMBER, MOMENT, TEXT])] * 3)
def test_widening_takes_any_order(one, two, three):
    assert wider_type(one, two) == wider_type(two, one)
    assert wider_type(wider_type(one, two), three) == wider_type(one, wider_type(two, three))


@pytest.mark.parametrize(
    ("given_core", "message"),
    [
        ({"prediction_id": ["a"]}, "prediction: this column is missing\nColumns found: prediction_id"),
        (core("a", speed=[1]), "predictions have no column speed\nGive inputs apart"),
        (core("a", "a"), "prediction_id: 1 of 2 ids are given twice"),
        (core("a", None), "prediction_id: 1 of 2 are missing"),
        (core("a", ""), "prediction_id: 1 of 2 are missing"),
        ({"prediction_id": ["a"], "prediction": [None]}, "prediction: 1 of 1 are missing"),
        ({**core("a"), "at": ["yesterday"]}, r"at: .*yesterday.*\nWrite ISO dates"),
        ({**core("a"), "at": [5]}, "at: must hold dates"),
        (core("a", probability=["high"]), "probability must be numbers"),
    ],
)
def test_a_bad_prediction_is_refused_and_nothing_is_kept(lake, given_core, message):
    with pytest.raises(SchemaError, match=f"(?s){message}"):
        lake.predictions("power").append(given_core, private=())
    assert lake.predictions("power").window().count() == 0


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"id": ["a"], "outcome": [1]}, "prediction_id: this column is missing\nid: no such column is kept"),
        ({"prediction_id": [None], "outcome": [1]}, "prediction_id: 1 of 1 are missing"),
        (
            {"prediction_id": ["a"], "outcome": ["often"]},
            "outcome must be true or false, as those stored before are, but are text",
        ),
        (
            {"prediction_id": ["a"], "outcome": [2]},
            "outcome must be true or false, as those stored before are, but are numbers",
        ),
    ],
)
def test_a_bad_outcome_is_refused_and_nothing_is_kept(lake, frame, message):
    lake.predictions("power").append({**core("a"), "prediction": [True]}, private=())
    with pytest.raises(SchemaError, match=message):
        lake.outcomes("power").append(frame)
    lake.outcomes("power").append({"prediction_id": ["a"], "outcome": [1]})

    assert seen(lake) == {"a": True}


def test_inputs_must_be_as_many_as_predictions(lake):
    with pytest.raises(SchemaError, match="2 predictions but 1 rows of inputs"):
        add(lake, "a", "b", inputs={"x": [1]})
    with pytest.raises(SchemaError, match="inputs have two columns of one name"):
        add(lake, "a", inputs=pa.table([[1], [2]], names=["x", "x"]))
    with pytest.raises(SettingsError, match="cannot be a deployment"):
        lake.predictions("../elsewhere")


def test_text_moments_are_read_with_and_without_a_zone(lake):
    lake.predictions("power").append(
        {**core("c", "d"), "at": ["2026-01-02T00:00:00Z", "2026-01-02T02:00:00+02:00"]}, private=()
    )
    lake.predictions("power").append({**core("e"), "at": ["2026-01-02 00:00"]}, private=())
    rows = lake.predictions("power").window(DAY + timedelta(days=1), DAY + timedelta(days=1, microseconds=1))

    assert rows.count() == 3


def test_compaction_keeps_the_rows_and_the_older_versions(lake):
    for number in range(5):
        add(lake, f"p{number}", inputs={"x": [number]})
    told = lake.predictions("power").compact()
    rows = lake.predictions("power").window()

    assert told == {"before": 5, "after": 1, "removed": 0}
    assert sorted(rows.to_table(["input_x"])["input_x"].to_pylist()) == [0, 1, 2, 3, 4]
    assert lake.predictions("power").window(table_version=3).count() == 3
    assert lake.predictions("power").compact(keep=timedelta(0))["removed"] == 5
    assert rows.tables["predictions"] > 3


def test_an_object_store_keeps_the_same(tmp_path):
    """A URL takes the way of object stores: deltalake writes, without our syncs and locks."""
    lake = Lake(tmp_path)
    lake.root = f"file://{tmp_path}"
    first = Transaction(name="server", number=1)
    for _ in range(2):
        add(lake, "a", inputs={"x": [1]}, transaction=first)
    add(lake, "b", inputs={"x": ["text"], "new": [2]})
    lake.outcomes("power").append({"prediction_id": ["a"], "outcome": ["DOWN"]})

    assert seen(lake) == {"a": "DOWN", "b": None}
    assert sorted(lake.window("power").to_table(["input_x"])["input_x"].to_pylist()) == ["1", "text"]
    assert lake.predictions("power").compact()["after"] == 1
    assert not list(tmp_path.rglob("*.lock"))


def test_a_part_that_cannot_be_written_leaves_nothing(lake, tmp_path):
    add(lake, "a")
    folder = tmp_path / "lake/power/predictions"
    (tmp_path / "lake/power/predictions.lock").unlink()
    (tmp_path / "lake/power/predictions.lock").mkdir()
    with pytest.raises(StoreError, match=r"locking .* failed: Is a directory"):
        add(lake, "b")

    assert len(list(folder.glob("*.parquet"))) == 1
    assert list(seen(lake)) == ["a"]


def test_every_part_and_log_entry_is_synced_before_append_returns(lake, tmp_path, monkeypatch):
    """Each file is synced after its last write, and parts before the log entry that names them exists."""
    synced = {}
    real = os.fsync

    def fsync(descriptor):
        real(descriptor)
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        entries = sorted(p.name for p in (tmp_path / "lake/power/predictions/_delta_log").glob("*.json"))
        synced.setdefault(path, (os.fstat(descriptor).st_mtime_ns, entries))

    monkeypatch.setattr(os, "fsync", fsync)
    add(lake, "a")
    folder = tmp_path / "lake/power/predictions"
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert {
        str(path) for path in [*files, folder, folder / "_delta_log", folder.parent, Path(folder.parent.parent)]
    } <= set(synced)
    assert all(synced[str(path)][0] >= path.stat().st_mtime_ns for path in files)
    (part,) = folder.glob("*.parquet")
    assert synced[str(part)][1] == ["00000000000000000000.json"], "the entry of the part did not exist yet"
