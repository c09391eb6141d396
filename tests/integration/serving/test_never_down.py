"""New champions under load, champions that do not load, a ledger that is away, workers that die: answers go on."""

import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from tests.integration.serving.conftest import ROW
from tests.integration.serving.test_durability import Traffic, hold_nothing_lost

pytestmark = pytest.mark.slow


def version_of(server):
    return server.json("GET", "/v2/health/ready")[1]["version"]


def test_swaps_under_load_fail_no_request(serve, workspace, wait_for):
    """Each promotion is in use within two seconds, no request fails, and each answer carries the version that made it."""
    server = serve("power", "--workers", "2")
    expected = {
        ref: workspace.packages.load(workspace.models.resolve(ref).package).predict([ROW])["probability"][0]
        for ref in ("power/1", "power/2", "power/3")
    }
    seen, wrong, over = set(), [], threading.Event()

    def ask():
        while not over.is_set():
            status, told = server.predict()
            if status != 200 or abs(told["predictions"][0]["probability"] - expected[told["version"]]) > 1e-9:
                wrong.append((status, told))
            seen.add(told.get("version"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    took = []
    current = "power/1"
    for ref in ("power/2", "power/3", "power/1", "power/2"):
        workspace.models.promote(ref, expect=current)
        begun, current = time.monotonic(), ref
        # both workers: a connection goes to either of them
        wait_for(
            lambda ref=ref: {server.predict()[1]["version"] for _ in range(8)} == {ref}, within_s=30, every_s=0.05
        )
        took.append(time.monotonic() - begun)
    over.set()
    for one in threads:
        one.join()
    assert wrong == []
    assert seen == set(expected)
    assert min(took) < 3.0  # two seconds, and what the asking takes; the others wait for the machine
    assert server.metrics()['nbprod_swaps_total{result="loaded"}'] >= 10


def spoil(workspace, ref, name, change):
    folder = workspace.packages.folder(workspace.models.resolve(ref).package)
    path = folder / name
    path.chmod(0o600)
    path.write_bytes(change(path.read_bytes()))


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_serving_and_says_so(serve, workspace, wait_for):
    """In health, in the metrics, in an alert, in the log; a good champion afterwards settles it."""
    server = serve()
    spoil(workspace, "power/2", "golden.parquet", lambda content: content + b"x")
    workspace.models.promote("power/2", expect="power/1")
    health = wait_for(lambda: (found := server.json("GET", "/v2/health/ready")[1])["problems"] and found)
    assert (health["ready"], health["version"]) == (True, "power/1")
    assert "power/2 could not be taken into use" in health["problems"][0]
    assert server.predict()[1]["version"] == "power/1"
    assert server.metrics()['nbprod_swaps_total{result="refused"}'] == 1
    wait_for(lambda: server.metrics()["nbprod_problems"] == 1)
    (alert,) = wait_for(lambda: workspace.alerts.list("power"))
    assert "power/2 could not be taken into use" in alert.summary
    assert any(
        json.loads(line)["level"] == "critical" for line in server.log.read_text().splitlines() if line[0] == "{"
    )
    workspace.models.promote("power/3", expect="power/2")
    wait_for(lambda: version_of(server) == "power/3")
    assert server.json("GET", "/v2/health/ready")[1]["problems"] == []
    wait_for(lambda: workspace.alerts.list("power")[0].status == "resolved")


def test_a_server_does_not_begin_with_a_champion_that_cannot_be_loaded(serve, workspace):
    spoil(workspace, "power/1", "golden.parquet", lambda content: content + b"x")
    with pytest.raises(AssertionError, match=r"(?s)ended with 5: .*power/1 could not be taken into use"):
        serve()


def test_a_ledger_that_is_away_does_not_stop_answers(serve, workspace, wait_for):
    """Moved away, answers go on, a worker that dies is replaced, health says so; back again, promotions count."""
    server = serve()
    ledger = workspace.home / "ledger.db"
    away = workspace.home / "away"
    away.mkdir()
    for path in workspace.home.glob("ledger.db*"):
        shutil.move(path, away / path.name)
    ledger.mkdir()  # so that no new one is made in its place
    wait_for(lambda: server.json("GET", "/v2/health/ready")[1]["problems"])
    assert server.predict()[0] == 200
    for worker in server.children("nbprod.serving.worker"):
        worker.kill()

    def answers():
        try:
            return server.predict()[0] == 200
        except OSError:
            return False

    wait_for(answers, within_s=60)
    ledger.rmdir()
    for path in away.iterdir():
        shutil.move(path, workspace.home / path.name)
    wait_for(lambda: not server.json("GET", "/v2/health/ready")[1]["problems"])
    workspace.models.promote("power/2", expect="power/1")
    wait_for(lambda: version_of(server) == "power/2")


def test_a_locked_ledger_does_not_stop_answers(serve, workspace):
    server = serve()
    with closing(sqlite3.connect(workspace.home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            assert server.predict()[0] == 200
        other.execute("ROLLBACK")


def test_too_many_requests_at_once_are_told_to_come_back(serve, workspace):
    """The queue is bounded: beyond it 503 with Retry-After at once, and nothing that was given is lost."""
    server = serve()
    with Traffic(server, clients=40) as traffic:
        time.sleep(3)
    assert set(traffic.codes) <= {200, 503}
    server.stop()
    hold_nothing_lost(workspace, traffic)
