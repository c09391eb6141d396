import json
from datetime import UTC, datetime

import pytest

from nbprod.domain.plain import plain
from nbprod.domain.run import RunStatus
from nbprod.domain.version import Alias
from nbprod.errors import StoreError
from nbprod.site.writing import to_json, write


def test_a_file_that_did_not_change_is_left_alone(tmp_path):
    path = tmp_path / "a" / "b.html"
    assert write(path, "x")
    before = path.stat().st_mtime_ns
    assert not write(path, "x")
    assert path.stat().st_mtime_ns == before
    assert write(path, "y")
    assert [child.name for child in path.parent.iterdir()] == ["b.html"]


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "site").write_text("")
    with pytest.raises(StoreError, match=r"writing .*site.* failed: .*\n.*another one"):
        write(tmp_path / "site" / "index.html", "x")


def test_records_become_json_that_every_reader_takes():
    alias = Alias(model="m", name="champion", number=2, moved_at=datetime(2026, 1, 1, tzinfo=UTC), moved_by="maria")
    told = json.loads(to_json("aliases", [alias, {"a": float("nan"), "b": (1, {2}), "c": RunStatus.LOST}]))
    assert told["schema"] == 1
    assert told["aliases"][0]["moved_at"] == "2026-01-01T00:00:00.000000Z"
    assert told["aliases"][1] == {"a": None, "b": [1, [2]], "c": "lost"}


def test_what_json_does_not_know_is_its_text():
    assert plain(b"x") == "b'x'"
