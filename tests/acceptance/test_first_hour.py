"""The first hour with data of one's own: a German spreadsheet, a mistyped column."""

import pytest

from tests.acceptance.conftest import QUICK, listing, market, new_workspace


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A workspace with one table as Parquet and as a German spreadsheet writes it."""
    shell = new_workspace(tmp_path_factory.mktemp("first") / "hour")
    rows = market("1996-05-07", "1996-07-15").rename(columns={"class": "Größe"})
    rows.to_parquet(shell.folder / "data" / "plain.parquet")
    german = rows.assign(at=rows["at"].dt.strftime("%d.%m.%Y %H:%M"))
    german.to_csv(shell.folder / "data" / "german.csv", sep=";", decimal=",", index=False, encoding="cp1252")
    with (shell.folder / "nbprod.toml").open("a") as file:
        file.write('[data.german]\npath = "data/german.csv"\ndecimal = ","\n')
    return shell


def test_a_german_spreadsheet_trains_validates_and_is_said_to_be_read_so(shell):
    words = ("-p", "target=Größe", "-p", "time=at", "-p", "split=time", "-p", "model=logreg", *QUICK)
    german = shell("run", "train", "-p", "data=german", *words, "--json")
    plain = shell.json("run", "train", "-p", "data=data/plain.parquet", *words)
    assert "data is read as cp1252, semicolon between cells, decimal comma (" in german.err
    assert "dates day-first (at)" in german.err
    assert german.json["metrics"]["roc_auc"] == pytest.approx(plain["metrics"]["roc_auc"], abs=1e-9)
    notebook = (shell.folder / ".nbprod" / "runs" / german.json["id"] / "notebook.ipynb").read_text()
    assert "decimal comma" in notebook
    checked = shell.json("run", "validate_data", "-p", "data=german", "-p", "target=Größe", code=None)
    assert checked["status"] == "succeeded"


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("train", "-p", "data=small", "-p", "target=CLAS"), "class"),
        (("train", "-p", "data=small", "-p", "time=AT"), "at"),
        (("train", "-p", "data=small", "-p", "drop=nswprice,Vicprce"), "vicprice"),
        (("train", "-p", "data=german"), "Größe"),
        (("validate_data", "-p", "data=small", "-p", "target=klass"), "class"),
    ],
)
def test_a_mistyped_column_is_found_before_a_kernel_starts(shell, words, nearest):
    """Exit 2, the nearest name whatever its case, and nothing was written."""
    before = listing(shell.folder)
    said = shell("run", *words, code=2)
    assert "has no column" in said.err
    assert f"Did you mean {nearest}?" in said.err or f"{nearest}" in said.err.partition("Known:")[2]
    assert listing(shell.folder) == before


def test_a_bad_setting_of_data_is_refused_by_every_command(shell):
    path = shell.folder / "nbprod.toml"
    kept = path.read_text()
    try:
        path.write_text(kept.replace('decimal = ","', 'decimel = ","'))
        said = shell("runs", "list", code=2)
    finally:
        path.write_text(kept)
    assert "[data.german] has an unknown setting decimel" in said.err
    assert "Did you mean decimal?" in said.err


def test_dates_that_can_be_read_in_two_ways_are_refused_with_the_setting(shell):
    (shell.folder / "two.csv").write_text("day,class\n01/02/2024,a\n03/04/2024,b\n")
    said = shell("run", "train", "-p", "data=two.csv", "-p", "target=class", code=2)
    assert "can be read in two ways" in said.err
    assert 'dates = "day-first" or dates = "month-first"' in said.err
