"""Columns declared private are in no file nbprod writes, whatever was done with the data."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.acceptance.conftest import QUICK, market, new_workspace

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600)]

#: So long that none comes about by chance.
SURNAMES = ["Quattlebaum", "Featherstonehaugh", "Wriothesley", "Szczepanska"]
INCOME = 73_519_482_000.0
WORDS = re.compile("|".join(SURNAMES).encode())
#: As text with its first eight digits, or as a whole number in eight bytes, which a mean or a scale is not.
NUMBERS = re.compile(rb"73519482|73,519,482|\x00\x00.." + re.escape(struct.pack("<d", INCOME)[4:]), re.DOTALL)


def with_people(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    income = INCOME + random.integers(100, 500, len(frame)) + frame["class"].to_numpy() * 400
    return frame.assign(surname=random.choice(SURNAMES, len(frame)), income=income)


def contents(path: Path):
    """A file as it is, and what compressed formats hold inside."""
    raw = path.read_bytes()
    yield raw
    if raw[:4] == b"PAR1":
        table = pq.read_table(path)
        yield json.dumps(table.to_pylist(), default=str).encode()
        yield str(pq.read_metadata(path).to_dict()).encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The whole road on a table with a private word and a private number among its columns."""
    shell = new_workspace(tmp_path_factory.mktemp("private") / "market")
    toml = shell.folder / "nbprod.toml"
    toml.write_text(toml.read_text().replace("private = []", 'private = ["surname", "income"]'))
    data = shell.folder / "data"
    with_people(market("1996-05-07", "1996-07-15"), 0).to_parquet(data / "small.parquet")
    with_people(market("1996-07-15", "1996-08-15"), 1).to_parquet(data / "later.parquet")
    for template in ("validate_data", "train"):
        words = () if template == "validate_data" else ("-p", "model=logreg", *QUICK)
        run = shell("run", template, "-p", "data=small", *words, "--json", code=None).json
        assert run["status"] == "succeeded"
    package = shell.json("packages", "build", run["id"])
    shell("models", "register", package["digest"][:8], "price")
    shell("models", "bless", "price/1")
    shell("models", "evaluate", "price/1", "--data", "later", "--block", "1d", code=None)
    shell("models", "approve", "price/1", "--note", "ok")
    shell("models", "promote", "price/1", "--expect", "none", "--waive", "only a test")
    shell("deployments", "create", "price", "--model", "price@champion")
    shell("score", "price@champion", "later", "predicted.parquet", "--log", "price", "--at", "at")
    shell("monitor", "run", "price", "--start", "1996-07-15", "--end", "1996-08-15", "--rich", "always", code=None)
    shell("site", "build")
    return shell, package


def found_in(folder: Path, needle: re.Pattern[bytes]) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(needle.search(content) for content in contents(path))
    )


@pytest.mark.parametrize("needle", [WORDS, NUMBERS], ids=["words", "numbers"])
@pytest.mark.parametrize("place", [".nbprod/runs", ".nbprod/packages", ".nbprod/lake", ".nbprod", "site"])
def test_no_private_value_is_in_any_file(done, place, needle):
    shell, _ = done

    assert (shell.folder / place).is_dir()
    found = found_in(shell.folder / place, needle)
    # a model that learned from a column of words knows its words; everything that describes it does not
    assert [path for path in found if not path.endswith("model.skops")] == []


@pytest.mark.parametrize("needle", [WORDS, NUMBERS], ids=["words", "numbers"])
def test_the_search_finds_them_where_they_are(done, needle):
    shell, _ = done

    assert found_in(shell.folder / "data", needle) == ["later.parquet", "small.parquet"]
