"""The commands of the image, run as it runs them, by the wheel of its context, in folders of their own."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile

import pytest

from nbprod import container
from nbprod.exports.lock import lock
from nbprod.workspace import open_workspace


@pytest.fixture(scope="module")
def champion(register, shared_models, gaps):
    """Version 2 of a model, approved; version 1 was never."""
    from sklearn.linear_model import LogisticRegression

    from nbprod.training import make_pipeline

    frame, target = gaps
    made = [
        register("tide", make_pipeline(LogisticRegression(C=c), frame).fit(frame, target), frame, target)
        for c in (0.5, 1.0, 2.0)
    ]
    for version in made[1:]:
        shared_models.approve(version, note="good")
    return made[1:]


@pytest.fixture(scope="module")
def contexts(exports, champion, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contexts")
    return [exports.docker(version, folder / str(version.number)) for version in champion]


@pytest.fixture(scope="module")
def by_wheel(contexts, tmp_path_factory):
    """Runs a command with the nbprod of the context's wheel, and with no workspace around."""
    site = tmp_path_factory.mktemp("site")
    (wheel,) = contexts[0].glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    def run(*arguments, **env):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
            cwd=site,
            env={**os.environ, "PYTHONPATH": str(site), **env},
        )

    where = run("-c", "import nbprod; print(nbprod.__file__)").stdout
    assert where.startswith(str(site)), where
    return run


def test_the_check_of_the_build_passes_by_the_wheel_alone(by_wheel, contexts):
    """It takes the version in, blesses it in a fresh process, and leaves nothing."""
    done = by_wheel("-m", "nbprod.container", "check", str(contexts[0]))

    assert (done.returncode, done.stdout) == (0, "tide gives its golden values here\n"), done.stderr


def test_the_build_fails_where_the_package_was_changed(by_wheel, contexts, tmp_path):
    broken = tmp_path / "context"
    shutil.copytree(contexts[0], broken)
    (broken / "package" / "schema.json").write_text("{}")

    done = by_wheel("-m", "nbprod.container", "check", str(broken))

    assert done.returncode == 1
    assert "schema.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_keeps_its_number_and_a_later_one_takes_over(contexts, champion, tmp_path):
    """A volume that has seen version 2 is given to a container of version 3; each start may be repeated."""
    for context in (contexts[0], contexts[0], contexts[1]):
        assert container._admitted(context, tmp_path) == "tide"
    workspace = open_workspace(tmp_path)

    assert [version.ref for version in workspace.models.list("tide")] == ["tide/3", "tide/2"]
    assert workspace.models.resolve("tide@champion").package == champion[1].package
    assert [one.model for one in workspace.deployments.list()] == ["tide@champion"]
    assert [event.kind for event in workspace.models.history("tide")].count("version.admitted") == 2
    workspace.store.verify()


def test_what_the_container_serves_predicts_the_same(contexts, champion, shared_packages, gaps, tmp_path):
    container._admitted(contexts[0], tmp_path)

    made = open_workspace(tmp_path).deployments.open("tide").predict(gaps[0].head(20).to_dict("records"))

    expected = shared_packages.load(champion[0].package).predict(gaps[0].head(20))
    assert list(made["probability"]) == pytest.approx(list(expected["probability"]))


def test_pip_reads_the_lock_and_refuses_a_file_of_other_bytes(tmp_path):
    """By pip itself, with a wheel of the right name and version and without a network."""
    pins = re.findall(r"^([^#\s]+)==(.+)$", lock({}, {}, "3.11.7"), re.MULTILINE)
    hashed = "".join(f"{name}=={version} --hash=sha256:{'0' * 64}\n" for name, version in pins)
    (tmp_path / "requirements.lock").write_text(lock({}, {}, "3.11.7", hashed))
    name, version = pins[0]
    with zipfile.ZipFile(tmp_path / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("nothing.txt", "other bytes")
    words = ["-m", "pip", "download", "--no-index", "--find-links", ".", "--no-deps", "--dest", "d"]
    done = subprocess.run(
        [sys.executable, *words, "-r", "requirements.lock"], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert "DO NOT MATCH THE HASHES" in done.stderr


class Health(http.server.BaseHTTPRequestHandler):
    """A server with a token, ready or not."""

    status = 200

    def do_GET(self):
        known = self.headers["Authorization"] == "Bearer nbprod_1_2" and self.path in {
            "/v2/health/ready",
            "/v2/health/live",
        }
        self.send_response(self.status if known else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_probe_tells_by_its_exit_code_and_brings_the_token(monkeypatch, tmp_path, capsys):
    server = http.server.HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(container.PORT, str(server.server_port))
    (tmp_path / "token").write_text("nbprod_1_2\n")
    try:
        monkeypatch.delenv("NBPROD_TOKEN_FILE", raising=False)
        assert container.main(["ready"]) == 1
        assert "status 401" in capsys.readouterr().err
        monkeypatch.setenv("NBPROD_TOKEN_FILE", str(tmp_path / "token"))
        assert container.main(["ready"]) == container.main(["live"]) == 0
        monkeypatch.setattr(Health, "status", 503)
        assert container.main(["ready"]) == 1
    finally:
        server.shutdown()
        server.server_close()
    assert container.main(["ready"]) == 1


def test_a_probe_loads_the_standard_library_alone():
    code = "import sys, nbprod.container as c; c.main(['ready']); print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"pandas", "numpy", "sqlalchemy", "typer", "pyarrow"} & set(done.stdout.split())


def test_anything_else_is_usage():
    assert container.main(["serve"]) == container.main([]) == 2


def test_the_context_carries_no_path_of_this_machine(contexts):
    for name in ("Dockerfile", "model.json", "nbprod.toml", "requirements.lock"):
        text = (contexts[0] / name).read_text()
        assert str(contexts[0].parent) not in text
        assert "file:" not in text
    assert json.loads((contexts[0] / "model.json").read_text())["number"] == 2
