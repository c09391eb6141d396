"""A real MLflow server on the loopback (its tracking store on SQLite, artifacts through the server), asked by its client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from nbprod.errors import NotFoundError, StoreError

pytestmark = pytest.mark.slow

READY_S = 240  # importing the server takes ten seconds, and many times that on a busy machine
PREDICT = """
import sys, mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
mlflow.pyfunc.load_model(sys.argv[2]).predict(pd.read_parquet(sys.argv[3])).to_parquet(sys.argv[4])
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a server of our own; it ends with the tests."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        # a group of its own: the server starts workers
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + READY_S
        while not is_well(place):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.3)
        yield place
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def is_well(place):
    try:
        with urllib.request.urlopen(f"{place}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def client(server):
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    return MlflowClient(server, server)


@pytest.fixture(scope="session")
def champions(register, shared_models, gaps):
    """Two approved versions of one model."""
    from nbprod.training import make_estimator, make_pipeline

    frame, target = gaps
    made = []
    for rows in (600, 1200):
        pipeline = make_pipeline(make_estimator("logreg", "classification", seed=0), frame)
        version = register("market", pipeline.fit(frame[:rows], target[:rows]), frame[rows:], target[rows:])
        version = shared_models.approve(version, note=f"learned from {rows} rows")
        made.append(shared_models.bless_recorded(version, version.registered_at))
    shared_models.promote(made[0], expect=None)
    return made


def runs_of(client, name="market"):
    place = client.get_experiment_by_name(name)
    return client.search_runs([place.experiment_id]) if place else []


def test_a_version_is_there_with_run_notebook_and_alias_and_predicts_the_same(
    exports, champions, client, server, shared_packages, gaps, tmp_path
):
    first, _ = champions

    made = exports.mlflow(first, server)

    package = shared_packages.load(first.package)
    (run,) = runs_of(client)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"data": "electricity", "seed": "7"}
    assert run.data.metrics == {"roc_auc": 0.81}
    assert run.data.tags["nbprod.run"] == package.metadata["run_id"]
    notebook = client.download_artifacts(run.info.run_id, "notebook.ipynb", str(tmp_path))
    assert Path(notebook).read_bytes() == package.sealed.read("notebook.ipynb")

    there = client.get_model_version_by_alias("market", "champion")
    assert (there.version, there.tags["nbprod.version"]) == (made.number, first.ref)
    assert there.tags["nbprod.package"] == first.package
    assert there.description == "learned from 600 rows"

    rows = gaps[0].head(200)
    rows.to_parquet(tmp_path / "rows.parquet")
    command = [sys.executable, "-c", PREDICT, server, "models:/market@champion", str(tmp_path / "rows.parquet")]
    subprocess.run([*command, str(tmp_path / "made.parquet")], check=True, timeout=200, cwd=tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "made.parquet"), package.predict(rows), rtol=1e-9)


def test_repeated_it_duplicates_nothing_and_leaves_stdout_to_data(exports, champions, client, server, capsys):
    first, _ = champions
    exports.mlflow(first, server)
    before = (len(runs_of(client)), len(client.search_model_versions("name='market'")))

    again = exports.mlflow(first, server)

    assert again.created is False
    assert capsys.readouterr().out == ""
    assert (len(runs_of(client)), len(client.search_model_versions("name='market'"))) == before


def test_aliases_follow_and_those_made_over_there_stay(exports, champions, shared_models, client, server):
    first, second = champions
    number = exports.mlflow(first, server).number
    client.set_registered_model_alias("market", "theirs", number)

    shared_models.promote(second, "spare", expect=None)
    newer = exports.mlflow(second, server)

    assert newer.aliases == ("spare",)
    assert client.get_registered_model("market").aliases == {
        "champion": number,
        "theirs": number,
        "spare": newer.number,
    }

    shared_models.promote(second, expect=first)
    exports.mlflow(first, server)  # it no longer is the champion, and nobody has told the server who is
    assert client.get_registered_model("market").aliases == {"theirs": number, "spare": newer.number}

    exports.mlflow(second, server)
    assert client.get_registered_model("market").aliases["champion"] == newer.number


def test_an_export_that_was_interrupted_goes_on(exports, register, gaps, client, server):
    """A run that was begun, and never finished, is the one that is finished."""
    from sklearn.linear_model import LogisticRegression

    from nbprod.training import make_pipeline

    frame, target = gaps
    version = register("broken-off", make_pipeline(LogisticRegression(), frame).fit(frame, target), frame, target)
    place = client.create_experiment("broken-off")
    begun = client.create_run(place, tags={"nbprod.package": version.package})
    client.log_param(begun.info.run_id, "seed", "7")

    made = exports.mlflow(version, server)

    assert made.run_id == begun.info.run_id
    assert [run.info.status for run in runs_of(client, "broken-off")] == ["FINISHED"]


def test_every_version_of_a_model_is_written_oldest_first(exports, champions, server):
    found = exports.mlflow_all("market", server)

    assert [one.version for one in found] == ["market/1", "market/2"]
    assert [one.uri for one in found] == ["models:/market/1", "models:/market/2"]


def test_a_server_that_is_not_there_is_told_in_seconds(exports, champions):
    start = time.monotonic()

    with pytest.raises(StoreError, match=r"can be reached at http://127\.0\.0\.1:9: "):
        exports.mlflow(champions[0], "http://me:secret@127.0.0.1:9")
    with pytest.raises(NotFoundError, match="no address"):
        exports.mlflow(champions[0], "mlruns")
    assert time.monotonic() - start < 30
