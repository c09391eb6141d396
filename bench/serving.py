"""Requests over HTTP: ours with the durable log on, a bare echo, `mlflow models serve` and BentoML without any log.

    python bench/serving.py [--seconds 8] [--workers 1] [--rounds 3] [--only ours,echo,raw,rollout,ready,mlflow,bentoml]
                            [--models logistic,boosting] [--environments FOLDER]

One model (a logistic regression behind imputing, scaling and one-hot encoding, and a boosting), 16 connections, one row
each, by wrk; p99 by an open loop of our own at half of what ours took, or of what the other can take where that is
less. Servers take turns, and the median round counts. Beside requests a second stands the processor time of a request,
of all processes of a server: it says the same on a machine that does other work. The bare echo is a route of FastAPI
under uvicorn, what any route of such a server costs before it does anything; the raw one is a callable under uvicorn
that sends back what it got, without FastAPI. `rollout` asks the same server with an open canary and without; `ready`
is from the start of `nbprod serve` to the first 200 of /v2/health/ready, with a model of the train template. MLflow
and BentoML each live in an environment of its own, made by pip beside this run, or kept in a folder for the next one,
with scikit-learn and numpy of this environment's versions.
"""

import argparse
import asyncio
import contextlib
import http.client
import importlib.metadata
import io
import itertools
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
import psutil
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


def workspace_of(folder, *fits):
    """A workspace that serves the first of some fitted pipelines, made by the usual road but for the notebook."""
    create_workspace(folder)
    ws = open_workspace(folder)
    for number, (pipeline, frame, target) in enumerate(fits, 1):
        version = ws.models.register(ws.packages.build(recorded(ws, number, pipeline, frame, target)), "bench")
        ws.models.approve(version, "bench")
        ws.models.bless(version)
    ws.models.promote("bench/1", expect=None)
    ws.deployments.create("bench", model="bench@champion")
    return ws


def recorded(ws, number, pipeline, frame, target):
    from nbprod.domain.run import Run, RunStatus
    from nbprod.recording import save_model

    run = ws.home / "runs" / f"20261120T094413Z-train-{number:04}"
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
    return record


def template_model():
    """What the train template makes of the shipped electricity data."""
    from nbprod import training
    from nbprod.datasets import read_frame
    from nbprod.training.preprocessing import make_pipeline as template_pipeline

    rows = training.prepare(read_frame("electricity"), target="class", task="auto", time="auto", group=None, drop=[])
    model = template_pipeline(training.make_estimator("hgb", rows.task, seed=0), rows.features)
    return model.fit(rows.features, rows.target), rows.features, rows.target


class Server:
    """A server in a process group of its own, and what was measured of it."""

    def __init__(self, command, path, body, *, env=None, cwd=None, within_s=180):
        self.port, self.path, self.body = free_port(), path, body
        self.rates, self.costs_us = [], []
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 — it lives as long as the server
        command = [str(word).replace("PORT", str(self.port)) for word in command]
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=self._output, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - started > within_s:
                self.end()
                self._output.seek(0)
                raise SystemExit(f"{command[0]} did not answer:\n{self._output.read()[-3000:].decode()}")
            time.sleep(0.01)
        self.ready_s = time.perf_counter() - started

    def _answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request(
                "POST" if self.body else "GET", self.path, self.body, {"content-type": "application/json"}
            )
            return connection.getresponse().status == 200
        return False

    def measure(self, seconds, bodies=()):
        """One round: requests a second, and the processor time of one."""
        hammered(self.port, self.path, bodies or [self.body], 1)
        before = self._used()
        rate, count = hammered(self.port, self.path, bodies or [self.body], seconds)
        self.rates.append(rate)
        self.costs_us.append((self._used() - before) / count * 1e6)

    @property
    def rate(self):
        """Requests a second."""
        return statistics.median(self.rates)

    @property
    def cost_us(self):
        """Processor time of a request, in microseconds."""
        return statistics.median(self.costs_us)

    def _used(self):
        """Processor seconds of all its processes."""
        used = 0.0
        parent = psutil.Process(self.process.pid)
        for one in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                used += sum(one.cpu_times()[:2])
        return used

    def end(self):
        """End the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def ours(ws, path="/predict", body=None, workers=1):
    command = [
        sys.executable,
        "-m",
        "nbprod",
        "-w",
        ws.folder,
        "serve",
        "bench",
        "--port",
        "PORT",
        "--workers",
        workers,
    ]
    return Server(command, path, body)


def hammered(port, path, bodies, seconds):
    """Requests a second at 16 connections and their number, by wrk, or by our own loop where it is not installed."""
    if shutil.which("wrk") is None:
        rate, latencies = asyncio.run(loop(port, path, bodies, seconds, rate=None))
        return rate, len(latencies)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n"
            f"local bodies = {{{', '.join(json.dumps(body) for body in bodies)}}}\nlocal made, at = {{}}, 0\n"
            "function init() for k, body in ipairs(bodies) do made[k] = wrk.format(nil, nil, nil, body) end end\n"
            "function request() at = at % #made + 1; return made[at] end\n"
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
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]), int(re.search(r"(\d+) requests in", told)[1])


async def loop(port, path, bodies, seconds, rate):
    """Requests a second and latencies (s) of 16 connections, each as fast as it can or at its part of a rate."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    requests = itertools.cycle([f"{head}{len(body)}\r\n\r\n{body}".encode() for body in bodies])
    latencies = []
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
            writer.write(next(requests))
            header = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", header)[1])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*map(client, range(CONNECTIONS)))
    return len(latencies) / (time.perf_counter() - begun), latencies


