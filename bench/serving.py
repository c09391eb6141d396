"""Requests over HTTP: ours with the durable log on, a bare echo, `mlflow models serve` and BentoML without any log.

    python bench/serving.py [--seconds 8] [--workers 1] [--only ours,echo,mlflow,bentoml]

One model (a logistic regression behind imputing, scaling and one-hot encoding, and a boosting), 16 connections, one row
each, by wrk; p99 at half of what ours took, by an open loop of our own. MLflow and BentoML each live in an environment
of its own, made beside this run in a temporary folder, with scikit-learn and pandas of this environment's versions.
"""

import argparse
import asyncio
import contextlib
import http.client
import importlib.metadata
import io
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from nbprod.clock import now
from nbprod.scaffold import create_workspace
from nbprod.workspace import open_workspace

CONNECTIONS = 16
NUMBERS = [f"n{number}" for number in range(10)]
WORDS = [f"c{number}" for number in range(5)]

ECHO = """
import sys, uvicorn
from fastapi import FastAPI, Request, Response
application = FastAPI()

@application.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/json")

async def raw(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

uvicorn.run(application if sys.argv[2] == "fastapi" else raw, port=int(sys.argv[1]), log_level="critical", lifespan="off")
"""

BENTO = """
import bentoml, joblib, pandas as pd

@bentoml.service(workers={workers}, traffic={{"timeout": 30}})
class Model:
    def __init__(self):
        self.pipeline = joblib.load({model!r})

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[float]:
        return self.pipeline.predict_proba(pd.DataFrame(rows))[:, 1].tolist()
"""


def rows_of(count, seed=0):
    chance = np.random.default_rng(seed)
    frame = pd.DataFrame({name: chance.normal(size=count) for name in NUMBERS})
    for number, name in enumerate(WORDS):
        frame[name] = chance.choice([f"level-{level}" for level in range(4 + 2 * number)], count)
    return frame


def fitted(kind, frame):
    score = frame[NUMBERS[:3]].sum(axis=1) + (frame["c0"] == "level-1")
    target = pd.Series(
        np.where(score + np.random.default_rng(1).normal(size=len(frame)) > 0.5, "yes", "no"), name="answer"
    )
    last = LogisticRegression(max_iter=500) if kind == "logistic" else HistGradientBoostingClassifier(random_state=0)
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepared = ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, WORDS)])
    return make_pipeline(prepared, last).fit(frame, target), target


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def workspace_of(folder, pipeline, frame, target):
    """A workspace that serves the pipeline, made by the usual road but for the notebook."""
    from nbprod.domain.run import Run, RunStatus
    from nbprod.recording import save_model

    create_workspace(folder)
    ws = open_workspace(folder)
    run = ws.home / "runs" / "20261120T094413Z-train-0000"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"id": run.name, "template": "train", "private": []}))
    os.environ["NBPROD_RUN"] = str(run)
    with contextlib.redirect_stdout(io.StringIO()):
        save_model(pipeline, inputs=frame[:2000], target=target[:2000])
    del os.environ["NBPROD_RUN"]
    (run / "notebook.ipynb").write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    record = Run(
        id=run.name, template="train", source="templates/train.ipynb", template_digest="0" * 64,
        status=RunStatus.SUCCEEDED, folder=str(run), created_at=now(), ended_at=now(), parameters={}, metrics={}, data={},
    )  # fmt: skip
    with ws.store.write() as session:
        session.add(record)
    version = ws.models.register(ws.packages.build(record), "bench")
    ws.models.approve(version, "bench")
    ws.models.bless(version)
    ws.models.promote("bench/1", expect=None)
    ws.deployments.create("bench", model="bench@champion")
    return ws


@contextlib.contextmanager
def running(command, port, path, body, env=None, cwd=None, within_s=180):
    """A server in a process group of its own; gives the seconds until it answered."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}, cwd=cwd,
        start_new_session=True,
    )  # fmt: skip
    try:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("POST", path, body, {"content-type": "application/json"})
                if connection.getresponse().status == 200:
                    break
            if process.poll() is not None or time.perf_counter() - started > within_s:
                raise SystemExit(f"{command[0]} did not answer")
            time.sleep(0.02)
        yield time.perf_counter() - started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def hammered(port, path, body, seconds):
    """Requests a second at 16 connections, by wrk, or by our own loop where it is not installed."""
    if shutil.which("wrk") is None:
        return asyncio.run(loop(port, path, body, seconds, rate=None))[0]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"wrk.method='POST'\nwrk.body={json.dumps(body)}\nwrk.headers['Content-Type']='application/json'\n"
        )
        script.flush()
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "-s",
            script.name,
            f"http://127.0.0.1:{port}{path}",
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    if failed:
        print(f"  {failed[1]} requests failed")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])


async def loop(port, path, body, seconds, rate):
    """Requests a second and latencies (s) of 16 connections, each as fast as it can or at its part of a rate."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    request, latencies = head.encode() + body.encode(), []
    begun = time.perf_counter()

    async def client(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = begun + number / (rate or 1)
        while time.perf_counter() - begun < seconds:
            if rate:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                start, due = due, due + CONNECTIONS / rate  # from when it was due: a late server is not forgiven
            else:
                start = time.perf_counter()
            writer.write(request)
            header = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", header)[1])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*map(client, range(CONNECTIONS)))
    return len(latencies) / (time.perf_counter() - begun), latencies


def p99_at(port, path, body, seconds, rate):
    _, latencies = asyncio.run(loop(port, path, body, seconds, rate))
    return statistics.quantiles(latencies, n=100)[98] * 1000


def environment(folder, *packages):
    """An environment of its own with some packages, and this one's versions of what the model needs."""
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in ("scikit-learn", "numpy", "joblib")]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    installer = [
        shutil.which("uv") or str(Path(sys.executable).with_name("uv")),
        "pip",
        "install",
        "--python",
        str(python),
    ]
    subprocess.run([*installer, "--quiet", *pins, "pandas<3.1", *packages], check=True)
    return python


