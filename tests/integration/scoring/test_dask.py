"""On a Dask cluster over TCP: the same output, also when a worker is killed."""

import re
import subprocess
import sys

import pytest

from tests.integration.scoring.conftest import BatchJob

pytest.importorskip("distributed")


def start(*words, folder):
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers in processes of their own, on loopback."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    started = [
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", folder=folder)
    ]
    try:
        address = None
        while address is None:
            line = started[0].stderr.readline()
            assert line, "the scheduler ended"
            if found := re.search(r"Scheduler at:\s+tcp://(\S+)", line):
                address = found[1]
        for name in ("one", "two"):
            words = [f"tcp://{address}", "--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
            started.append(start("distributed.cli.dask_worker", *words, folder=folder))
        for worker in started[1:]:
            while "Registered to" not in worker.stderr.readline():
                assert worker.poll() is None
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_a_worker_that_is_killed_loses_and_doubles_nothing(cluster, package, source, tmp_path, is_whole):
    """The other one does what it had; each part is there once."""
    address, workers = cluster
    (tmp_path / "out").mkdir()
    job = BatchJob(package, source, tmp_path / "out" / "p.parquet", on=f"dask://{address}")
    process = job.start()
    try:
        job.wait_for(5, process)
        assert process.poll() is None
        workers[0].kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    finally:
        job.end()
    is_whole(job.output)


def test_what_the_workers_cannot_see_is_refused(cluster, package, source, tmp_path):
    """Before a row is predicted: a package that is not there for them."""
    address, _ = cluster
    code = (
        "import sys\nfrom nbprod.scoring import cluster\nfrom nbprod.scoring.job import Job\n"
        "from nbprod.executors.opening import open_workers\nfrom nbprod.errors import EnvironmentProblem\n"
        "import datetime, pyarrow\n"
        "job = Job(key='k', begun_at=datetime.datetime.now(datetime.UTC), package=sys.argv[2], digest=sys.argv[3],"
        " version='v', keep=(), refuse=True, refuse_unseen=False, work=sys.argv[2], schema=pyarrow.schema([]))\n"
        "with open_workers(on=sys.argv[1]) as pool:\n"
        "    try:\n        cluster.check_workers(pool, job, [])\n"
        "    except EnvironmentProblem as error:\n        print(error)\n"
    )
    words = [sys.executable, "-c", code, f"dask://{address}", str(tmp_path / "nowhere"), package.digest]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
    assert "cannot score this: NotFoundError: There is no package folder" in done.stdout


def test_a_scheduler_that_does_not_answer_is_named(package, source, tmp_path):
    """With a port nobody listens at."""
    job = BatchJob(package, source, tmp_path / "p.parquet", on="dask://127.0.0.1:1")
    process = job.start()
    try:
        _, err = process.communicate(timeout=100)
    finally:
        job.end()
    assert process.returncode == 1
    assert "The Dask scheduler at tcp://127.0.0.1:1 does not answer" in err
