"""A disk that runs full: what was acknowledged stays, what fails is told, and all goes on when there is room again."""

import os
import subprocess
from itertools import count

import pytest

from nbprod.errors import StoreError
from nbprod.lake import Lake
from nbprod.store import Files, Store


@pytest.fixture
def disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "nbprod-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root and mount to make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk, leave=0):
    """Take all room but some bytes; give the file that takes it."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    ballast.write_bytes(b"x" * max(0, room.f_bavail * room.f_frsize - leave))
    return ballast


def until_full(act):
    """Repeat until it is refused; give how often it was done, and what was told."""
    for number in range(1000):
        try:
            act()
        except StoreError as problem:
            return number, str(problem)
    raise AssertionError("the disk never ran full")


def test_the_ledger_keeps_what_it_acknowledged(disk, tmp_path):
    store = Store.open(f"sqlite:///{disk}/ledger.db", tmp_path / "files")
    ballast = fill(disk, leave=100_000)

    def add():
        with store.write() as session:
            session.event("x", "y", reason="z" * 2000)

    stored, error = until_full(add)

    assert "ledger.db could not be written: the disk is full" in error
    assert "Free space and repeat" in error
    assert stored > 5
    assert store.verify()[0] == stored
    ballast.unlink()
    add()

    assert store.verify()[0] == stored + 1


def test_a_file_and_a_folder_are_whole_or_not_there(disk, tmp_path):
    files = Files(disk)
    files.write("report.html", "old")
    ballast = fill(disk, leave=20_000)
    with pytest.raises(StoreError, match=r"(?s)report.html failed: No space left on device\nThe disk is full"):
        files.write("report.html", "x" * 100_000)
    with pytest.raises(OSError, match="No space left"), files.staging() as folder:
        (folder / "manifest.json").write_text("x" * 100_000)

    assert files.read("report.html") == b"old"
    assert sorted(path.name for path in disk.iterdir()) == [".tmp", "ballast", "report.html"]
    assert list((disk / ".tmp").iterdir()) == []
    ballast.unlink()
    files.write("report.html", "x" * 100_000)


def test_predictions_are_kept_or_refused(disk):
    table = Lake(disk / "lake").predictions("power")

    def add(name, rows=1):
        ids = [f"{name}-{row}" for row in range(rows)]
        table.append({"prediction_id": ids, "prediction": [1.0] * rows}, {"x": ids}, private=())

    add("first")
    for leave in (0, 4096, 8192, 16_384):  # fails in the part, or in the log entry
        ballast = fill(disk, leave=leave)
        numbers = count()
        _, error = until_full(lambda leave=leave, numbers=numbers: add(f"more-{leave}-{next(numbers)}", rows=20))
        ballast.unlink()
        assert "No space left" in error or "cannot be written" in error
        rows = table.window()
        ids = rows.to_table(["prediction_id"])["prediction_id"].to_pylist()

        assert len(ids) == len(set(ids)) == rows.count()
        assert len(ids) % 20 == 1, "no hand-in is there in part"
    add("last")

    assert table.at("last-0") is not None


def test_a_ledger_without_room_for_its_log_says_that_the_disk_is_full(disk, tmp_path):
    """SQLite itself only speaks of an I/O error there."""
    Store.open(f"sqlite:///{disk}/ledger.db", tmp_path / "files")
    fill(disk)

    with pytest.raises(StoreError, match="the disk is full"):
        Store.open(f"sqlite:///{disk}/ledger.db", tmp_path / "files")
