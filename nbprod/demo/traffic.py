"""The demo's rollouts: new versions meet the requests of a real server, and executed notebooks decide.

Autumn 1997 is sent over HTTP, a request a half-hour, each a unit of its own; outcomes are told as clients tell them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from nbprod.datasets import write_parquet
from nbprod.demo.steps import at_once, finished, report_of
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.version import ModelVersion
from nbprod.errors import RunFailedError
from nbprod.serving.handle import RunningServer
from nbprod.serving.traffic import send_rows
from nbprod.workspace import Workspace

__all__ = ["LIVE", "TrafficSteps"]

MODEL = "electricity"
LIVE = f"{MODEL}-live"
#: The candidates learn until here; the gates look at the two weeks after, and traffic is what comes then.
LEARNED, HELD_OUT = "1997-08-16", "1997-09-01"
UNIT_OFF = 0.01  #: the prices of one candidate's table are in hundreds, those of the requests are not
FOLLOWED_S = 2.0
BATCH = 320  #: requests between two looks at a candidate that is watched closely


class TrafficSteps:
    """The steps in which versions meet traffic.

    Parameters
    ----------
    workspace
        Of the demo; a deployment for traffic is there.
    rows
        Gives the half-hours of a window.
    what
        Data, target and time of a train run.
    """

    def __init__(
        self, workspace: Workspace, rows: Callable[[datetime, datetime], pd.DataFrame], what: dict[str, Any]
    ) -> None:
        self.ws = workspace
        self.rows = rows
        self.what = what

    def steps(self) -> list[tuple[str, Callable[[], tuple[str, Path]]]]:
        """In order."""
        return [
            ("candidates", self.candidates),
            ("shadow", self.shadow),
            ("canary", self.canary),
            ("wrong-unit", self.wrong_unit),
            ("ab", self.ab),
        ]

    def candidates(self) -> tuple[str, Path]:
        """A newer model, the same learned from a table with one column in another unit, and a simple one."""
        table = self.rows(datetime(1996, 1, 1, tzinfo=UTC), datetime(1998, 1, 1, tzinfo=UTC))
        write_parquet(table.assign(nswprice=table["nswprice"] * UNIT_OFF), self._other_unit)
        given = [
            {**self.what, "end": LEARNED, "refit": True, "curve": False, **more}
            for more in ({"model": "hgb"}, {"model": "hgb", "data": str(self._other_unit)}, {"model": "logreg"})
        ]
        runs = [finished(run) for run in at_once(lambda one: self.ws.runs.start("train", one), given)]
        versions = [self.ws.models.register(self.ws.packages.build(run), model=MODEL) for run in runs]
        at_once(self.ws.models.bless, versions)
        newer, bad, simple = versions
        line = f"{newer} learned until {LEARNED}, {bad} the same with prices in hundreds, {simple} is a simple model"
        return line, report_of(runs[0])

    def shadow(self) -> tuple[str, Path]:
        """The newer model is asked beside for what the champion answers; nobody is given its answers."""
        newer = self._candidates()[0]
        rollout = self._started(
            newer, MODEL, plan="shadow,canary:25:50:100", automation="auto", reason="it saw summer"
        )
        with self.ws.deployments.serve(LIVE) as server:
            self._sent(server, self._autumn("1997-09-01", "1997-09-11"), with_outcomes=False)  # they come later
            found = self._decided()
        return f"shadow: {newer} beside {rollout.stable}: {found.sentence}; {found.acted}", self._report(found)

    def canary(self) -> tuple[str, Path]:
        """A quarter of the units, then half, until the notebook promotes it."""
        rollout = self.ws.rollouts.get(LIVE)
        found = None
        with self.ws.deployments.serve(LIVE) as server:
            for start, end in pairwise(("1997-09-11", "1997-10-11", "1997-11-05", "1997-12-01")):
                if rollout.is_open:
                    self._sent(server, self._autumn(start, end))
                    found = self._decided()
                    rollout = self.ws.rollouts.get(rollout.id)
        return f"canary: {self._ended(rollout)}", self._report(found)

    def wrong_unit(self) -> tuple[str, Path]:
        """It passes the gates, which look at a table with the same fault; traffic shows it, and it goes by itself."""
        bad = self._candidates()[1]
        table = str(self._other_unit)
        rollout = self._started(bad, table, plan="canary:20:50:100", automation="guard", reason="a second opinion")
        rows = self._autumn("1997-12-01", "1997-12-21")
        with self.ws.deployments.serve(LIVE) as server:
            for start in range(0, len(rows), BATCH):
                if rollout.is_open:
                    self._sent(server, rows[start : start + BATCH])
                    found = self._decided()
                    rollout = self.ws.rollouts.get(rollout.id)
        return f"prices in another unit: {self._ended(rollout)}", self._report(found)

    def ab(self) -> tuple[str, Path]:
        """Half and half until a planned end: is the simple model right as often? A person ends it."""
        simple = self._candidates()[2]
        rollout = self._started(
            simple,
            plan="ab:50",
            automation="guard",
            metrics=["wrong"],
            reason="a simple model is easier to explain: is it right as often?",
        )
        with self.ws.deployments.serve(LIVE) as server:
            self._sent(server, self._autumn("1997-12-21", "1998-01-01"))
            found = self._decided()
        rollout = self.ws.rollouts.get(rollout.id)
        if rollout.is_open:
            rollout = self.ws.rollouts.abort(rollout.id, note=f"its planned end is here; {found.sentence}")
        return f"A/B: {self._ended(rollout)}", self._report(found)

    @property
    def _other_unit(self) -> Path:
        return self.ws.folder / "data" / "other_unit.parquet"

    def _candidates(self) -> list[ModelVersion]:
        """Those of the step before, in order."""
        return sorted(self.ws.models.list(MODEL), key=lambda one: one.number)[-3:]

    def _started(self, version: ModelVersion, data: str = "", **given: Any) -> Rollout:
        """Judge it against the champion, approve it, and begin; gone on with where the demo was stopped meanwhile."""
        known = [one for one in self.ws.rollouts.list(LIVE) if one.candidate == version.ref]
        if known:
            return known[0]
        waive, evidence = "traffic is to show it", []
        if data:
            champion = self.ws.models.resolve(f"{MODEL}@champion")
            window = {"start": LEARNED, "end": HELD_OUT, "block": "1d"}
            judged = self.ws.evaluations.run(version, champion=champion, data=data, **window)
            evidence = [judged.run_id]
            waive = "" if judged.outcome == "passed" else f"{waive}; two weeks say {judged.sentence}"
        self.ws.models.approve(version, note="to be tried on traffic", evidence=evidence)
        return self.ws.rollouts.start(LIVE, version, waive=waive, **given)

    def _autumn(self, start: str, end: str) -> pd.DataFrame:
        return self.rows(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)))

    def _sent(self, server: RunningServer, rows: pd.DataFrame, *, with_outcomes: bool = True) -> None:
        """Ask for each half-hour, tell what became of it, and wait until all of it is in the tables."""
        digest = self.ws.models.resolve(self.ws.rollouts.get(LIVE).stable).package
        names = list(self.ws.packages.load(digest).schema.names)
        units = [f"{at:%Y-%m-%dT%H:%M}" for at in pd.to_datetime(rows["at"], utc=True)]
        answered = send_rows(server.url, json.loads(rows[names].to_json(orient="records")), units=units)
        if with_outcomes:
            truth = zip(answered.ids, rows["class"], strict=True)
            server.tell([{"prediction_id": name, "outcome": outcome} for name, outcome in truth])
        self.ws.deployments.drain(LIVE)

    def _decided(self) -> RolloutAnalysis:
        """Let the notebook decide; servers follow within two seconds what that did."""
        found = self.ws.rollouts.analyse(LIVE)
        if not found.is_clean:
            raise RunFailedError(f"the analysis did not finish: {found.failure}", run_id=found.run_id)
        if found.acted == "advanced":
            time.sleep(FOLLOWED_S)
        return found

    def _ended(self, rollout: Rollout) -> str:
        exposure = self.ws.rollouts.exposure(rollout)
        return (
            f"{rollout.candidate} {exposure.sentence} of {rollout.stable} and was {rollout.status}: "
            f"{rollout.ended_because or 'not yet decided'}"
        )

    def _report(self, found: RolloutAnalysis | None) -> Path:
        """The page of an analysis; of the newest where this step made none."""
        run_id = found.run_id if found else self.ws.rollouts.analyses(LIVE, limit=1)[0].run_id
        return report_of(self.ws.runs.get(run_id))
