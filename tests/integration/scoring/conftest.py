"""Batch jobs in processes of their own, which can be killed."""

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.unit.conftest import empty_ledger
from tests.unit.packages.conftest import built, fitted, make_rows, saved, shared_packages, shared_store

__all__ = ["built", "empty_ledger", "fitted", "saved", "shared_packages", "shared_store"]

ROWS = 20_000
SCRIPT = """
import sys
from nbprod.scoring import score

package, source, output, on = sys.argv[1:5]
print(score(package, source, output, version="demand/2", batch_rows=500, keep=["key"], on=on, workers=2).rows)
"""


class BatchJob:
    """The same command as often as wanted."""

    def __init__(self, package, source, output, on="processes"):
        self.output = output
        self.work = output.with_name(f"{output.name}.score")
        self._words = [sys.executable, "-c", SCRIPT, str(package.folder), str(source), str(output), on]
        self._started = []

    def start(self):
        process = subprocess.Popen(self._words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._started.append(process)
        return process

    def finish(self):
        out, err = self.start().communicate(timeout=200)
        assert out.strip() == str(ROWS), err

    def parts(self):
        return len(list(self.work.glob("part-*.parquet")))

    def wait_for(self, parts, process, timeout_s=120):
        """Until so many parts are there, or the process has ended."""
        deadline = time.monotonic() + timeout_s
        while self.parts() < parts and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def kill(self, process):
        """Kill -9 of the process alone; those it started must end by themselves."""
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.communicate()
        return children

    def end(self):
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()


@pytest.fixture
def package(built):
    return built()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "rows.parquet"
    make_rows(ROWS, seed=21).assign(key=np.arange(ROWS)).to_parquet(path, index=False, row_group_size=3_000)
    return path


@pytest.fixture
def job(package, source, tmp_path):
    (tmp_path / "out").mkdir()
    made = BatchJob(package, source, tmp_path / "out" / "p.parquet")
    yield made
    made.end()


@pytest.fixture
def is_whole(source, package, shared_packages):
    """Every row of the source is in the output once, with what the package predicts."""

    def check(output):
        made = pd.read_parquet(output)
        expected = shared_packages.load(package).predict(pd.read_parquet(source))
        assert made["key"].tolist() == list(range(ROWS))
        assert made["prediction_id"].is_unique
        pd.testing.assert_frame_equal(made[["prediction", "probability"]], expected)

    return check
