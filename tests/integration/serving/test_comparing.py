"""The compiled model stays held against its pipeline in use: a sample is compared, and one that differs ends its use."""

import asyncio
import io
import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from nbprod.clock import now
from nbprod.compiled.plan import Plan
from nbprod.packages.sealing import seal_folder, verify_folder
from nbprod.serving.assignment import Arm
from nbprod.serving.comparing import EVERY, Comparison
from nbprod.workspace import open_workspace
from tests.integration.serving.conftest import ROW, logistic, start_server
from tests.integration.serving.test_protocols import Client
from tests.unit.packages.conftest import save, stage_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, fitted):
    """A workspace without private columns, and a package of it that is served by its compiled model."""
    root = tmp_path_factory.mktemp("compared")
    (root / "nbprod.toml").write_text("")
    ws = open_workspace(root)

    def saved(task, private):
        save(root / "saved", task, logistic(1.0), private=private)
        return root / "saved"

    return ws, ws.packages.build(stage_run(ws.store, ws.home / "runs", fitted, saved, "binary"))


def test_one_request_in_so_many_is_compared_with_the_pipeline(compiled):
    """Equal answers and wrong ones are told apart by a process of its own, which is asked again and ends when told."""
    ws, package = compiled
    answer = ws.packages.load(package).predict_by_pipeline(pd.DataFrame([ROW]))
    right = {name: answer[name].tolist() for name in answer}
    wrong = {**right, "probability": [right["probability"][0] + 1e-4]}
    told = []

    async def run():
        arm = Arm(version="power/1", digest=package.digest, folder=package.folder)
        arrived = asyncio.Event()

        def hear(rows, equal):
            told.append((rows, equal))
            arrived.set()

        comparison = Comparison(arm, (), hear, every=3)
        for outputs in (right, wrong):
            for _ in range(3):
                comparison.see(arm, [ROW], outputs)
            await asyncio.wait_for(arrived.wait(), 120)
            arrived.clear()
        process = comparison._process
        comparison.close()
        await process.wait()
        return process.returncode

    assert asyncio.run(run()) == -9
    assert told == [(1, True), (1, False)]


def test_a_compiled_model_that_differs_in_use_is_counted_told_and_given_up(compiled, tmp_path, wait_for):
    """Sealed with another imputed value than its pipeline has: its golden rows do not show it, its requests do."""
    ws, package = compiled
    folder = tmp_path / "doctored"
    shutil.copytree(package.folder, folder)
    sealed = verify_folder(folder, package.digest)
    plan = Plan.read(sealed.read)
    (fill,) = [step for step in plan.steps if step.op == "fill"]
    fill.params["values"][0] += 5.0
    golden = pq.read_table(io.BytesIO(sealed.read("golden.parquet"))).to_pandas()
    (folder / "golden.parquet").unlink()
    golden[golden["load"].notna()].to_parquet(folder / "golden.parquet", index=False)
    for name, content in plan.files().items():
        (folder / name).unlink()
        (folder / name).write_bytes(content)
    (folder / "manifest.json").unlink()
    seal_folder(folder)
    version = ws.models.register(ws.packages.import_(folder), "power")
    ws.models.approve(version, "good")
    ws.models.bless_recorded(version, now())
    ws.deployments.create("power", model=version.ref)
    server = start_server(ws.folder, tmp_path / "server.log")
    try:
        row = {**ROW, "load": None}
        expected = ws.packages.load(package).predict_by_pipeline(pd.DataFrame([{**ROW, "load": float("nan")}]))
        expected = expected["probability"][0]

        def probability():
            return server.predict(row)[1]["predictions"][0]["probability"]

        assert probability() != pytest.approx(expected, abs=1e-3)
        connection = Client(server.address)
        body = json.dumps({"rows": [row]}).encode()
        assert {connection.post(b"/predict", body)[0] for _ in range(EVERY)} == {200}
        connection.close()
        different = 'nbprod_parity_rows_total{result="different"}'
        wait_for(lambda: server.metrics().get(different), within_s=120)
        wait_for(lambda: probability() == pytest.approx(expected, abs=1e-9), within_s=60)
        assert "differ from its pipeline" in str(server.json("GET", "/v2/health/ready")[1]["problems"])
        wait_for(lambda: server.metrics()["nbprod_problems"] >= 1)
    finally:
        server.stop()
