"""Every way a rollout goes, on two servers of one deployment that are asked all the time; whatever is killed meanwhile.

The tests go on from each other's servers and load: at the end, everything that was answered is in the table, once.
"""

import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPException

import psutil
import pytest

from nbprod.clock import now
from nbprod.domain.rollout import Arm
from tests.integration.serving.conftest import ROW, start_server
from tests.integration.serving.misbehaving import FAR, RAISES
from tests.integration.serving.test_durability import hold_nothing_lost

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

BAD = {**ROW, "load": FAR + 1, "hour": RAISES}
SECONDS = 2.0  #: within which servers follow the ledger
PAUSE_S = 0.02  #: of each client: kernels need a processor too


class Load:
    """Clients of two servers that go on asking; each request is of the next unit, and what it was given is kept."""

    def __init__(self, ws, clients=4):
        self.ws = ws
        self.servers = [self._started(n) for n in range(2)]
        self.given, self.codes, self.answers = [], Counter(), []
        self.bad = 0.0  #: share of the requests that misbehaving models misbehave for
        self._units = itertools.count()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(clients)]
        for one in self._threads:
            one.start()

    def _started(self, number):
        return start_server(self.ws.folder, self.ws.folder.parent / f"server-{number}.log", "power")

    def _ask(self, number):
        for turn in itertools.count(number):
            if self._is_over.is_set():
                return
            server, unit = self.servers[turn % 2], f"u{next(self._units)}"
            row = BAD if turn % 100 < 100 * self.bad else ROW
            time.sleep(PAUSE_S)
            asked = now()
            try:
                status, told = server.predict(row, unit=unit)
            except (OSError, ValueError, HTTPException):
                self.codes["gone"] += 1
                time.sleep(0.02)
                continue
            self.codes[status] += 1
            if status == 200:
                (made,) = told["predictions"]
                self.given.append(made["prediction_id"])
                self.answers.append((asked, unit, told["version"], made["prediction_id"], made["prediction"]))

    def since(self, moment):
        """What was asked for after a moment."""
        return [one for one in list(self.answers) if one[0] >= moment]

    def versions(self, since):
        return {version for _, _, version, *_ in self.since(since)}

    def wait(self, holds, within_s=90.0):
        deadline = time.monotonic() + within_s
        while not (found := holds()):
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.05)
        return found

    def only(self, version):
        """Wait until both servers answer by one version alone; the seconds until the last other answer was asked for."""
        begun = now()

        def holds():
            moment = now()
            self.wait(lambda: len(self.since(moment)) >= 30)
            return self.versions(moment) == {version}

        self.wait(holds)
        last = max((asked for asked, _, other, *_ in self.since(begun) if other != version), default=begun)
        return (last - begun).total_seconds()

    def soon(self):
        """Seconds within which servers follow the ledger, on a machine as busy as this one."""
        begun = time.monotonic()
        for _ in range(5):
            self.servers[1].predict(ROW)
        return SECONDS + 4 * (time.monotonic() - begun)

    def replace(self, number):
        """Kill a server, and start another one in its place."""
        self.servers[number].process.kill()
        self.servers[number].process.wait()
        self.servers[number].stop()
        self.servers[number] = self._started(number)

    def close(self):
        self._is_over.set()
        for one in self._threads:
            one.join(60)
        for server in self.servers:
            server.stop()


@pytest.fixture(scope="module")
def load(beside):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBPROD_WORKSPACE", str(beside.folder))
        running = Load(beside)
        try:
            yield running
        finally:
            running.close()
            hold_nothing_lost(beside, running)


def start(ws, to, plan, **rules):
    given = {"metrics": [{"name": "errors", "negligible": 0.02}], "automation": "auto", "step_units": 20, **rules}
    return ws.rollouts.start("power", to, plan=plan, reason="a test", **given)


def met(load, rollout):
    """What was answered since both servers knew of a rollout's share."""
    begun = now()
    load.wait(lambda: rollout.candidate in load.versions(begun))
    time.sleep(SECONDS)
    return now()


def test_promoted_by_its_notebook_through_a_shadow_and_a_canary(beside, load):
    """Shadow, drainer and server are killed on the way; no unit sees two arms; a person takes it back in two seconds."""
    rollout = start(beside, "power/2", "shadow,canary:50:100", keep_previous="1h")
    shadows = beside.lake.shadows("power")
    load.wait(lambda: shadows.window()[0].num_rows > 100)
    (asked,) = [one for server in load.servers for one in server.children("nbprod.serving.shadowing")]
    asked.kill()
    load.wait(
        lambda: [one for server in load.servers for one in server.children("shadowing") if one.pid != asked.pid]
    )
    seen = shadows.window()[0].num_rows
    load.wait(lambda: shadows.window()[0].num_rows > seen)
    assert load.versions(rollout.started_at) == {"power/1"}

    assert beside.rollouts.analyse("power").acted == "advanced"
    for server in load.servers:
        for one in server.children("nbprod.serving.keeping"):
            one.kill()
    canary = beside.rollouts.get("power")
    begun = met(load, canary)
    load.replace(0)
    time.sleep(SECONDS)
    load.wait(lambda: sum(one[2] == "power/2" for one in load.since(begun)) > 300)
    for _, unit, version, *_ in load.since(begun):
        assert (version == "power/2") is (canary.arm_of(unit, now()) is Arm.CANDIDATE)

    found = beside.rollouts.analyse("power")
    assert (found.decision, found.acted) == ("promote", "promoted"), found.sentence
    load.only("power/2")
    assert beside.models.resolve("power@champion").ref == "power/2"

    # with the tables away and the candidate's files deleted
    folder = beside.packages.folder(beside.models.resolve("power/2").package)
    shutil.copytree(folder, beside.folder / "saved")
    shutil.rmtree(folder)
    lake = beside.home / "lake" / "power"
    lake.rename(lake.with_name("away"))
    lake.touch()  # where a folder was: nobody makes tables there anew
    soon = load.soon()
    try:
        beside.rollouts.roll_back("power", note="people complained")
        assert load.only("power/1") < soon
    finally:
        lake.unlink()
        lake.with_name("away").rename(lake)
        shutil.copytree(beside.folder / "saved", folder)
    assert beside.models.resolve("power@champion").ref == "power/1"


