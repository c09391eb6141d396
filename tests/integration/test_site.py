"""The site of a small real workspace: ledger, run folders, and a notebook that a real kernel executed."""

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from typer.testing import CliRunner

from nbprod.domain.alert import Alert, AlertStatus, Severity
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import NotFoundError
from nbprod.site import build, check, open_site, report
from nbprod.store import Store
from tests.integration import site_records
from tests.unit.pages.conftest import HOSTILE, active

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def executed():
    return site_records.executed_notebook()


@pytest.fixture(scope="module")
def filled(tmp_path_factory, executed):
    root = tmp_path_factory.mktemp("filled")
    site_records.fill(root, executed)
    return root


@pytest.fixture
def records(tmp_path, filled):
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return Store.open(f"sqlite:///{tmp_path / 'ledger.db'}", files=tmp_path / "files"), tmp_path / "runs"


@pytest.fixture
def site(tmp_path, records):
    store, runs = records
    build(store, tmp_path / "site", runs_folder=runs, name="demo")
    return tmp_path / "site"


def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text() for path in site.rglob("*.html")}


def test_the_site_has_no_fault(site):
    assert check(site) == []


def test_every_noun_has_its_page(site):
    names = set(pages(site))
    assert {
        "index.html",
        "runs/index.html",
        "models/index.html",
        "models/electricity/index.html",
        "rollouts/index.html",
        "rollouts/rollout-1/index.html",
        "monitors/index.html",
        "monitors/electricity/index.html",
        "alerts/index.html",
        "scorecards/index.html",
        "history/index.html",
    } <= names
    assert (
        len([name for name in names if name.startswith("runs/2026") and name.endswith("Z-train-0001/index.html")])
        == 1
    )


def test_the_first_page_says_what_is_true_now(site):
    text = (site / "index.html").read_text()
    for words in (
        "1 deployment, 1 alert not resolved, 1 model version waiting for a decision.",
        '<a href="models/electricity/index.html#version-2">electricity/2</a>',
        "accuracy is 0.62",
        "marked: electricity/2 at 1 Jul 1997",
    ):
        assert words in text


def test_the_history_of_an_alias_tells_who_why_and_on_which_evidence(site):
    text = (site / "models/electricity/index.html").read_text()
    assert "Better on the rest of June by 0.21" in text
    assert "policy" in text
    assert "evaluate-0003" in text
    assert "Predicts whether the price goes up." in text
    assert "tags: [x]" not in text


def test_a_rollout_says_its_answer_then_its_evidence_and_who_moved_it(site):
    """Links both ways: its deployment, both versions, the runs of its analyses, the alert of the guard."""
    text = (site / "rollouts/rollout-1/index.html").read_text()
    answer = "electricity/2 took over from electricity/1: no worse than its margin in every metric."
    places = [
        text.index(words) for words in (answer, ">Evidence</h2>", ">Steps</h2>", ">Verdicts</h2>", ">Who moved it")
    ]
    assert places == sorted(places)
    assert "its rate is 0.85 x the stable version&#39;s (0.63 x to 1.14 x)." in text
    assert "limit harm: rolls back at 40 at 40" in text
    assert text.count("advanced by the analysis") == 1
    assert '<a href="../../models/electricity/index.html#version-2">electricity/2</a>' in text
    assert '<a href="../../monitors/electricity/index.html">electricity</a>' in text
    assert "evaluate-0003</a>" in text
    guarded = (site / "rollouts/rollout-2/index.html").read_text()
    assert "9 of 9 failures" in guarded
    assert "rolled back</strong> by guard" in guarded
    assert "<h2>Alerts</h2>" in guarded
    for page in ("models/electricity", "monitors/electricity", "history", "rollouts"):
        assert "rollouts/rollout-1/index.html" in (site / page / "index.html").read_text() or page == "rollouts"
    assert 'href="../rollouts/rollout-2/index.html"' in (site / "alerts/index.html").read_text()


def test_a_run_page_shows_the_executed_notebook(site):
    text = next(text for name, text in pages(site).items() if name.endswith("train-0009/index.html"))
    assert "<h1>Train a classifier</h1>" in text
    assert "ZeroDivisionError: division by zero" in text
    assert 'class="dataframe"' in text
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "seed = 8" not in text
    assert "✕" in text


def test_files_are_brought_and_those_that_could_act_are_boxed(site):
    files = next(site.glob("runs/*-train-0001/files"))
    assert sorted(path.name for path in files.iterdir()) == ["evidently.boxed.html", "scores.csv"]
    assert "<script" not in (files / "evidently.boxed.html").read_text()
    text = (files.parent / "index.html").read_text()
    assert "model.skops" in text
    assert '<a href="files/evidently.boxed.html">evidently.html</a>' in text
    assert json.loads((files.parent / "notebook.ipynb").read_bytes())["nbformat"] == 4


