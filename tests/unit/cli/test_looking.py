"""What the command line shows of records: lines that fit, the metric that counts first, the newest and the champion."""

import json
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from nbprod.cli import main
from nbprod.domain.advice import Verdict
from nbprod.domain.deployment import Deployment
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.run import Run, RunStatus
from nbprod.workspace import open_workspace

AT = datetime(2026, 11, 20, 9, 44, 13, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "nbprod.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return open_workspace(tmp_path)


@pytest.fixture
def nbprod(capsys):
    def run(*words, code=0):
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        return out, err

    return run


def add_run(workspace, id_, **more):
    run = Run(
        id=id_,
        template="train",
        source="train.ipynb",
        template_digest="ab" * 32,
        folder="/gone",
        created_at=AT,
        **{"status": RunStatus.SUCCEEDED} | more,
    )
    with workspace.store.write() as session:
        session.add(run)


def test_a_list_of_runs_fits_80_columns_in_a_pipe(workspace, nbprod):
    """Ids and statuses are whole; metrics come in the order they were recorded; JSON has what does not fit."""
    metrics = {
        "roc_auc": 0.81234,
        "rows": 15550.0,
        "accuracy": 0.7,
        "zz": 1.0,
        "balanced_accuracy": 0.6,
        "brier": 0.2,
    }
    add_run(workspace, "20261120T094413Z-train-7f3a", metrics=metrics)
    out, _ = nbprod("runs", "list")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "roc_auc 0.8123, rows 15,550" in out
    long = "20261120T094414Z-a-notebook-with-a-long-name-of-40-letters-7f3b"
    add_run(
        workspace,
        long,
        status=RunStatus.FAILED,
        failed_cell="load-data",
        error="ValueError: could not convert string to float: 'zwölf' in column 'Größe' of row 漢字漢字漢字漢字漢字",
    )
    out, _ = nbprod("runs", "list")
    assert all(cell_len(line) <= 80 for line in out.splitlines())
    assert [line.split()[0] for line in out.splitlines()[1:]] == [long, "20261120T094413Z-train-7f3a"]
    assert "…" in out
    rows = json.loads(nbprod("runs", "list", "--json")[0])
    assert list(rows[1]["metrics"].items()) == list(metrics.items())
    assert {"created_at", "template", "error", "files"} <= set(rows[0])


def test_one_run_shows_whole_numbers_whole(workspace, nbprod):
    add_run(workspace, "20261120T094413Z-train-7f3a", metrics={"mae": 15549.6, "rows": 15550.0})
    out, _ = nbprod("runs", "show", "7f3a")
    assert "mae=15,550, rows=15,550" in out
    assert "e+04" not in out


def report(run_id, end):
    return MonitorReport(
        run_id=run_id,
        deployment="price",
        version=None,
        rows=480,
        outcomes=0,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=end,
        verdict=Verdict.HEALTHY,
        sentence=f"As expected until {end:%B}.",
        created_at=end,
    )


def test_monitor_show_of_a_deployment_is_its_newest_report(workspace, nbprod):
    with workspace.store.write() as session:
        session.add(Deployment(name="price", model=None, created_at=AT, created_by="ada", task="classification"))
        session.add(Deployment(name="young", model=None, created_at=AT, created_by="ada", task="classification"))
    assert "young has no monitor report yet" in nbprod("monitor", "show", "young", code=4)[1]
    with workspace.store.write() as session:
        session.add(report("20260201T000000Z-monitor-0001", datetime(2026, 2, 1, tzinfo=UTC)))
        session.add(report("20260301T000000Z-monitor-0002", datetime(2026, 3, 1, tzinfo=UTC)))
    assert "until March" in nbprod("monitor", "show", "price")[1]
    assert "until February" in nbprod("monitor", "show", "20260201T000000Z-monitor-0001")[1]
    assert workspace.monitors.get("price").run_id.endswith("0002")
