"""What goes wrong is named, with what to do next, the right exit code, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.acceptance.conftest import DATA, QUICK, SETTINGS, Shell, listing, market, new_workspace

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A workspace in which nothing has happened yet."""
    shell = new_workspace(tmp_path_factory.mktemp("desk") / "market")
    shell("runs", "list")  # makes the ledger
    return shell


def refused(shell: Shell, *words: str | Path, code: int, told: list[str]) -> str:
    """A command that ends before anything is written, and says why."""
    before, ledger = listing(shell.folder), shell.json("runs", "list")
    answer = shell(*words, code=code)
    assert answer.out == ""
    for expected in told:
        assert expected in answer.err
    assert listing(shell.folder) == before
    assert shell.json("runs", "list") == ledger
    return answer.err


def test_no_workspace(tmp_path):
    answer = Shell(tmp_path)("runs", "list", code=4)

    assert f"There is no workspace at {tmp_path}" in answer.err
    assert "nbprod init DIR" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_unknown_template(desk):
    refused(desk, "run", "trian", code=4, told=["no template 'trian'", "Did you mean train?"])


def test_broken_notebook(desk):
    (desk.folder / "broken.ipynb").write_text('{"cells": [\n  {"cell_type": "code",,\n')

    refused(desk, "run", "broken.ipynb", code=2, told=["broken.ipynb", "line 2"])


def test_no_such_notebook(desk):
    refused(desk, "run", "nothing.ipynb", code=4, told=["nothing.ipynb"])


def test_two_parameter_cells(desk):
    cells = [nbformat.v4.new_code_cell(f"x = {n}", metadata={"tags": ["parameters"]}) for n in range(2)]
    for number, cell in enumerate(cells):
        cell.id = f"given-{number}"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), desk.folder / "two.ipynb")

    refused(desk, "run", "two.ipynb", code=2, told=["given-0", "given-1"])


@pytest.mark.parametrize("name", ["nothing.parquet", "data/nothing.csv"])
def test_missing_file(desk, name):
    refused(desk, "run", "train", "-p", f"data={name}", code=4, told=[name, "give a path or URL"])


@pytest.mark.parametrize(("name", "content"), [("no.parquet", ""), ("no.csv", ""), ("header.csv", "a,b\n")])
def test_empty_file(desk, name, content):
    (desk.folder / "data" / name).write_text(content)

    refused(desk, "run", "train", "-p", f"data=data/{name}", code=2, told=[name])


def test_a_file_that_is_something_else(desk):
    (desk.folder / "data" / "other.parquet").write_bytes(b"PAR0 and more that is no table")

    refused(desk, "run", "train", "-p", "data=data/other.parquet", code=2, told=["other.parquet"])


def once() -> pd.DataFrame:
    frame = market("1996-05-07", "1996-06-01").assign(**{"class": lambda f: f["class"].map({0: "down", 1: "up"})})
    frame.loc[3, "class"] = "flat"
    return frame


def nothing_but_gaps() -> pd.DataFrame:
    frame = market("1996-05-07", "1996-06-01")
    return frame.assign(**{name: np.nan for name in frame.columns if name not in {"at", "class"}})


UNLEARNABLE = {
    "constant": (lambda: market("1996-05-07", "1996-06-01").assign(**{"class": 1}), "is 1 in all 600", "Check how"),
    "once": (once, "flat of the target 'class' is seen once", "merge classes"),
    "gaps": (nothing_but_gaps, "no column is left to learn from", "empty"),
}


def test_a_table_without_the_target_is_refused_before_a_kernel_starts(desk):
    """The names of columns are known beforehand: exit code 2, and no run."""
    market("1996-05-07", "1996-06-01").drop(columns="class").to_parquet(desk.folder / "data" / "missing.parquet")
    before = desk("runs", "list", "--json").json

    answer = desk("run", "train", "-p", "data=data/missing.parquet", *QUICK, "--json", code=2)

    assert "no column 'class'" in answer.err
    assert "Known: at" in answer.err
    assert desk("runs", "list", "--json").json == before


