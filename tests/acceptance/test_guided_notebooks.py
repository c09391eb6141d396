"""The guided notebooks run from top to bottom, in order, in one new workspace, as they come with it."""

from __future__ import annotations

import os

import nbclient
import nbformat
import pytest

from tests.acceptance.conftest import Shell

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def guided(tmp_path_factory):
    """The workspace after all of them, and the executed notebooks."""
    place = tmp_path_factory.mktemp("guided")
    Shell(place)("init", "market")
    folder = place / "market" / "notebooks"
    documents = {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NBPROD_")}
    for path in sorted(folder.glob("*.ipynb")):
        document = nbformat.read(path, as_version=4)
        client = nbclient.NotebookClient(document, timeout=400, resources={"metadata": {"path": str(folder)}})
        client.execute(env=environment)
        documents[path.stem] = document
    return Shell(place / "market"), documents


def shown(document) -> str:
    return "\n".join(
        str(out.get("text") or out["data"].get("text/plain"))
        for cell in document.cells
        if cell.cell_type == "code"
        for out in cell.outputs
    )


def test_all_run_and_show_something_in_every_cell_that_ends_with_a_value(guided):
    _, documents = guided

    assert [name[:2] for name in documents] == ["01", "02", "03", "04", "06"]
    for document in documents.values():
        codes = [cell for cell in document.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in codes)
        assert sum(bool(cell.outputs) for cell in codes) >= len(codes) - 2


def test_the_first_makes_a_champion(guided):
    shell, _ = guided
    history = shell.json("models", "history", "electricity", "--limit", "99")

    assert [event["kind"] for event in history][-2:] == ["version.registered", "model.created"]
    assert [event["data"]["version"] for event in history if event["kind"] == "model.promoted"][-1] == 1


def test_the_second_promotes_the_better_of_two_and_takes_it_back_and_forth(guided):
    shell, documents = guided
    moves = [event["kind"] for event in shell.json("models", "history", "bikes")]

    assert shell.json("models", "show", "bikes@champion")["number"] == 2
    assert moves.count("model.promoted") == 3
    assert "casual" in shown(documents["02_compare_and_promote"])


def test_the_third_finds_what_changed_and_its_retraining_is_not_approved(guided):
    shell, documents = guided
    [report] = shell.json("monitor", "list", "electricity")
    text = shown(documents["03_watch_and_retrain"])

    assert {"vicprice", "vicdemand", "transfer"} <= set(report["changed"])
    assert "nswprice" in text
    assert shell.json("models", "show", "electricity/2")["approval"] != "approved"


def test_the_sixth_brings_a_version_to_traffic_and_a_notebook_decides(guided):
    """First beside, then for a part of the units; what was decided is what the ledger and the site say."""
    shell, documents = guided
    [rollout] = shell.json("rollouts", "list", "electricity")
    verdicts = shell.json("rollouts", "analyses", "electricity")[::-1]
    champion = shell.json("models", "show", "electricity@champion")["number"]
    text = shown(documents["06_roll_out"])

    assert [(one["decision"], one["acted"]) for one in verdicts[:2]] == [("advance", "advanced")] * 2
    assert rollout["status"] in {"promoted", "aborted"}
    assert champion == (int(rollout["candidate"].rpartition("/")[2]) if rollout["status"] == "promoted" else 1)
    assert "an equal candidate: rolled back in" in text
    assert "of 2,976 requests" in text
    assert f"<RolloutPanel electricity: {rollout['candidate']}" in text or rollout["status"] == "aborted"
    assert (shell.folder / "site" / "rollouts" / rollout["id"] / "index.html").exists()
    assert shell.json("site", "check") == []


def test_the_fourth_finds_what_the_business_lost_and_says_what_a_bad_kpi_did(guided):
    shell, documents = guided
    worse, usual = shell.json("monitor", "list", "shop")
    outcomes = {
        when: {one["subject"]: one["outcome"] for one in report["checks"] if one["name"] == "kpi"}
        for when, report in (("usual", usual), ("worse", worse))
    }

    assert {name for name, outcome in outcomes["usual"].items() if outcome == "failed"} == {"mistaken"}
    assert outcomes["worse"] == dict.fromkeys(["catalogue_size", "click_through", "mistaken", "revenue"], "failed")
    assert "KeyError" in shown(documents["04_kpis"])
    parts = [part for one in shell.json("alerts", "list", "shop") for part in one["parts"]]
    assert {part["subject"] for part in parts} >= set(outcomes["worse"])
    assert 'metric="revenue"' in shell("export", "prometheus").out
    shell("site", "build")
    page = (shell.folder / "site" / "monitors" / "shop" / "index.html").read_text()
    assert "KPIs, server and batch jobs" in page
    assert "mistaken could not be computed" in page