def test_building_again_changes_nothing(tmp_path, records, site):
    store, runs = records
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}
    again = build(store, site, runs_folder=runs, name="demo")
    assert (again.changed, again.runs_built, again.runs_kept) == (0, 0, 16)
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()} == before


def test_the_same_records_give_the_same_bytes(tmp_path, records, site):
    store, runs = records
    build(store, tmp_path / "other", runs_folder=runs, name="demo")
    assert pages(site) == pages(tmp_path / "other")


def test_only_the_page_of_a_changed_run_is_made_again(records, site):
    store, runs = records
    with store.write() as session:
        run = session.list(Run, {"template": "evaluate"})[0]
        session.replace(replace(run, metrics={"gain": 0.4}), expecting={"status": run.status})
    summary = build(store, site, runs_folder=runs, name="demo")
    assert summary.runs_built == 1
    assert "0.4" in (site / "runs" / run.id / "index.html").read_text()


def test_a_run_that_was_pruned_leaves_the_site(tmp_path, records, site):
    store, runs = records
    with store.read() as session:
        newest = session.list(Run, limit=1)[0]
    build(store, site, runs_folder=runs, since=newest.created_at, name="demo")
    assert [path.name for path in sorted((site / "runs").iterdir())] == [newest.id, "index.html"]
    assert check(site) == []


def test_data_for_machines_tell_the_same_and_no_paths(site, tmp_path):
    runs = json.loads((site / "data/runs.json").read_bytes())
    assert (runs["schema"], len(runs["runs"])) == (1, 16)
    assert not {"folder", "source"} & runs["runs"][0].keys()
    monitors = json.loads((site / "data/monitors.json").read_bytes())["monitors"]
    assert monitors[0]["checks"][0]["rule"] == "worse by at most 0.06"
    whole = "".join(path.read_text() for path in site.rglob("*") if path.suffix in {".html", ".json", ".xml"})
    assert str(tmp_path.parent) not in whole


def test_the_feed_is_atom_with_an_entry_for_each_event(site, records):
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ET.parse(site / "feed.xml").getroot()
    entries = feed.findall(f"{atom}entry")
    with records[0].read() as session:
        assert len(entries) == len(session.events())
    assert entries[0].find(f"{atom}id").text.startswith("urn:nbprod:demo:event:")
    promoted = next(one for one in entries if "model promoted" in one.find(f"{atom}title").text)
    assert promoted.find(f"{atom}title").text == "model promoted electricity@champion to version 2"


def test_an_empty_ledger_has_a_site_that_says_what_to_do_next(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'ledger.db'}", files=tmp_path / "files")
    build(store, tmp_path / "site", runs_folder=tmp_path / "runs")
    assert check(tmp_path / "site") == []
    assert "nbprod run train" in (tmp_path / "site/index.html").read_text()


