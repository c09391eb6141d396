"""A candidate that meets the requests of a real server."""

import shutil
import time
from dataclasses import replace

import pytest

from nbprod.clock import now
from nbprod.domain.rollout import Arm, Rollout
from tests.integration.serving.conftest import ROW


def eventually(check, within_s=15.0):
    """The first true answer of a check."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.1)
    return check()


def versions(server, units):
    """The version that answers each unit."""
    found = {}
    for unit in units:
        status, body = server.predict(ROW, unit=unit)
        assert status == 200, body
        found[unit] = body["version"]
    return found


def test_units_are_parted_by_bucket_and_nobody_is_moved_back(workspace, serve):
    """A quarter, then half; who had the candidate keeps it, on two workers alike; the log says arm, share, stratum."""
    rollout = workspace.rollouts.start("power", "power/2", plan="canary:25:50", metrics=["errors"])
    server = serve("power", "--workers", "2")
    units = [f"u{n}" for n in range(60)]
    expected = {one for one in units if rollout.arm_of(one, now()) is Arm.CANDIDATE}
    assert 3 < len(expected) < 30
    assert eventually(lambda: {u for u, v in versions(server, units).items() if v == "power/2"} == expected)
    assert {u for u, v in versions(server, units).items() if v == "power/2"} == expected

    workspace.rollouts.advance("power", note="so far so good")
    assert eventually(lambda: sum(v == "power/2" for v in versions(server, units).values()) > len(expected))
    wider = {u for u, v in versions(server, units).items() if v == "power/2"}
    assert expected <= wider
    server.stop()
    workspace.deployments.drain("power")
    rows = workspace.lake.predictions("power").window().to_table(["unit", "arm", "share", "stratum", "version"])
    frame = rows.to_pandas()
    shared = frame[frame["share"] > 0]
    assert set(shared["share"]) == {0.25, 0.5}
    assert (shared["arm"].eq("candidate") == shared["version"].eq("power/2")).all()
    assert set(shared.loc[shared["share"].eq(0.25) & shared["arm"].eq("candidate"), "unit"]) == expected
    assert all(one.split(":")[1] in {"25", "50"} for one in shared["stratum"])


def test_a_candidate_that_cannot_be_loaded_is_taken_out_and_the_ledger_knows(workspace, serve):
    """Its files are gone: nobody is given an error, and the rollout ends."""
    package = workspace.models.resolve("power/2").package
    workspace.rollouts.start("power", "power/2", plan="canary:50", metrics=["errors"])
    folder = workspace.packages.folder(package)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        path.chmod(0o600)
        path.write_bytes(b"broken")
    server = serve("power")
    assert set(versions(server, [f"u{n}" for n in range(20)]).values()) == {"power/1"}
    assert eventually(lambda: workspace.rollouts.get("power").status == "rolled-back")
    assert "guard" in {event.actor for event in _events(workspace)}


def test_a_promotion_keeps_the_previous_version_and_goes_back_at_once(workspace, serve):
    """All at once with a holdback; back within two seconds, with the candidate's files deleted."""
    server = serve("power")
    workspace.rollouts.start("power", "power/2", plan="blue-green", reason="now", holdback=0.2)
    units = [f"u{n}" for n in range(40)]
    assert eventually(lambda: 0.5 < sum(v == "power/2" for v in versions(server, units).values()) / 40 < 1)
    shutil.rmtree(workspace.packages.folder(workspace.models.resolve("power/2").package))
    start = time.monotonic()
    workspace.rollouts.roll_back("power", note="worse")
    assert eventually(lambda: set(versions(server, units).values()) == {"power/1"})
    assert time.monotonic() - start < 10


def _events(workspace):
    with workspace.store.read() as session:
        return session.events("power", limit=None)


def test_a_rollout_can_be_read_and_written_by_the_ledger(workspace):
    """Every field comes back."""
    rollout = workspace.rollouts.start("power", "power/2", plan="canary:1:5", metrics=[{"name": "errors"}])
    with workspace.store.read() as session:
        assert session.get(Rollout, rollout.id) == rollout
    assert replace(rollout, step=1).current.share == pytest.approx(0.05)
