"""Nothing answered is lost: kills of every process at any moment, a full disk, a locked table, outcomes that come first."""

import fcntl
import os
import random
import resource
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from http.client import HTTPException

import psutil
import pytest

from nbprod.workspace import open_workspace
from tests.integration.serving.conftest import ROW

pytestmark = pytest.mark.slow


class Traffic:
    """Clients that go on asking, whatever happens, and remember what they were given."""

    def __init__(self, server, clients=4):
        self.server = server
        self.given, self.codes = [], Counter()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for one in self._threads:
            one.join(60)

    def _ask(self):
        while not self._is_over.is_set():
            try:
                status, told = self.server.predict(*[ROW] * random.choice([1, 1, 1, 5]), unit="u")
            except (OSError, ValueError, HTTPException):
                self.codes["gone"] += 1
                time.sleep(0.02)
                continue
            self.codes[status] += 1
            if status == 200:
                self.given += [one["prediction_id"] for one in told["predictions"]]
            else:
                time.sleep(0.05)


def kept(workspace):
    return workspace.lake.window("power").to_table(["prediction_id"])["prediction_id"].to_pylist()


def hold_nothing_lost(workspace, traffic):
    """What was given is in the table, once, as soon as what was left in spools is moved."""
    workspace.deployments.drain("power")
    found = Counter(kept(workspace))
    assert traffic.given
    assert [one for one in traffic.given if one not in found] == []
    assert [one for one, times in found.items() if times > 1] == []


def kill_again_and_again(server, kills, seed, pause_s):
    """Kill workers and the drainer at random moments; those that die are replaced."""
    chance = random.Random(seed)
    done = Counter()
    while sum(done.values()) < kills:
        kind = chance.choice(["nbprod.serving.worker", "nbprod.serving.keeping"])
        found = server.children(kind)
        if not found or (kind.endswith("worker") and len(found) < 2):
            time.sleep(0.02)  # at least one answers, so that there is something to lose
            continue
        with suppress(Exception):
            chance.choice(found).kill()
            done[kind] += 1
        time.sleep(chance.uniform(0, pause_s))
    return done


def test_a_hundred_kills_lose_and_double_nothing(serve, workspace):
    """Kill -9 of workers and of the drainer, a hundred times, while clients ask."""
    server = serve("power", "--workers", "3")
    with Traffic(server) as traffic:
        done = kill_again_and_again(server, 100, seed=4, pause_s=0.3)
    assert min(done.values()) > 10
    server.stop()
    hold_nothing_lost(workspace, traffic)


def living(processes):
    """The command lines of those that have not ended."""
    left = []
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            if one.status() != psutil.STATUS_ZOMBIE:
                left.append((one.pid, one.status(), " ".join(one.cmdline())[:200]))
    return left


def test_a_killed_server_takes_its_processes_along_and_the_next_one_keeps_what_it_left(serve, workspace, wait_for):
    server = serve("power", "--workers", "2")
    children = server.children("nbprod.serving")
    with Traffic(server) as traffic:
        wait_for(lambda: len(traffic.given) > 20)
        server.process.kill()
        server.process.wait()
    with suppress(AssertionError):
        wait_for(lambda: not living(children), within_s=60)
    assert living(children) == []
    again = serve()
    again.predict()
    again.stop()
    hold_nothing_lost(workspace, traffic)


def test_two_servers_on_one_lake_keep_apart(serve, workspace):
    """Each has spools of its own, one of them drains, and both answer."""
    one, other = serve(), serve()
    with Traffic(one) as first, Traffic(other) as second:
        time.sleep(2)
        for child in one.children("nbprod.serving.keeping"):
            child.kill()
        time.sleep(1)
    one.stop()
    other.stop()
    first.given += second.given
    hold_nothing_lost(workspace, first)


def test_a_full_disk_is_answered_503_until_there_is_room(workspace, tmp_path, serve, wait_for):
    """What cannot be kept is not given; the server lives, and goes on by itself when there is room again."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    spools = workspace.home / "spools"
    spools.mkdir(parents=True, exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", spools], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        server = serve()
        given = [server.predict()[1]["predictions"][0]["prediction_id"]]
        filler = spools / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        codes = [server.predict(*[ROW] * 200)[0] for _ in range(30)]
        assert set(codes[-10:]) == {503}
        status, headers, _ = server.ask("POST", "/predict", {"rows": [ROW] * 200})
        assert (status, headers["retry-after"]) == (503, "1")
        assert server.json("GET", "/v2/health/ready")[1]["problems"]
        filler.unlink()
        status, told = wait_for(lambda: (found := server.predict())[0] == 200 and found)
        given.append(told["predictions"][0]["prediction_id"])
        assert wait_for(lambda: not server.json("GET", "/v2/health/ready")[1]["problems"])
        server.stop()
        assert set(given) <= set(kept(workspace))
    finally:
        subprocess.run(["umount", "-l", spools], check=False)


def test_a_locked_table_keeps_nobody_waiting(serve, workspace, wait_for):
    """While another writer holds the table, predictions lie in the spool; then they move."""
    server = serve()
    assert server.predict()[0] == 200
    wait_for(lambda: len(kept(workspace)) == 1)
    lock = os.open(workspace.home / "lake" / "power" / "predictions.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    codes = [server.predict()[0] for _ in range(20)]
    assert codes == [200] * 20
    wait_for(lambda: server.metrics().get("nbprod_log_lag_rows", 0) >= 20)
    assert len(kept(workspace)) == 1
    os.close(lock)
    wait_for(lambda: len(kept(workspace)) == 21)
    wait_for(lambda: server.metrics()["nbprod_log_lag_rows"] == 0)


def test_a_locked_spool_is_answered_503(serve, workspace, wait_for):
    """Whatever keeps the disk from taking a prediction, it is not given."""
    server = serve()
    assert server.predict()[0] == 200
    with closing(sqlite3.connect(workspace.home / "spools" / "power" / "0.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert server.predict()[0] == 503
        other.execute("ROLLBACK")
    wait_for(lambda: server.predict()[0] == 200)


def test_not_durable_means_within_a_second(workspace, serve, wait_for):
    """``durable = false``: the answer does not wait, and the prediction is on the disk within a second all the same."""
    with (workspace.folder / "nbprod.toml").open("a") as file:
        file.write("[serve]\ndurable = false\n")
    server = serve()
    given = [server.predict()[1]["predictions"][0]["prediction_id"] for _ in range(20)]
    time.sleep(1.0)
    for worker in server.children("nbprod.serving.worker"):
        worker.kill()
    wait_for(lambda: server.children("nbprod.serving.worker"))
    server.stop()
    assert set(given) <= set(kept(workspace))


def test_open_files_are_raised_to_what_the_system_allows(serve):
    """A server of many connections does not end at the shell's usual thousand."""
    server = serve()
    (worker,) = server.children("nbprod.serving.worker")
    soft, hard = worker.rlimit(resource.RLIMIT_NOFILE)
    assert soft == hard or soft >= 65536


def test_open_workspace_sees_what_a_server_keeps(serve, workspace, wait_for):
    """The monitor's window is fed by the server as by ``deployments.open``."""
    server = serve()
    told = server.predict(ROW, ROW)[1]["predictions"]
    wait_for(lambda: open_workspace(workspace.folder).deployments.window("power").count() == 2)
    recent = workspace.deployments.recent("power")
    assert {row["prediction_id"] for row in recent} == {one["prediction_id"] for one in told}