def main():
    """Print one table a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="echo,raw,ours,mlflow,bentoml")
    parser.add_argument("--models", default="logistic,boosting")
    given = parser.parse_args()
    wanted = given.only.split(",")
    frame = rows_of(20_000)
    row = json.loads(frame.iloc[[0]].to_json(orient="records"))
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as temporary:
        root = Path(temporary)
        (root / "echo.py").write_text(ECHO)
        mlflow = environment(root / "mlflow-env", "mlflow") if "mlflow" in wanted else None
        bento = environment(root / "bento-env", "bentoml") if "bentoml" in wanted else None
        for kind in given.models.split(","):
            pipeline, target = fitted(kind, frame)
            print(f"\n{kind}: {given.workers} worker(s), {CONNECTIONS} connections, one row, {given.seconds} s")
            measure(root / kind, given, wanted, pipeline, frame, target, row, mlflow, bento, root / "echo.py")


def measure(folder, given, wanted, pipeline, frame, target, row, mlflow, bento, echo):
    folder.mkdir()
    ours = json.dumps({"rows": row})
    found = {}

    def take(name, command, path, body, **more):
        port = more.pop("port")
        with running(command, port, path, body, **more) as ready_s:
            hammered(port, path, body, 2)
            rate = hammered(port, path, body, given.seconds)
            half = found["ours"][0] / 2 if "ours" in found else rate / 2
            # half of our load, or of what it can take itself where that is less
            p99 = p99_at(port, path, body, given.seconds, min(half, rate / 2))
        found[name] = (rate, p99, ready_s)
        ratio = f"{found['ours'][0] / rate:6.2f}x" if "ours" in found else ""
        print(f"  {name:22} {rate:9,.0f} requests/s   p99 {p99:8.2f} ms   ready {ready_s:6.2f} s   ours is {ratio}")

    if "ours" in wanted:
        ws = workspace_of(folder / "workspace", pipeline, frame, target)
        port = free_port()
        command = [sys.executable, "-m", "nbprod", "-w", str(ws.folder), "serve", "bench", "--port", str(port)]
        take("ours", [*command, "--workers", str(given.workers)], "/predict", ours, port=port)
        print(f"  kept {ws.lake.predictions('bench').window().count():,} predictions in the table")
    for name in ("fastapi", "raw"):
        if ("echo" if name == "fastapi" else "raw") in wanted:
            port = free_port()
            take(f"echo ({name})", [sys.executable, str(echo), str(port), name], "/echo", ours, port=port)
    model = folder / "model.joblib"
    joblib.dump(pipeline, model)
    if mlflow:
        script = "import joblib,mlflow.sklearn,sys; mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], serialization_format='cloudpickle', pip_requirements=[], pyfunc_predict_fn='predict_proba')"
        subprocess.run([mlflow, "-c", script, model, folder / "mlflow"], check=True, capture_output=True)
        port = free_port()
        command = [str(mlflow.parent / "mlflow"), "models", "serve", "-m", str(folder / "mlflow"), "--env-manager", "local",
                   "--port", str(port), "--workers", str(given.workers)]  # fmt: skip
        env = {
            "PATH": f"{mlflow.parent}:{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        }
        take(
            "mlflow models serve", command, "/invocations", json.dumps({"dataframe_records": row}), port=port, env=env
        )
    if bento:
        (folder / "service.py").write_text(BENTO.format(workers=given.workers, model=str(model)))
        port = free_port()
        command = [str(bento.parent / "bentoml"), "serve", "service:Model", "--port", str(port)]
        env = {
            "PATH": f"{bento.parent}:{os.environ['PATH']}",
            "BENTOML_HOME": str(folder),
            "BENTOML_DO_NOT_TRACK": "1",
        }
        take("BentoML", command, "/predict", json.dumps({"rows": row}), port=port, env=env, cwd=folder)


if __name__ == "__main__":
    main()