def test_a_run_folder_that_is_gone_or_broken_does_not_stop_the_build(tmp_path, records):
    store, runs = records
    broken = next(runs.glob("*-train-0001"))
    (broken / "notebook.ipynb").write_text("{")
    (broken / "events.jsonl").write_bytes(b"\xff\x00{")
    for path in sorted(next(runs.glob("*-train-0002")).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    build(store, tmp_path / "site", runs_folder=runs)
    assert check(tmp_path / "site") == []
    assert (
        "There is no notebook to show" in next((tmp_path / "site").glob("runs/*-train-0001/index.html")).read_text()
    )


def test_links_in_a_run_folder_are_not_followed(tmp_path, records):
    store, runs = records
    (tmp_path / "secret.txt").write_text("secret")
    files = next(runs.glob("*-train-0001")) / "files"
    (files / "link.txt").symlink_to(tmp_path / "secret.txt")
    (files / "folder").symlink_to(tmp_path)
    build(store, tmp_path / "site", runs_folder=runs)
    assert not list((tmp_path / "site").rglob("link.txt"))
    assert not list((tmp_path / "site").rglob("secret.txt"))


#: An OSC 8 link, colours by C1, an override and an isolate, separators, zero-width, tags.
HIDDEN = (
    "a\x1b\x07\x7fb",
    "a\x9b\x85b",
    "a\u202e\u2066\u200eb",
    "a\u2028\u2029b",
    "a\u200b\u2060\ufeff\u00adb",
    "a\U000e0001\U000e0041b",
)


def test_hostile_values_in_every_record_do_not_act(tmp_path, records):
    store, runs = records
    for number, payload in enumerate([*HOSTILE, *HIDDEN]):
        payload = payload.replace("\ud800", "")  # noqa: PLW2901 — the ledger keeps no half characters
        run = replace(
            site_records.make_run(100 + number, "train", minutes=100 + number, status=RunStatus.FAILED),
            template=payload,
            actor=payload,
            error=payload,
            failed_cell=payload,
            caused_by=payload,
            parameters={payload: payload},
            metrics={payload: 1.0},
        )
        with store.write() as session:
            session.add(run)
            alert = session.list(Alert, {"status": AlertStatus.RESOLVED})[0]
            part = replace(alert.parts[0], subject=payload, sentence=payload)
            texts = dict.fromkeys(("subject", "summary", "note", "owner", "runbook", "status_by"), payload)
            session.add(replace(alert, id=f"a{number}{payload}", parts=(part, part), **texts))
            session.event(payload, payload, reason=payload, evidence=[payload], actor=payload)
    build(store, tmp_path / "site", runs_folder=runs, name="<script>alert(1)</script>")
    for name, text in pages(tmp_path / "site").items():
        if not name.endswith(".boxed.html"):
            assert active(text) == [], name
            assert not set(unescape(text)) & set("".join(HIDDEN)) - set("ab"), name
    ET.parse(tmp_path / "site" / "feed.xml")
    assert [fault for fault in check(tmp_path / "site") if fault.rule != "size"] == []


def test_an_alert_is_one_line_with_when_it_happened_first_and_its_parts_to_unfold(tmp_path, records):
    store, runs = records
    with store.write() as session:
        alert = session.list(Alert, {"status": AlertStatus.OPEN})[0]
        parts = (alert.parts[0], replace(alert.parts[0], check="drift", subject="vicprice", sentence="It is alive."))
        when = {"began": datetime(1997, 6, 1, tzinfo=UTC), "ended": datetime(1997, 7, 1, tzinfo=UTC)}
        runbook = "https://wiki.example.org/accuracy"
        after = replace(alert, parts=parts, owner="maria", runbook=runbook, severity=Severity.CRITICAL, **when)
        session.replace(after, expecting={"revision": alert.revision})
    build(store, tmp_path / "site", runs_folder=runs, name="demo")
    text = (tmp_path / "site" / "alerts" / "index.html").read_text()

    row = text.split('id="alert-1"')[1].split("</tr>")[0]
    assert row.startswith('><th scope="row">June 1997, seen 20 Nov</th>')
    told = ["critical", "open", "performance accuracy and 1 more", "drift vicprice", "It is alive.", "owner maria"]
    assert [row.index(words) for words in told] == sorted(row.index(words) for words in told)
    assert f'<a href="{runbook}" rel="noreferrer">Runbook</a>' in row
    assert row.count("<details>") == 1
    assert check(tmp_path / "site") == []


def test_a_report_stands_alone_in_the_run_folder(records):
    store, runs = records
    with store.read() as session:
        run = session.list(Run, {"template": "evaluate"})[0]
    page = report(run, runs / run.id)
    assert active(page) == []
    assert '<a href="notebook.ipynb">' in page
    assert '<a href="files/scores.csv">' in page
    assert "evidently.html" in page
    assert 'href="files/evidently.html"' not in page
    assert len(page.encode()) < 300_000


def test_opening_no_site_says_how_to_build_one(tmp_path):
    with pytest.raises(NotFoundError, match="nbprod site build"):
        open_site(tmp_path)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "nbprod.toml").write_text("")
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    return tmp_path


def ask(*arguments):
    from nbprod.cli.site import app

    return CliRunner().invoke(app, arguments)


def test_the_command_builds_checks_and_tells_where(workspace):
    built = ask("build")
    assert (built.exit_code, built.stdout) == (0, f"{workspace / 'site' / 'index.html'}\n")
    assert "files changed" in built.stderr
    assert (ask("check").exit_code, ask("check", "--json").stdout) == (0, "[]\n")


def test_the_command_ends_with_3_when_a_page_is_at_fault(workspace):
    assert ask("build", str(workspace / "other")).exit_code == 0
    (workspace / "other" / "runs" / "index.html").unlink()
    checked = ask("check", str(workspace / "other"))
    assert checked.exit_code == 3
    assert "runs/index.html leads nowhere" in checked.stdout


def test_the_command_refuses_a_moment_that_is_none(workspace):
    assert ask("build", "--since", "yesterday").exit_code == 2
