"""Questions in SQL: they see the tables of one deployment and nothing else, and end within their limits."""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from nbprod.domain.segment import parse_segment
from nbprod.errors import DataError, RefusedError, SettingsError
from nbprod.lake import Lake
from nbprod.lake.segments import rows_in
from nbprod.lake.sql import QueryLimits, answer

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Sixty hours of three units; the second part has a column more."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for part in range(2):
        hours = range(30 * part, 30 * part + 30)
        core = {
            "prediction_id": [f"p{n}" for n in hours],
            "at": [DAY + timedelta(hours=n) for n in hours],
            "version": [f"power/{part + 1}"] * 30,
            "unit": [f"u{n % 3}" for n in hours],
            "prediction": ["UP" if n % 2 else "DOWN" for n in hours],
        }
        more = {"late": [float(n) for n in hours]} if part else {}
        inputs = {"hour of day": [n % 24 for n in hours], "place": ["north" if n % 4 else None for n in hours]}
        lake.predictions("power").append(core, {**inputs, "person": ["Ann"] * 30, **more}, private=())
    lake.outcomes("power").append(
        {"prediction_id": ["p1", "p1"], "outcome": ["DOWN", "UP"], "at": [DAY, DAY + timedelta(1)]}
    )
    by_unit = {"prediction_id": [None], "unit": ["u2"], "outcome": ["UP"], "at": [DAY + timedelta(hours=10)]}
    lake.outcomes("power").append(by_unit)
    return lake


@pytest.fixture
def ask(lake):
    def ask(sql, *, private=("person",), records=None, **limits):
        given = {"private": private, "records": records or {}, "limits": QueryLimits(**limits)}
        return answer(lake, "power", sql, **given).to_pylist()

    return ask


def test_a_condition_on_any_column_finds_its_rows(ask):
    """Of columns whose range is not in the log, deltalake itself would find none."""
    assert ask("SELECT count(*) AS n FROM predictions WHERE unit = 'u1'") == [{"n": 20}]
    assert ask("SELECT count(*) AS n FROM predictions p WHERE p.at >= '2026-01-02' AND input_late > 40") == [
        {"n": 19}
    ]
    assert ask('SELECT max("at") AS at FROM predictions')[0]["at"] == DAY + timedelta(hours=59)


def test_scored_joins_outcomes_as_windows_do(ask, lake):
    seen = lake.window("power").to_table(["prediction_id", "outcome"]).to_pylist()
    usual = {row["prediction_id"]: row["outcome"] for row in seen if row["outcome"] is not None}
    found = ask("SELECT prediction_id, outcome FROM scored WHERE outcome IS NOT NULL")
    assert {row["prediction_id"]: row["outcome"] for row in found} == usual
    assert len(found) == len(usual) == 4  # p1, and p2, p5, p8 and none later of u2, whose outcome came at ten


def test_private_columns_are_left_out(ask):
    shown = {row["column_name"] for row in ask("DESCRIBE predictions")}
    assert {"input_place", "input_late", "input_hour%20of%20day"} <= shown
    assert "input_person" not in shown
    with pytest.raises(DataError, match="input_person"):
        ask("SELECT input_person FROM scored")


def test_records_and_empty_tables_can_be_asked(ask):
    assert ask("SELECT count(*) AS n FROM failures, shadows, health") == [{"n": 0}]
    assert ask("SELECT name FROM checks", records={"checks": pa.table({"name": ["drift"]})}) == [{"name": "drift"}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM parquet_scan('/tmp/x.parquet')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM query('INSTALL httpfs')",
        "SELECT * FROM lake",  # a variable of Python
        "ATTACH '/tmp/nbprod-never.db'",
        "ATTACH ':memory:' AS other",
        "COPY (SELECT 1) TO '/tmp/nbprod-never.csv'",
        "EXPORT DATABASE '/tmp/nbprod-never'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW scored",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY predictions TO '/tmp/nbprod-never.csv'",
        "not SQL at all",
        "",
    ],
)
def test_nothing_but_one_question_on_these_tables_is_answered(ask, sql):
    with pytest.raises(DataError):
        ask(sql)


def test_the_connection_is_locked_even_for_what_the_first_look_lets_through(ask):
    assert ask("SELECT current_setting('enable_external_access') AS is_open") == [{"is_open": False}]
    assert ask("SELECT current_setting('lock_configuration') AS is_locked") == [{"is_locked": True}]


def test_time_memory_and_rows_are_limited(ask):
    numbers = "range(100000000)"
    with pytest.raises(RefusedError, match=r"longer than 0\.05 s"):
        ask(f"SELECT sum(sqrt(a.range * b.range)) FROM {numbers} a, {numbers} b", timeout_s=0.05)
    with pytest.raises(RefusedError, match="more than 8 MB"):
        ask("SELECT list(range) FROM range(5000000)", memory_mb=8)
    with pytest.raises(RefusedError, match="more than 10 rows"):
        ask("SELECT * FROM predictions", most_rows=10)
    with pytest.raises(SettingsError):
        QueryLimits(timeout_s=0)


def test_a_clock_that_ran_out_says_so_and_not_duckdb(ask):
    with pytest.raises(RefusedError) as caught:
        ask("SELECT count(*) FROM range(10000000000) a, range(1000) b", timeout_s=0.02)
    assert isinstance(caught.value.__cause__, duckdb.InterruptException)


def test_the_rows_of_a_segment_are_counted_and_the_newest_told(lake):
    window = lake.window("power", DAY, DAY + timedelta(hours=50))
    for text, wanted in (
        ("hour of day >= 6 and < 8", lambda n: 6 <= n % 24 < 8),
        ("place is missing", lambda n: n % 4 == 0),
        ("place = north and hour of day < 3", lambda n: n % 4 and n % 24 < 3),
        ("late >= 35", lambda n: n >= 35),
    ):
        ids = [f"p{n}" for n in range(50) if wanted(n)]
        found = rows_in(window, parse_segment(text, window.inputs), limit=2)
        assert found.count == len(ids) == sum(found.versions.values())
        assert [row["prediction_id"] for row in found.newest] == ids[::-1][:2], text
    assert rows_in(window, (), limit=1).versions == {"power/1": 30, "power/2": 20}
    with pytest.raises(DataError, match="never is 'x'"):
        rows_in(window, parse_segment("late = x", window.inputs), limit=1)