@pytest.mark.parametrize("case", UNLEARNABLE)
def test_a_table_nothing_can_be_learned_from(desk, case):
    """Only the notebook sees the values, so there is a run: failed, its cell named, and no model in it."""
    make, told, hint = UNLEARNABLE[case]
    make().to_parquet(desk.folder / "data" / f"{case}.parquet")

    answer = desk("run", "train", "-p", f"data=data/{case}.parquet", *QUICK, "--json", code=1)

    assert told in answer.err
    assert hint in answer.err
    run = answer.json
    assert (run["status"], run["failed_cell"]) == ("failed", "load-data")
    folder = Path(run["folder"])
    nbformat.read(folder / "notebook.ipynb", as_version=4)
    assert (folder / "report.html").exists()
    assert list((folder / "files").glob("model*")) == []
    built = desk("packages", "build", run["id"], code=None)
    assert built.code in {2, 3, 4}
    assert run["id"] in built.err
    assert desk.json("packages", "list") == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["model=nosuch"], "nosuch"),
        (["split=group"], "needs a group column"),
        (["drop=class"], "'class' is the target and is to be dropped"),
        (["start=1996-07-01", "end=1996-06-01"], "is not after start"),
    ],
)
def test_contradictory_parameters(desk, given, told):
    words = [word for one in given for word in ("-p", one)]

    answer = desk("run", "train", "-p", "data=small", *QUICK, *words, code=1)

    assert told in answer.err


@contextmanager
def settings(shell: Shell, old: str, new: str):
    """Other settings for a moment."""
    path = shell.folder / "nbprod.toml"
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    yield
    path.write_text(before)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[data.small]", "[date.small]", ["unknown section [date]", "data"]),
        ("[data.small]", "[data.small", ["nbprod.toml is not valid TOML", "line"]),
        ("private = []", "private = 3", ["data.private", "must be a list"]),
        ("private = []", "privat = []", ["data.privat", "nbprod config"]),
        ("private = []", "private = []\n[runs]\ntimeout_s = 'long'", ["runs.timeout_s", "float"]),
    ],
)
def test_settings_that_cannot_be_used(desk, old, new, told):
    with settings(desk, old, new):
        answer = desk("run", "train", "-p", "data=small", code=2)

    for expected in told:
        assert expected in answer.err


def test_contradictory_gates_and_monitors(road):
    with settings(road.shell, "min = 0.6\nmin_gain", "minimum = 0.6\nmin_gain"):
        unknown = road.shell("models", "evaluate", "price/1", "--data", "later", code=2)
    with settings(road.shell, '[monitors.price]\nblock = "1d"', "[monitors.price]\nalpha = 3.0"):
        out_of_range = road.shell("monitor", "run", "price", "--start", "1996-07-15", code=2)

    assert "[gates.price] has an unknown key 'minimum'" in unknown.err
    assert "[monitors.price]" in out_of_range.err
    assert "alpha between 0 and 1" in out_of_range.err


def test_contradictory_words(road):
    for words, told in (
        (("deployments", "create", "x", "--model", "price/1", "--external"), "external"),
        (("deployments", "create", "x", "--external"), "needs a task"),
        (("deployments", "create", "x", "--model", "price"), "price@champion"),
        (("deployments", "create", "../x", "--model", "price/1"), "'../x'"),
        (("monitor", "run", "price", "--start", "1996-08-01", "--end", "1996-07-01"), "start before end"),
    ):
        refused(road.shell, *words, code=2, told=[told])


def test_wrong_types_at_prediction(road, tmp_path):
    rows = market("1996-07-15", "1996-07-17").assign(nswprice="high").drop(columns="transfer")
    rows.to_parquet(tmp_path / "rows.parquet")

    answer = road.shell("score", "price@champion", tmp_path / "rows.parquet", tmp_path / "out.parquet", code=1)

    assert "nswprice" in answer.err
    assert "transfer" in answer.err
    assert not (tmp_path / "out.parquet").exists()
    assert list(tmp_path.glob(".out*")) == []


def test_wrong_predictions_handed_in(road, tmp_path):
    rows = market("1996-07-15", "1996-07-17").assign(version="price/1", prediction="up", probability=1.5)
    rows.drop(columns=["at", "class"]).to_csv(tmp_path / "rows.csv", index=False)

    refused(
        road.shell, "predictions", "add", "price", tmp_path / "rows.csv",
        code=2, told=["at: this column is missing", "probability: 48 of 48 are not from 0 to 1", "Nothing was kept"],
    )  # fmt: skip


@pytest.fixture
def folder(road):
    """The folder of a package, put back as it was at the end."""
    path = Path(road.package["folder"])
    kept = path.with_name("kept-for-a-test")
    shutil.copytree(path, kept)
    yield path
    shutil.rmtree(path)
    kept.rename(path)


def flip_one_bit(folder: Path) -> Path:
    model = max(folder.rglob("*.skops"), key=lambda path: path.stat().st_size)
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.chmod(0o600)
    model.write_bytes(content)
    return model


def leave_one_out(folder: Path) -> Path:
    path = folder / "README.md"
    path.unlink()
    return path