def test_rolled_back_by_its_notebook_for_outcomes_a_guard_cannot_see(beside, load):
    """The analysis that was killed changed nothing; the next one finds that the candidate is wrong more often."""
    first = load.wait(lambda: load.answers)[-1]
    told = {"outcomes": [{"prediction_id": first[3], "outcome": "UP"}]}
    assert load.servers[1].json("POST", "/outcomes", told)[0] == 200
    load.wait(lambda: beside.lake.outcomes("power").latest()[0].num_rows)
    rollout = start(beside, "power/2", "canary:50:100", metrics=["wrong"], automation="guard")
    begun = met(load, rollout)
    load.wait(lambda: sum(one[2] == "power/2" for one in load.since(begun)) > 40)
    others = {"UP": "DOWN", "DOWN": "UP"}
    outcomes = [
        {"prediction_id": name, "outcome": others[said] if version == "power/2" or n % 4 == 0 else said}
        for n, (_, _, version, name, said) in enumerate(load.since(begun))
    ]
    assert load.servers[1].json("POST", "/outcomes", {"outcomes": outcomes[:5000]})[0] == 200
    load.wait(lambda: beside.lake.outcomes("power").latest()[0].num_rows > len(outcomes[:5000]))

    command = [sys.executable, "-m", "nbprod", "rollouts", "analyse", "power"]
    analysing = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    runs = {run.id for run in beside.runs.list()}
    load.wait(lambda: {run.id for run in beside.runs.list()} - runs)
    analysing.kill()
    analysing.wait()
    assert beside.rollouts.get("power") == rollout
    assert beside.rollouts.analyses("power") == []
    load.wait(lambda: "power/2" in load.versions(begun))

    found = beside.rollouts.analyse("power")
    assert (found.decision, found.acted) == ("roll back", "rolled-back"), found.sentence
    load.only("power/1")


def test_rolled_back_by_the_guard_and_nobody_was_given_an_error(beside, load):
    """A candidate that raises; the stable version answered instead, and the ledger knows."""
    before = Counter(load.codes)
    start(beside, "power/3", "canary:50:100")
    load.bad = 0.3
    load.wait(lambda: beside.rollouts.get("power").status == "rolled-back")
    load.only("power/1")
    load.bad = 0.0
    assert "the guard took it out" in beside.rollouts.get("power").ended_because
    assert {code for code, count in load.codes.items() if count > before[code]} == {200}


def test_a_lease_that_nobody_renews_ends_by_itself(beside, load):
    """A dead scheduler is enough, and servers that were started meanwhile say the same."""
    rollout = start(beside, "power/2", "canary:50:100", lease="12s")
    met(load, rollout)
    load.replace(1)
    load.only("power/1")
    assert beside.rollouts.get("power").status == "running"
    assert beside.rollouts.get("power").share_at(now()) == 0
    assert not beside.rollouts.verdict("power").allows("keep", now())
    beside.rollouts.abort("power", note="nobody looked")


def test_a_person_aborts_and_the_servers_tell_those_who_run_the_traffic_elsewhere(beside, load):
    """What the command says by its exit code, the server says by its status."""

    def told(act):
        words = ["rollouts", "verdict", "power", "--may", act, "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "nbprod", *words], capture_output=True, check=False, env=os.environ, text=True
        )
        assert done.returncode in {0, 3}, done.stderr
        status = load.servers[0].ask("POST", f"/rollout/may/{act}", b'{"name": "power", "phase": "Progressing"}')[0]
        assert status in {200, 409}
        assert (done.returncode == 0) == (status == 200)
        return status == 200

    live = subprocess.Popen(
        [sys.executable, "-m", "nbprod", "rollouts", "show", "power", "--live"], stdout=subprocess.PIPE, text=True
    )
    assert "aborted" in live.communicate(timeout=100)[0]  # the one before: it ended
    rollout = start(beside, "power/2", "canary:50:100")
    live = subprocess.Popen(
        [sys.executable, "-m", "nbprod", "rollouts", "show", "power", "--live"], stdout=subprocess.PIPE, text=True
    )
    assert "running, canary 50 %, step 1 of 2" in live.stdout.readline()
    met(load, rollout)
    assert [told(act) for act in ("keep", "promote", "rollback")] == [True, False, False]
    assert load.servers[0].json("GET", "/rollout")[1]["may"]["keep"] is True
    soon = load.soon()
    beside.rollouts.abort("power", note="enough")
    assert load.only("power/1") < soon
    assert [told(act) for act in ("keep", "rollback")] == [False, True]
    assert "aborted" in live.communicate(timeout=100)[0]


def test_nothing_is_left_of_those_that_were_killed(load):
    """No shadow, no worker without its server."""
    mine = {one.pid for server in load.servers for one in server.children("nbprod.serving")}
    lake = str(load.ws.folder)

    def strays():
        return [
            one.pid
            for one in psutil.process_iter(["cmdline"])
            if one.pid not in mine
            and any(lake in word for word in one.info["cmdline"] or [])
            and "serving" in str(one.info)
        ]

    load.wait(lambda: not strays())