def p99_at(server, seconds, rate):
    """Milliseconds that one request in a hundred took longer than, at a rate."""
    _, latencies = asyncio.run(loop(server.port, server.path, [server.body], seconds, rate))
    return statistics.quantiles(latencies, n=100)[98] * 1000


def environment(folder, package):
    """The Python of an environment with one package, and this one's versions of what the model needs."""
    python = folder / "bin" / "python"
    if not python.exists():
        pins = [f"{name}=={importlib.metadata.version(name)}" for name in ("scikit-learn", "numpy", "joblib")]
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        uv = shutil.which("uv")
        install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        subprocess.run([*install, "--quiet", *pins, "pandas<3.1", package], check=True)
    return python


def main():
    """Print one table a model, then rollouts and the start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="ours,echo,raw,rollout,ready,mlflow,bentoml")
    parser.add_argument("--models", default="logistic,boosting")
    parser.add_argument("--environments", type=Path, help="where those of MLflow and BentoML are kept")
    given = parser.parse_args()
    wanted = given.only.split(",")
    frame = rows_of(20_000)
    row = json.loads(frame.iloc[[0]].to_json(orient="records"))
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as temporary:
        root = Path(temporary)
        (root / "echo.py").write_text(ECHO)
        kept = given.environments.absolute() if given.environments else root
        others = {name: environment(kept / f"{name}-env", name) for name in ("mlflow", "bentoml") if name in wanted}
        for kind in given.models.split(",") if set(wanted) & {"ours", "echo", "raw", "mlflow", "bentoml"} else ():
            print(
                f"\n{kind}: {given.workers} worker(s), {CONNECTIONS} connections, one row, {given.rounds} x {given.seconds} s"
            )
            folder = root / kind
            folder.mkdir()
            measure(folder, given, wanted, (*fitted(kind, frame), frame), row, others, root / "echo.py")
        if "rollout" in wanted:
            rollout(root, given, frame, row)
        if "ready" in wanted:
            ready(root)


def measure(folder, given, wanted, fit, row, others, echo):
    """All servers of one model, in turns."""
    pipeline, target, frame = fit
    body = json.dumps({"rows": row})
    servers, ws = {}, None
    try:
        if "ours" in wanted:
            ws = workspace_of(folder / "workspace", (pipeline, frame, target))
            servers["nbprod"] = ours(ws, body=body, workers=given.workers)
        for name, kind in (("echo, FastAPI", "echo"), ("echo, raw", "raw")):
            if kind in wanted:
                words = [sys.executable, echo, "PORT", "fastapi" if kind == "echo" else "raw"]
                servers[name] = Server(words, "/echo", body)
        joblib.dump(pipeline, folder / "model.joblib")
        if "mlflow" in others:
            servers["mlflow models serve"] = mlflow(others["mlflow"], folder, row, given.workers)
        if "bentoml" in others:
            servers["BentoML"] = bentoml(others["bentoml"], folder, body, given.workers)
        for _ in range(given.rounds):
            for server in servers.values():
                server.measure(given.seconds)
        mine = servers.get("nbprod")
        for name, server in servers.items():
            rate = min(server.rate, mine.rate if mine else server.rate) / 2
            p99 = p99_at(server, given.seconds, rate)
            ratio = f"nbprod is {mine.rate / server.rate:6.2f}x" if mine else ""
            print(f"  {name:20} {server.rate:9,.0f} requests/s  {server.cost_us:8,.0f} us of processor  "
                  f"p99 {p99:8.2f} ms at {rate:6,.0f}/s  first answer {server.ready_s:5.2f} s  {ratio}", flush=True)  # fmt: skip
    finally:
        for server in servers.values():
            server.end()
    if ws is not None:
        print(f"  kept {ws.lake.predictions('bench').window().count():,} predictions in the table")


def mlflow(python, folder, row, workers):
    script = (
        "import joblib, mlflow.sklearn, sys; mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], "
        "serialization_format='cloudpickle', pip_requirements=[], pyfunc_predict_fn='predict_proba')"
    )
    subprocess.run(
        [python, "-c", script, folder / "model.joblib", folder / "mlflow"], check=True, capture_output=True
    )
    command = [python.parent / "mlflow", "models", "serve", "-m", folder / "mlflow", "--env-manager", "local",
               "--port", "PORT", "--workers", workers]  # fmt: skip
    env = {"PATH": f"{python.parent}:{os.environ['PATH']}", "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    return Server(command, "/invocations", json.dumps({"dataframe_records": row}), env=env)


def bentoml(python, folder, body, workers):
    (folder / "service.py").write_text(BENTO.format(workers=workers, model=str(folder / "model.joblib")))
    env = {"PATH": f"{python.parent}:{os.environ['PATH']}", "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "1"}
    command = [python.parent / "bentoml", "serve", "service:Model", "--port", "PORT"]
    return Server(command, "/predict", body, env=env, cwd=folder)


def rollout(root, given, frame, row):
    """The same two versions, with an open canary and without; each request names one of 1,000 units."""
    first, target = fitted("logistic", frame)
    second, _ = fitted("logistic", frame[:15_000])
    print(f"\nrollout: canary of 10 %, {CONNECTIONS} connections, {2 * given.rounds} x {given.seconds} s in turns")
    bodies = [json.dumps({"rows": row, "unit": f"user-{number}"}) for number in range(1000)]
    servers = {}
    try:
        for name in ("without", "with"):
            ws = workspace_of(root / f"rollout-{name}", (first, frame, target), (second, frame, target))
            if name == "with":
                ws.rollouts.start("bench", "bench/2", plan="canary:10", metrics=["errors"])
            servers[name] = ours(ws, body=bodies[0])
        for _ in range(2 * given.rounds):
            for server in servers.values():
                server.measure(given.seconds, bodies)
    finally:
        for server in servers.values():
            server.end()
    plain, parted = servers["without"], servers["with"]
    pairs = [1 - one / other for one, other in zip(parted.rates, plain.rates, strict=True)]
    for name, server in servers.items():
        print(f"  {name:8} {server.rate:9,.0f} requests/s  {server.cost_us:8,.0f} us of processor")
    shares = ws.lake.predictions("bench").window().to_table(["arm"])["arm"].value_counts().to_pylist()
    print(f"  throughput {100 * statistics.median(pairs):.1f} % less, processor "
          f"{100 * (parted.cost_us / plain.cost_us - 1):.1f} % more; {shares}")  # fmt: skip


def ready(root):
    """From the start of the command to the first 200 of its health."""
    ws = workspace_of(root / "template", template_model())
    took = []
    for _ in range(7):
        server = ours(ws, "/v2/health/ready")
        took.append(server.ready_s)
        server.end()
    print(f"\nstart to ready, boosting of the train template on electricity: {statistics.median(took):.2f} s, "
          f"the median of {len(took)} ({min(took):.2f} to {max(took):.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
