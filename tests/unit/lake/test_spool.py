"""The spool and its drainer: on the disk before the answer, in the table once, whatever is interrupted."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from nbprod.errors import StoreError
from nbprod.lake import Lake
from nbprod.lake.draining import Drainer, draining
from nbprod.lake.entries import Outcomes, Predictions
from nbprod.lake.spool import Spool, SpoolFile, spool_files

AT = 1_700_000_000_000_000


def entry(number, **more):
    return Predictions(
        [f"p{number}"], AT + number, "m/1", 0.5, {"prediction": ["UP"], "probability": [0.75]}, {"x": [1.5]}, **more
    )


def write(folder, *entries):
    """Write through a spool of its own, and wait for each."""

    async def run():
        spool = Spool(folder)
        spool.start()
        for one in entries:
            await spool.put(one, 1)
        spool.close()
        return spool.path

    return asyncio.run(run())


def ids(lake):
    return sorted(lake.window("d").to_table(["prediction_id"])["prediction_id"].to_pylist())


def test_what_was_waited_for_is_on_the_disk_and_read_back_equal(tmp_path):
    given = [entry(1, unit="u", arm="candidate", share=0.1, stratum="s"), Outcomes(["p1"], [None], ["UP"], [AT])]
    path = write(tmp_path, *given)
    assert [one for _, one in SpoolFile(path).entries()] == given
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_draining_is_once_however_often_it_is_interrupted(tmp_path, monkeypatch):
    """Killed after the append and before it is told: the next round adds nothing twice and misses nothing."""
    lake = Lake(tmp_path / "lake")
    write(tmp_path / "spool", *[entry(number) for number in range(3)])
    with monkeypatch.context() as patch:
        patch.setattr(SpoolFile, "tell_drained", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Drainer(lake, "d", tmp_path / "spool").drain()
    assert ids(lake) == ["p0", "p1", "p2"]
    write(tmp_path / "spool", entry(3))  # the same file goes on: its slot is free
    assert Drainer(lake, "d", tmp_path / "spool").drain() == 4
    assert ids(lake) == ["p0", "p1", "p2", "p3"]
    assert [one.backlog for one in spool_files(tmp_path / "spool")] == [0]
    assert Drainer(lake, "d", tmp_path / "spool").drain() == 0


def test_what_comes_while_one_spool_is_drained_keeps_no_other_waiting(tmp_path):
    """A round moves what lay there when it came by, however quickly more comes."""
    numbers = iter(range(1, 10))
    write(tmp_path / "spool", entry(0))
    drainer = Drainer(
        Lake(tmp_path / "lake"),
        "d",
        tmp_path / "spool",
        kept=lambda _: write(tmp_path / "spool", entry(next(numbers))),
    )
    assert [drainer.drain() for _ in range(2)] == [1, 1]


def test_a_new_spool_in_the_place_of_a_lost_one_is_not_taken_for_it(tmp_path):
    """What was said of another file of this name does not count: the numbers begin anew, the name does not."""
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path / "spool", *[entry(number) for number in range(5)])
    Drainer(lake, "d", tmp_path / "spool").drain()
    for one in path.parent.glob("0.db*"):
        one.unlink()
    write(tmp_path / "spool", entry(9))
    Drainer(lake, "d", tmp_path / "spool").drain()
    assert "p9" in ids(lake)


def test_two_writers_have_two_files_and_one_drainer_works_at_a_time(tmp_path):
    async def run():
        one, other = Spool(tmp_path), Spool(tmp_path)
        one.start(), other.start()
        assert one.path != other.path
        one.close(), other.close()

    asyncio.run(run())
    with draining(tmp_path) as first, draining(tmp_path, wait_s=0) as second:
        assert (first, second) == (True, False)


def test_an_entry_the_table_refuses_is_set_aside_and_those_after_it_get_through(tmp_path):
    lake = Lake(tmp_path / "lake")
    wrong = Predictions(["p1", "p1"], AT, "m/1", 0.5, {"prediction": ["UP", "UP"]}, {})  # one id twice
    path = write(tmp_path / "spool", entry(0), wrong, entry(2))
    Drainer(lake, "d", tmp_path / "spool").drain()
    assert ids(lake) == ["p0", "p2"]
    assert SpoolFile(path).aside == 1


def test_a_spool_that_is_full_or_whose_disk_refuses_says_so(tmp_path):
    async def run():
        spool = Spool(tmp_path, most_waiting=2)
        spool._loop = asyncio.get_running_loop()  # nobody writes
        spool.put(entry(0), 1), spool.put(entry(1), 1)
        with pytest.raises(StoreError, match="full"):
            spool.put(entry(2), 1)
        spool.failure = "the disk is full"
        spool._waiting.clear()
        with pytest.raises(StoreError, match="the disk is full"):
            spool.put(entry(3), 1, durable=False)
        spool.close()

    asyncio.run(run())


def test_removed_entries_leave_nothing_in_the_files(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path / "spool", entry(0, unit="somebody-special"))
    Drainer(lake, "d", tmp_path / "spool").drain()
    assert SpoolFile(path).shrink()
    assert b"somebody-special" not in b"".join(one.read_bytes() for one in path.parent.iterdir())


def test_outcomes_by_unit_are_those_of_its_predictions_from_before(tmp_path):
    """By id wins over by unit; what was predicted after the outcome came is not its own."""
    lake = Lake(tmp_path / "lake")
    later = entry(7, unit="u")
    later.at_us = AT + 10_000_000
    told = Outcomes(["p1", None], [None, "u"], ["DOWN", "UP"], [AT + 5_000_000] * 2)
    write(tmp_path / "spool", told, entry(0, unit="u"), entry(1, unit="u"), entry(2), later)
    Drainer(lake, "d", tmp_path / "spool").drain()
    rows = lake.window("d").to_table(["prediction_id", "outcome"]).to_pylist()
    assert {row["prediction_id"]: row["outcome"] for row in rows} == {
        "p0": "UP",
        "p1": "DOWN",
        "p2": None,
        "p7": None,
    }
    assert lake.outcomes("d").of("p0", "u", lake.predictions("d").at("p0")["at"])[0] == "UP"


def test_more_than_is_written_or_forgotten_at_once_is_all_written_and_all_forgotten(tmp_path):
    """1,300 entries at once, by a writer that was busy; then the table has all but one of them."""

    async def run():
        spool = Spool(tmp_path)
        spool.start()
        for number in range(1299):
            spool.put(entry(number), 1, durable=False)
        await spool.put(entry(1299), 1)
        spool.close()
        return SpoolFile(spool.path)

    spool = asyncio.run(run())
    assert [one.ids[0] for _, one in spool.entries()] == [f"p{number}" for number in range(1300)]
    spool.tell_drained(1299)
    with closing(sqlite3.connect(spool.path)) as other:
        assert other.execute("SELECT min(number), count(*) FROM entries").fetchone() == (1300, 1)
