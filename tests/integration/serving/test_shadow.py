"""A shadow beside a real server: whatever the candidate does, nobody who waits for an answer notices."""

import statistics
from contextlib import contextmanager, suppress
from functools import partial

import psutil
import pytest
from scipy import stats

from nbprod.clock import now
from nbprod.rollouts.asking import ask_candidate
from nbprod.rollouts.log import read_log
from nbprod.serving.shadowing import MOST_WAITING
from nbprod.serving.traffic import send_rows
from tests.integration.serving.conftest import ROW, start_server
from tests.integration.serving.misbehaving import DIES, FAR, NOT_A_NUMBER, RAISES, SLEEPS

TURNS, LEAST_TURNS = 24, 6
PATIENCE_S = 120  #: a shadow has what others leave of the processors
MOST = 1.1  #: times the latency without a shadow
START = {"metrics": ["errors"], "plan": "shadow,canary:50", "automation": "auto"}


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
    return {
        name: found.get(f'nbprod_shadow_requests_total{{result="{name}"}}', 0)
        for name in ("answered", "failed", "dropped")
    }


def everything(server):
    """A server's processes."""
    top = psutil.Process(server.process.pid)
    return [top, *top.children(recursive=True)]


@contextmanager
def frozen(server):
    """A server that takes no processor's time meanwhile."""
    stopped = everything(server)
    for one in stopped:
        with suppress(psutil.NoSuchProcess):
            one.suspend()
    try:
        yield
    finally:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.resume()


@pytest.mark.parametrize("shadow", ["power/2"], indirect=True)
@pytest.mark.usefixtures("shadow")
def test_a_shadow_answers_what_was_answered_and_the_analysis_asks_for_the_rest(beside, servers, wait_for):
    """Each request once, by the id of the answer that was given; the worker has not loaded the candidate."""
    server = servers["power"]
    wait_for(lambda: server.predict(ROW)[0] == 200 and counts(server)["answered"], within_s=PATIENCE_S)
    asked = [
        server.predict({**ROW, "load": n / 10 - 2.5}, {**ROW, "hour": n % 24}, unit=f"u{n}")[1] for n in range(50)
    ]
    assert {one["version"] for one in asked} == {"power/1"}
    ids = {one["prediction_id"] for answer in asked for one in answer["predictions"]}
    wait_for(lambda: ids <= set(answers(beside, "power/2")["prediction_id"]), within_s=PATIENCE_S)
    kept = answers(beside, "power/2")
    assert kept["prediction_id"].is_unique
    assert kept["failure"].isna().all()
    assert set(kept["prediction"]) == {"UP", "DOWN"}
    assert (kept["latency_ms"] > 0).all()

    beside.deployments.drain("power")
    start = beside.rollouts.get("power").started_at
    logged = beside.lake.predictions("power").window(start).to_table(["prediction_id"]).num_rows
    digest = beside.models.resolve("power/2").package
    predict = partial(beside.packages.predict_isolated, digest)
    rest = ask_candidate(beside.lake, "power", "power/2", predict, start=start, end=now())
    assert rest == logged - kept["prediction_id"].nunique()
    twice = kept.head(3)[["prediction_id", "version", "at"]]  # the shadow and an analysis had asked at once
    beside.lake.shadows("power").append(twice.assign(failure="died"))
    policy = beside.rollouts.policy("power")
    pairs = read_log(beside.lake, "power", policy, start=start, end=now(), candidate="power/2").pairs
    assert len(pairs) == logged
    assert not pairs["failed"].any()


@pytest.mark.parametrize("shadow", ["power/3"], indirect=True)
@pytest.mark.usefixtures("shadow")
def test_whatever_a_shadow_does_is_kept_and_changes_no_answer_and_hardly_a_latency(beside, servers, wait_for):
    """It raises, gives no number, kills its process, sleeps; and its queue is bounded.

    Latencies are those of two servers in turn, of which one has the shadow: turn by turn it is not shown to be more
    than a tenth slower, by a signed-rank test, since other tests run on the same processors.
    """
    server, quiet = servers["power"], servers["quiet"]
    workers = {one.pid for one in server.children("nbprod.serving.worker")}
    wait_for(lambda: server.predict(ROW)[0] == 200 and len(answers(beside, "power/3")), within_s=PATIENCE_S)
    wishes = {hour: {**ROW, "load": FAR + 1, "hour": hour} for hour in (RAISES, NOT_A_NUMBER, DIES, SLEEPS)}
    said = {}
    for hour, row in wishes.items():
        status, body = server.predict(row)
        assert status == 200
        said[body["predictions"][0]["prediction_id"]] = hour
        expected = quiet.predict(row)[1]["predictions"][0]
        assert {**body["predictions"][0], "prediction_id": ""} == {**expected, "prediction_id": ""}
    after = server.predict(ROW)[1]["predictions"][0]["prediction_id"]
    wait_for(lambda: after in set(answers(beside, "power/3")["prediction_id"]), within_s=PATIENCE_S)
    kept = answers(beside, "power/3").set_index("prediction_id")
    kinds = {RAISES: "error", NOT_A_NUMBER: "not-a-number", DIES: "died", SLEEPS: "timeout"}
    assert {hour: kept.loc[name, "failure"] for name, hour in said.items()} == kinds
    assert kept.loc[after, "prediction"] in {"UP", "DOWN"}
    assert counts(server)["failed"] == 4

    rows = [*[ROW] * 16, *wishes.values()] * 50
    p99 = {"power": [], "quiet": []}
    given = set()
    for turn in range(TURNS):
        for name, other in [("power", "quiet"), ("quiet", "power")][:: 1 if turn % 2 else -1]:
            with frozen(servers[other]):
                done = send_rows(servers[name].url, rows)
                p99[name].append(done.p99_ms)
                given.add(len(done.ids))
        if turn + 1 >= LEAST_TURNS and statistics.median(p99["power"]) <= MOST * statistics.median(p99["quiet"]):
            break
    medians = {name: round(statistics.median(found), 2) for name, found in p99.items()}
    print(f"p99 in ms, median of {len(p99['power'])} turns: {medians}")  # noqa: T201 — a figure for people
    slower = [ours - MOST * theirs for ours, theirs in zip(p99["power"], p99["quiet"], strict=True)]
    assert stats.wilcoxon(slower, alternative="greater").pvalue > 0.001, p99
    assert given == {len(rows)}
    wait_for(lambda: send_rows(server.url, rows) and counts(server)["dropped"], within_s=PATIENCE_S)
    assert server.metrics()["nbprod_shadow_waiting"] <= MOST_WAITING
    assert {one.pid for one in server.children("nbprod.serving.worker")} == workers
    assert server.json("GET", "/v2/health/ready")[1]["problems"] == []
