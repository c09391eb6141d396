"""The entry of the image as it is started: it takes the version and the mounted token in, and answers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from nbprod import container
from nbprod.workspace import open_workspace
from tests.integration.exports.test_container import champion

__all__ = ["champion"]

TOKEN = "nbprod_0a1b2c3d_" + "5e" * 32
READY_S = 240


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))
        return free.getsockname()[1]


def ask(port, method, path, body=None, token=TOKEN):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_started_container_answers_the_mounted_token_alone_and_drains(
    exports, champion, shared_packages, gaps, tmp_path, port
):
    """Reached from outside; the same number as the package gives; what was answered is kept on the volume."""
    context = exports.docker(champion[0], tmp_path / "context")
    volume = tmp_path / "volume"
    volume.mkdir()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    env = {**os.environ, "NBPROD_WORKSPACE": str(volume), "NBPROD_TOKEN_FILE": str(tmp_path / "token")}
    command = [sys.executable, "-m", "nbprod.container"]
    env[container.PORT] = str(port)
    options = ["--host", "0.0.0.0", "--workers", "1"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "serve", str(context), *options], env=env, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + READY_S
        while subprocess.run([*command, "ready"], env=env, capture_output=True, check=False).returncode:
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.3)
        row = json.loads(gaps[0].dropna().head(1).to_json(orient="records"))[0]

        status, body = ask(port, "POST", "/predict", {"rows": [row]})

        said = json.loads(body)
        expected = shared_packages.load(champion[0].package).predict([row])["probability"].iloc[0]
        assert (status, said["version"]) == (200, champion[0].ref)
        assert said["predictions"][0]["probability"] == pytest.approx(expected, rel=1e-12)
        deployments = open_workspace(volume).deployments
        while not deployments.recent(champion[0].model):
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.3)
        assert ask(port, "GET", "/v2/health/ready", token=None)[0] == 401
        assert ask(port, "POST", "/predict", {"rows": [row]}, token=TOKEN.replace("5e", "5f"))[0] == 401
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    (kept,) = deployments.recent(champion[0].model)
    assert kept["prediction_id"] == said["predictions"][0]["prediction_id"]


def test_a_token_that_is_none_is_refused_before_anything_is_served(exports, champion, tmp_path, monkeypatch, capsys):
    context = exports.docker(champion[0], tmp_path / "context")
    (tmp_path / "token").write_text("secret")
    (tmp_path / "volume").mkdir()
    monkeypatch.setenv("NBPROD_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path / "volume"))

    assert container.main(["serve", str(context)]) == 1
    told = capsys.readouterr().err
    assert "given as a token is none" in told
    assert "secret" not in told


def test_each_start_may_bring_another_token(tmp_path):
    (tmp_path / "nbprod.toml").write_text("")
    tokens = open_workspace(tmp_path).tokens
    other = "nbprod_9f8e7d6c_" + "ab" * 32

    for text in (TOKEN, TOKEN, other):
        tokens.admit("container", text, scopes=("predict", "read"))

    assert [(one.name, one.id, one.scopes) for one in tokens.list()] == [
        ("container", "9f8e7d6c", ("predict", "read"))
    ]
