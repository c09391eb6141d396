"""What processes do to a ledger or a lake at once; each tells its parent through a pipe what was acknowledged."""

import time
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import NbprodError
from nbprod.lake import Lake
from nbprod.models import Models
from nbprod.store import Store

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
# One server imports, its children are forked from it before it has threads.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [__name__, "nbprod.lake.tables", "nbprod.store.ledger", "sqlalchemy.dialects.sqlite"]
)


def a_package(number):
    return ModelPackage(
        digest=f"{number:064x}",
        folder=f"packages/{number}",
        run_id=None,
        task="classification",
        format="skops",
        target="class",
        created_at=AT,
        size_bytes=1,
    )


def a_run(run_id):
    return Run(
        id=run_id,
        template="train",
        source="templates/train.ipynb",
        template_digest="f" * 64,
        status=RunStatus.SUCCEEDED,
        folder=f"runs/{run_id}",
        created_at=AT,
    )


def open_models(url, folder):
    return Models(Store.open(url, Path(folder, "files"), busy_timeout_s=60), Lake(Path(folder, "lake")))


def start(action, number, *arguments):
    """A process that works, and the end of the pipe on which it tells."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=action, args=(number, there, *arguments), daemon=True)
    process.start()
    there.close()
    return process, here


def race(action, processes, folder, *arguments):
    """Let processes go at one moment; give the last thing each told."""
    go = PROCESSES.Event()
    started = [start(action, number, go, folder, *arguments) for number in range(processes)]
    for _, pipe in started:
        assert pipe.recv() == "ready"
    go.set()
    answers = [pipe.recv() for _, pipe in started]
    for process, _ in started:
        process.join(60)
        assert process.exitcode == 0
    return answers


def told_until_killed(action, seconds, *arguments):
    """What a process told before it was killed."""
    process, pipe = start(action, 0, *arguments)
    told = [pipe.recv()]
    time.sleep(seconds)
    process.kill()
    process.join()
    try:
        while True:
            told.append(pipe.recv())
    except EOFError:
        return told


def add_runs(number, pipe, go, folder, url):
    pipe.send("ready")
    go.wait()
    store = Store.open(url, Path(folder, "files"), busy_timeout_s=60)
    for step in range(3):
        with store.write() as session:
            session.add(a_run(f"run-{number}-{step}"))
            session.event("run.started", f"run-{number}-{step}")
    pipe.send("done")


def promote(number, pipe, go, folder, url):
    models = open_models(url, folder)
    pipe.send("ready")
    go.wait()
    try:
        models.promote(f"power/{number + 1}", expect=None)
        pipe.send("won")
    except NbprodError as problem:
        pipe.send(type(problem).__name__)


def register(number, pipe, go, folder, url):
    models = open_models(url, folder)
    pipe.send("ready")
    go.wait()
    pipe.send([models.register(a_package(digest), "power").number for digest in (number + 1, 99)])


def append(number, pipe, go, folder):
    from nbprod.lake.delta import Transaction

    table = Lake(Path(folder, "lake")).predictions("power")
    pipe.send("ready")
    go.wait()
    for step in range(6):
        ids = [f"{number}-{step}-{row}" for row in range(5)]
        for _ in range(2):  # each hand-in twice, as a server does that was not told of the first
            table.append(
                {"prediction_id": ids, "prediction": [1.0] * 5},
                {"x": [1.0] * 5, f"y{number}": [0.5] * 5},
                private=(),
                transaction=Transaction(name=f"server-{number}", number=step),
            )
    pipe.send("done")


def promote_for_ever(_number, pipe, folder, url):
    models = open_models(url, folder)
    current = models.resolve("power@champion").number
    while True:
        models.promote(f"power/{3 - current}", expect=f"power/{current}")
        current = 3 - current
        pipe.send(current)


def append_for_ever(_number, pipe, folder, first):
    from nbprod.lake.delta import Transaction

    table = Lake(Path(folder, "lake")).predictions("power")
    for step in count(first):
        table.append(
            {"prediction_id": [f"p-{step}"], "prediction": [1.0]},
            {"x": [1.0]},
            private=(),
            transaction=Transaction(name="server", number=step),
        )
        pipe.send(step)
