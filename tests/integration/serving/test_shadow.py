"""A shadow beside a real server: whatever the candidate does, nobody who waits for an answer notices."""

import statistics
import time
from collections import Counter

import psutil
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from nbprod.clock import now
from nbprod.workspace import open_workspace
from tests.integration.serving.conftest import start_server
from tests.integration.serving.misbehaving import DIES, FAR, NOT_A_NUMBER, RAISES, SLEEPS, Misbehaving
from tests.unit.packages.conftest import make_rows, save, stage_run, targets

TYPE = f"{Misbehaving.__module__}.{Misbehaving.__qualname__}"
ROW = {"load": 0.5, "hour": 3, "place": "north", "kind": "a", "holiday": True}
START = {"metrics": ["errors"], "plan": "shadow,canary:50", "automation": "auto"}


def learnt(last):
    """A pipeline that takes a row of any load, and hands load and hour on as they are."""
    prepared = ColumnTransformer(
        [("numbers", SimpleImputer(), ["load", "hour"]), ("rest", OneHotEncoder(handle_unknown="ignore"), ["place"])]
    )
    frame = make_rows()
    return make_pipeline(prepared, last).fit(frame, targets(frame, "binary"))


@pytest.fixture(scope="module")
def beside(tmp_path_factory, fitted):
    """A workspace in which nothing is private: power/1 is served, power/2 is well, power/3 misbehaves when asked to."""
    root = tmp_path_factory.mktemp("beside") / "workspace"
    root.mkdir()
    (root / "nbprod.toml").write_text(f'[packages]\ntrusted = ["{TYPE}"]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBPROD_WORKSPACE", str(root))
        ws = open_workspace(root)
        for number, last in enumerate([LogisticRegression(), LogisticRegression(C=0.01), Misbehaving()]):
            options = {"trusted": (TYPE,)} if isinstance(last, Misbehaving) else {}
            run = stage_run(ws.store, ws.home / "runs", fitted, None, "binary", number=number, model=learnt(last), **options)
            version = ws.models.register(ws.packages.build(run), "power")
            ws.models.approve(version, "good")
            ws.models.bless_recorded(version, now())
        ws.models.promote("power/1", expect=None)
        for name in ("power", "quiet"):
            ws.deployments.create(name, model="power@champion")
        yield ws


@pytest.fixture(scope="module")
def servers(beside):
    """Two servers of the same version: one with a shadow beside, one without."""
    started = {}
    try:
        for name in ("power", "quiet"):
            started[name] = start_server(beside.folder, beside.folder.parent / f"{name}.log", name)
        yield started
    finally:
        for server in started.values():
            server.stop()


@pytest.fixture
def shadow(beside, request):
    """A rollout in its shadow step, ended afterwards."""
    beside.rollouts.start("power", request.param, **START)
    yield
    if beside.rollouts.get("power").is_open:
        beside.rollouts.abort("power", note="the test is over")


def answers(ws, version):
    frame = ws.lake.shadows("power").window()[0].to_pandas()
    return frame[frame["version"].eq(version)]


def counts(server):
    found = server.metrics()
    return {name: found.get(f'nbprod_shadow_requests_total{{result="{name}"}}', 0) for name in ("answered", "failed", "dropped")}


@pytest.mark.parametrize("shadow", ["power/2"], indirect=True)
def test_a_shadow_answers_what_was_answered_and_the_analysis_uses_it(beside, servers, shadow, wait_for):
    """Each request once, with the id of the answer that was given; what it missed is asked from the log."""
    server = servers["power"]
    wait_for(lambda: server.children("nbprod.serving.shadowing") or server.predict({**ROW, "load": 0.1})[0] != 200)
    for n in range(50):
        assert server.predict({**ROW, "load": n / 50}, {**ROW, "hour": n % 24}, unit=f"u{n}")[1]["version"] == "power/1"
    kept = wait_for(lambda: len(found := answers(beside, "power/2")) >= 100 and found)
    assert kept["prediction_id"].is_unique
    assert kept["failure"].isna().all()
    assert set(kept["prediction"]) == {"UP", "DOWN"}
    assert (kept["latency_ms"] > 0).all()
    assert counts(server)["answered"] >= 50
    assert not server.children("nbprod.serving.worker")[0].children()
