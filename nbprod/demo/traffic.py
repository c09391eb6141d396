"""The demo's rollouts: versions meet the requests of a real server step by step, and executed notebooks decide.

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

from nbprod.clock import now
from nbprod.datasets import write_parquet
from nbprod.demo.steps import finished, report_of
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.version import ModelVersion
from nbprod.errors import RunFailedError
from nbprod.pages.rollout_words import standing
from nbprod.serving.handle import RunningServer
from nbprod.workspace import Workspace

__all__ = ["TrafficSteps"]

MODEL = "electricity"
DESK = f"{MODEL}-desk"  #: people who stayed with the first champion, and are to be brought to the second
#: The candidate whose prices are in another unit learns until here, and is judged on the six weeks after.
LEARNED, HELD_OUT = "1997-08-16", "1997-10-01"
UNIT_OFF = 0.01  #: its table holds prices in hundreds, the requests do not
#: Not slowness: who else works on the machine that walks this road is no matter of the model.
JUDGED = ["errors", "wrong"]
BATCH = 320  #: requests between two looks at a candidate that is watched closely
FOLLOWED_S = 2.0  #: servers follow the ledger within it


class TrafficSteps:
    """The steps in which versions meet traffic.

    Parameters
    ----------
    workspace
        Of the demo, with a champion and the one it replaced.
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
        return [("shadow", self.shadow), ("canary", self.canary), ("wrong-unit", self.wrong_unit), ("ab", self.ab)]

    def shadow(self) -> tuple[str, Path]:
        """The champion is asked beside for what the retired one answers; nobody is given its answers."""
        champion = self.ws.models.resolve(f"{MODEL}@champion")
        if DESK not in {one.name for one in self.ws.deployments.list(limit=None)}:
            self.ws.deployments.create(DESK, model=self._retired().ref)
        with self.ws.deployments.serve(DESK) as server:
            self._sent(server, "1997-08-25", "1997-09-01")  # a week of its own, so that outcomes are known to come
            rollout = self._started(
                champion,
                plan="shadow,canary:25:50:100",
                automation="auto",
                reason="the desk is to follow",
                waive="the gates let it pass when it became champion",
            )
            self._sent(server, "1997-09-01", "1997-09-11", with_outcomes=False)  # they come later
            found = self._decided()
        line = f"shadow: {champion} beside {rollout.stable}: {found.sentence}; {found.acted or found.decision}"
        return line, self._report(found)

    def canary(self) -> tuple[str, Path]:
        """A quarter of the units, then half, until the notebook promotes it."""
        rollout = self.ws.rollouts.get(DESK)
        found = None
        with self.ws.deployments.serve(DESK) as server:
            for start, end in pairwise(("1997-09-11", "1997-10-11", "1997-11-05", "1997-12-01")):
                if rollout.is_open:
                    self._sent(server, start, end)
                    found = self._decided()
                    rollout = self.ws.rollouts.get(rollout.id)
        return f"canary: {self._ended(rollout)}", self._report(found)

    def wrong_unit(self) -> tuple[str, Path]:
        """It passes the gates, which look at a table with the same fault; traffic shows it, and it goes by itself."""
        table = self.ws.folder / "data" / "other_unit.parquet"
        bad, outcome = self._other_unit(table)
        rollout = self._started(
            bad, plan="canary:20:50:100", automation="guard", reason="learned from a new table", waive=outcome
        )
        found = None
        with self.ws.deployments.serve(DESK) as server:
            rows = self._autumn("1997-12-01", "1998-01-01")
            for start in range(0, len(rows), BATCH):
                if rollout.is_open:
                    self._send(server, rows[start : start + BATCH])
                    found = self._decided()
                    rollout = self.ws.rollouts.get(rollout.id)
        gates = "did not pass" if outcome else "passed"
        return f"prices in another unit, gates {gates} on that table: {self._ended(rollout)}", self._report(found)

    def ab(self) -> tuple[str, Path]:
        """Half and half until a planned end: is the forest of 1996 right more often? A person ends it."""
        forest = self.ws.models.resolve(f"{MODEL}/2")
        self.ws.models.approve(forest, note="for an A/B")
        rollout = self._started(
            forest,
            plan="ab:50",
            automation="guard",
            metrics=["wrong"],
            reason="is the forest of 1996 right more often?",
            waive="an A/B is to show it",
        )
        with self.ws.deployments.serve(DESK) as server:
            self._sent(server, "1997-12-16", "1998-01-01")
            found = self._decided()
        rollout = self.ws.rollouts.get(rollout.id)
        if rollout.is_open:
            rollout = self.ws.rollouts.abort(rollout.id, note=f"its planned end is here: {found.sentence}")
        return f"A/B: {self._ended(rollout)}", self._report(found)

    def _retired(self) -> ModelVersion:
        """The first champion."""
        moves = [event for event in self.ws.models.history(MODEL) if event.kind == "model.promoted"]
        return self.ws.models.resolve(f"{MODEL}/{min(moves, key=lambda event: event.number).data['version']}")

    def _other_unit(self, table: Path) -> tuple[ModelVersion, str]:
        """A version learned from a table whose prices are in another unit, and what the gates have against it."""
        rows = self.rows(datetime(1996, 1, 1, tzinfo=UTC), datetime(1998, 1, 1, tzinfo=UTC))
        write_parquet(rows.assign(nswprice=rows["nswprice"] * UNIT_OFF), table)
        given = {**self.what, "data": str(table), "model": "hgb", "end": LEARNED, "refit": True, "curve": False}
        package = self.ws.packages.build(finished(self.ws.runs.start("train", given)))
        version = self.ws.models.bless(self.ws.models.register(package, model=MODEL))
        champion = self.ws.models.resolve(f"{MODEL}@champion")
        window = {"data": str(table), "start": LEARNED, "end": HELD_OUT, "block": "1d"}
        judged = self.ws.evaluations.run(version, champion=champion, **window)
        self.ws.models.approve(version, note="better on its table", evidence=[judged.run_id])
        return version, "" if judged.outcome == "passed" else judged.sentence

    def _started(self, version: ModelVersion, **given: Any) -> Rollout:
        """Begin; or go on with the one in which the demo was stopped."""
        newest = self.ws.rollouts.list(DESK, limit=1)
        if newest and newest[0].is_open:
            return newest[0]
        return self.ws.rollouts.start(DESK, version, **{"metrics": JUDGED, **given})

    def _autumn(self, start: str, end: str) -> pd.DataFrame:
        return self.rows(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)))

    def _sent(self, server: RunningServer, start: str, end: str, *, with_outcomes: bool = True) -> None:
        self._send(server, self._autumn(start, end), with_outcomes=with_outcomes)

    def _send(self, server: RunningServer, rows: pd.DataFrame, *, with_outcomes: bool = True) -> None:
        """Ask for each half-hour, tell what became of it, and wait until all of it is in the tables."""
        units = [f"{at:%Y-%m-%dT%H:%M}" for at in pd.to_datetime(rows["at"], utc=True)]
        fields = json.loads(rows.drop(columns=["at", "class"]).to_json(orient="records"))
        server.send(fields, units=units, outcomes=rows["class"].tolist() if with_outcomes else ())
        self.ws.deployments.drain(DESK)

    def _decided(self) -> RolloutAnalysis:
        """Let the notebook decide, and the server follow."""
        found = self.ws.rollouts.analyse(DESK)
        if not found.is_clean:
            raise RunFailedError(f"the analysis did not finish: {found.failure}", run_id=found.run_id)
        if found.acted == "advanced":
            time.sleep(FOLLOWED_S)
        return found

    def _ended(self, rollout: Rollout) -> str:
        return standing(rollout, at=now(), exposure=self.ws.rollouts.exposure(rollout))

    def _report(self, found: RolloutAnalysis | None) -> Path:
        """The page of an analysis; of the newest where a step went on with a rollout that was over."""
        run_id = found.run_id if found else self.ws.rollouts.analyses(DESK, limit=1)[0].run_id
        return report_of(self.ws.runs.get(run_id))
