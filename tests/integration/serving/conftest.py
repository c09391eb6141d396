"""Real servers of a real deployment, driven from this other process."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from nbprod.clock import now
from nbprod.workspace import open_workspace
from tests.integration.serving.misbehaving import Misbehaving
from tests.unit.packages.conftest import fitted, make_rows, save, stage_run, targets

__all__ = ["fitted"]

ROW = {"load": 0.5, "hour": 3, "place": "north", "kind": "a", "holiday": True}


@pytest.fixture(scope="session")
def made_workspace(tmp_path_factory, fitted):
    """A workspace with three versions of a model, the first of them champion and deployed; copied, never changed."""
    root = tmp_path_factory.mktemp("served") / "workspace"
    root.mkdir()
    (root / "nbprod.toml").write_text('[data]\nprivate = ["place"]\n')
    ws = open_workspace(root)

    def saved(task, private):
        folder = root / f"saved-{len(list(root.iterdir()))}"
        save(folder, task, models[-1], private=private)
        return folder

    models = []
    for number, strength in enumerate([1.0, 0.01, 100.0]):
        models.append(logistic(strength))
        run = stage_run(ws.store, ws.home / "runs", fitted, saved, "binary", number=number, private=("place",))
        version = ws.models.register(ws.packages.build(run), "power")
        ws.models.approve(version, "good")
        ws.models.bless_recorded(version, now())
    ws.models.promote("power/1", expect=None)
    ws.deployments.create("power", model="power@champion")
    return root


def logistic(strength):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    prepared = ColumnTransformer(
        [("numbers", numbers, ["load", "hour"]), ("rest", OneHotEncoder(handle_unknown="ignore"), ["place", "kind"])]
    )
    frame = make_rows()
    return make_pipeline(prepared, LogisticRegression(C=strength)).fit(frame, targets(frame, "binary"))


def _learnt(last):
    """A pipeline that takes a row of any load, and hands load and hour on as they are."""
    prepared = ColumnTransformer(
        [("numbers", SimpleImputer(), ["load", "hour"]), ("rest", OneHotEncoder(handle_unknown="ignore"), ["place"])]
    )
    frame = make_rows()
    return make_pipeline(prepared, last).fit(frame, targets(frame, "binary"))


@pytest.fixture(scope="session")
def made_beside(tmp_path_factory, fitted):
    """A workspace in which nothing is private: power/1 is served, power/2 is well, power/3 misbehaves when asked to."""
    root = tmp_path_factory.mktemp("beside") / "workspace"
    (root / "templates").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[3] / "templates" / "rollout.ipynb", root / "templates")
    kind = f"{Misbehaving.__module__}.{Misbehaving.__qualname__}"
    (root / "nbprod.toml").write_text(f'[packages]\ntrusted = ["{kind}"]\n')
    ws = open_workspace(root)
    for number, last in enumerate([LogisticRegression(), LogisticRegression(C=0.01), Misbehaving()]):
        more = {"trusted": (kind,)} if isinstance(last, Misbehaving) else {}
        run = stage_run(ws.store, ws.home / "runs", fitted, None, number=number, model=_learnt(last), **more)
        version = ws.models.register(ws.packages.build(run), "power")
        ws.models.approve(version, "good")
        ws.models.bless_recorded(version, now())
    # code of an author is trusted by its digest
    (root / "nbprod.toml").write_text(f'[packages]\ntrusted = ["{kind}", "{version.package}"]\n')
    ws.models.promote("power/1", expect=None)
    for name in ("power", "quiet"):
        ws.deployments.create(name, model="power@champion")
    return root


@pytest.fixture(scope="module")
def beside(made_beside, tmp_path_factory):
    """That workspace, for the tests of a module."""
    root = tmp_path_factory.mktemp("beside") / "workspace"
    shutil.copytree(made_beside, root, copy_function=shutil.copy)
    return open_workspace(root)


@pytest.fixture
def workspace(made_workspace, tmp_path, monkeypatch):
    """A workspace of the test's own."""
    root = tmp_path / "workspace"
    shutil.copytree(made_workspace, root, copy_function=shutil.copy)
    monkeypatch.setenv("NBPROD_WORKSPACE", str(root))
    monkeypatch.setenv("NBPROD_ACTOR", "ana")
    return open_workspace(root)


@dataclass
class Server:
    """``nbprod serve`` in a process, and how to ask it."""

    process: subprocess.Popen
    url: str
    log: Path
    token: str = ""
    connections: list = field(default_factory=list)

    @property
    def address(self):
        parts = urlsplit(self.url)
        return parts.hostname, parts.port

    def ask(self, method, path, body=None, headers=None, timeout=30):
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        given = {"authorization": f"Bearer {self.token}"} if self.token else {}
        content = json.dumps(body).encode() if isinstance(body, dict | list) else body
        try:
            connection.request(method, path, content, {**given, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, **more):
        status, _, content = self.ask(method, path, body, **more)
        return status, json.loads(content) if content.strip() else None

    def predict(self, *rows, unit=None):
        return self.json("POST", "/predict", {"rows": list(rows) or [ROW], **({"unit": unit} if unit else {})})

    def socket(self):
        made = socket.create_connection(self.address, timeout=30)
        self.connections.append(made)
        return made

    def children(self, module):
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if module in " ".join(_command(one))]

    def metrics(self):
        """Value by ``name{labels}``."""
        status, _, content = self.ask("GET", "/metrics")
        assert status == 200
        lines = (line.rsplit(" ", 1) for line in content.decode().splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines}

    def stop(self, sign=signal.SIGTERM):
        for one in self.connections:
            one.close()
        if self.process.poll() is None:
            self.process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        children = (
            [] if self.process.poll() is not None else psutil.Process(self.process.pid).children(recursive=True)
        )
        for one in children:
            one.kill()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def start_server(root, log, deployment="power", *options, env=None, token=""):
    """Start a server of a workspace; it answers when this returns."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "nbprod", "serve", deployment, "--port", "0", "--attached", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "NBPROD_WORKSPACE": str(root), **(env or {})},
        )
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        process.stdout.close()
        process.stdin.close()
        raise AssertionError(f"the server ended with {process.returncode}: {log.read_text()}")
    return Server(process, json.loads(line)["url"], log, token)


@contextlib.contextmanager
def started(root, *options):
    """A server for several tests."""
    server = start_server(root, root.parent / "server.log", "power", *options)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def serve(workspace, tmp_path):
    """Start servers of the test's workspace; all are stopped at the end."""
    running = []

    def start(deployment="power", *options, **more):
        log = tmp_path / f"server-{len(running)}.log"
        running.append(start_server(workspace.folder, log, deployment, *options, **more))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def server_of_module(made_workspace, tmp_path_factory):
    """One server for tests that leave nothing behind that another would see."""
    root = tmp_path_factory.mktemp("module") / "workspace"
    shutil.copytree(made_workspace, root, copy_function=shutil.copy)
    with started(root) as server:
        yield server


@pytest.fixture
def wait_for():
    """Wait until something holds, or fail."""

    def wait(holds, within_s=20.0, every_s=0.1):
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := holds():
                return found
            time.sleep(every_s)
        raise AssertionError(f"it did not come about within {within_s} s")

    return wait