def add_one(folder: Path) -> Path:
    path = folder / "conftest.py"
    path.write_text("print('hello')")
    return path


@pytest.mark.parametrize("damage", [flip_one_bit, leave_one_out, add_one])
def test_a_damaged_package_is_found_before_anything_is_loaded(road, folder, damage, tmp_path):
    name = damage(folder).name
    digest = road.package["digest"][:8]
    score = ("score", "price@champion", "data/later.parquet", tmp_path / "out.parquet")

    for words, code in ((("packages", "verify", digest), 5), (("packages", "bless", digest), 5), (score, 1)):
        answer = road.shell(*words, code=code)
        assert name in answer.err
    assert not (tmp_path / "out.parquet").exists()
    assert "hello" not in answer.out + answer.err


def test_a_stale_move_changes_nothing(road):
    before = road.shell.json("models", "history", "price")

    for expected in ("none", "price/7"):
        answer = road.shell("models", "promote", "price/1", "--expect", expected, code=3)
        assert "names price/1" in answer.err
        assert "nbprod models history price" in answer.err

    assert road.shell.json("models", "history", "price") == before


def test_a_locked_ledger(road):
    """Another process writes for longer than anybody waits."""
    connection = sqlite3.connect(road.folder / ".nbprod" / "ledger.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        answer = road.shell("models", "reject", "price/1", "--note", "x", code=5)
        assert road.shell.json("models", "show", "price/1")["approval"] == "approved"
    finally:
        connection.execute("ROLLBACK")
        connection.close()

    assert "ledger.db is locked by another writer" in answer.err
    assert "try again" in answer.err


def test_a_damaged_ledger(desk, tmp_path):
    (tmp_path / "other.db").write_text("this is no database at all, but a text of some length")
    shell = Shell(desk.folder, {"NBPROD_STORE_LEDGER": f"sqlite:///{tmp_path}/other.db"})

    answer = shell("runs", "list", code=5)

    assert "other.db is not a ledger" in answer.err
    assert "[store] ledger" in answer.err


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "nbprod-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def small_workspace(folder: Path) -> Shell:
    """A workspace whose data lie elsewhere, so that the disk is for what nbprod writes."""
    (folder / "data").mkdir(parents=True)
    (folder / "nbprod.toml").write_text(SETTINGS.replace('"data/small', '"data/small'))
    market("1996-05-07", "1996-07-15").to_parquet(folder / "data" / "small.parquet")
    return Shell(folder)


def test_a_read_only_store(disk):
    shell = small_workspace(disk / "w")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    answer = shell("run", "train", "-p", "data=small", code=5)

    assert str(disk / "w") in answer.err
    assert "writable" in answer.err
    assert not (disk / "w" / ".nbprod" / "runs").exists()
    assert Shell(disk.parent)("init", disk / "other", code=5).err.count("Read-only") == 1


@pytest.mark.parametrize("room", [0, 60_000, 200_000])
def test_a_disk_that_runs_full_while_a_run_is_written(disk, room):
    """Before it starts, while it is made, or while it is executed: told, never half of anything, and it goes on."""
    shell = small_workspace(disk / "w")
    shell("runs", "list")
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - room))

    answer = shell("run", "train", "-p", "data=small", "-p", "model=forest", *QUICK, code=None)

    assert answer.code in {1, 5}
    assert "No space left on device" in answer.err or "disk is full" in answer.err
    ballast.unlink()
    runs = shell.json("runs", "list")
    assert all(run["status"] not in {"succeeded", "running", "queued"} for run in runs)
    for run in runs:
        notebook = Path(run["folder"]) / "notebook.ipynb"
        assert json.loads(notebook.read_text())["cells"]
    kept = {path.name for path in (disk / "w" / ".nbprod" / "runs").glob("*")}
    assert kept == {run["id"] for run in runs}
    again = shell.json("run", "train", "-p", "data=small", "-p", "model=logreg", *QUICK)
    assert again["status"] == "succeeded"


def test_without_room_for_large_files_a_run_does_not_pretend(desk):
    """A limit on the size of files stands in for a full disk where nobody can mount one."""
    import resource

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))

    answer = desk(
        "run", "train", "-p", f"data={DATA / 'electricity.parquet'}", "-p", "end=1996-06-01", "-p", "model=forest",
        *QUICK, code=None, preexec_fn=limited,
    )  # fmt: skip

    assert answer.code in {1, 5}
    assert "File too large" in answer.err
    for run in desk.json("runs", "list"):
        assert run["status"] != "running"
        assert json.loads((Path(run["folder"]) / "notebook.ipynb").read_text())["cells"]
    assert desk.json("packages", "list") == []
