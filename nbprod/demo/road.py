"""The whole road on real data: half-hours of an electricity market, from a notebook to a model that is watched.

Every step is done once: a demo that was stopped goes on where it was, and a finished one only tells what it made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from nbprod.datasets import read_frame, write_parquet
from nbprod.demo.steps import DemoStep, at_once, finished, report_of
from nbprod.demo.traffic import TrafficSteps
from nbprod.disk import write_file
from nbprod.domain.alert import AlertStatus
from nbprod.domain.check import CheckOutcome
from nbprod.domain.evaluation import Evaluation
from nbprod.errors import ConflictError, RefusedError
from nbprod.scaffold import create_workspace
from nbprod.serving.traffic import send_rows
from nbprod.settings import FILE_NAME
from nbprod.workspace import Workspace, open_workspace

__all__ = ["DemoStep", "run_demo"]

MODEL = "electricity"
#: Of these three gradient boosting has the best ROC AUC. A logistic regression does as well on late 1996, as each
#: train notebook says of its simple model; but the road is about ageing, and how boosting ages here is known.
CANDIDATES = ("knn", "forest", "hgb")
LIVE = f"{MODEL}-live"  #: apart: what is predicted there happens now, not in 1997
#: Training rows: all of 1996. January decides who is champion, and the rest of 1997 is replayed month by month.
CUT = "1997-01-01"
MONTHS = [datetime(1997, month, 1, tzinfo=UTC) for month in range(2, 13)] + [datetime(1998, 1, 1, tzinfo=UTC)]
#: Outcomes come a week after the half-hour they are about.
DELAY = timedelta(days=7)
WHAT: dict[str, Any] = {"data": MODEL, "target": "class", "time": "at", "split": "time"}


def run_demo(folder: Path | str, on_step: Callable[[DemoStep], None]) -> str:
    """Walk the road in a workspace.

    Parameters
    ----------
    folder
        Made if it does not exist; a workspace the demo made before is gone on with.
    on_step
        Called after each step, at once for those that were done before.

    Returns
    -------
    str
        The address of the site.

    Raises
    ------
    ConflictError
        The folder is a workspace the demo did not make.
    """
    folder = Path(folder).expanduser().resolve()
    if not (folder / FILE_NAME).exists():
        create_workspace(folder)
        (folder / ".nbprod").mkdir(mode=0o700, exist_ok=True)
        write_file(folder / ".nbprod" / "demo.json", "[]")
    demo = Demo(open_workspace(folder))
    for step in demo.walk():
        on_step(step)
    return (folder / "site" / "index.html").as_uri()


class Demo:
    """The steps, and what was done of them before."""

    def __init__(self, workspace: Workspace) -> None:
        self.ws = workspace
        self.memory = workspace.home / "demo.json"
        if not self.memory.exists():
            raise ConflictError(
                f"{workspace.folder} is a workspace of yours, not the demo's", hint="Give the demo another folder."
            )
        self.done = {step["name"]: DemoStep(**step) for step in json.loads(self.memory.read_text(encoding="utf-8"))}

    def walk(self) -> Iterator[DemoStep]:
        """Do what is not done yet; each step as it is there."""
        for name, act in self.steps():
            if name not in self.done:
                began = time.perf_counter()
                line, file = act()
                step = DemoStep(name=name, line=line, file=str(file), seconds=round(time.perf_counter() - began, 1))
                self.done[name] = step
                write_file(self.memory, json.dumps([asdict(one) for one in self.done.values()], indent=1))
            yield self.done[name]

    def steps(self) -> list[tuple[str, Callable[[], tuple[str, Path]]]]:
        """The road in order."""
        return [
            ("validate", self.validate),
            ("train", self.train),
            ("first-champion", self.first_champion),
            ("deploy", self.deploy),
            *((f"{start:%Y-%m}", partial(self.month, start, end)) for start, end in pairwise(MONTHS)),
            ("serve", self.serve),
            ("sabotage", self.sabotage),
            ("ahead", self.ahead),
            *TrafficSteps(self.ws, self.rows, WHAT).steps(),
            ("scorecard", self.scorecard),
            ("site", self.site),
        ]

    @cached_property
    def market(self) -> pd.DataFrame:
        """Every half-hour, with its moment."""
        return read_frame(str(self.ws.folder / "data" / "electricity.parquet"))

    def rows(self, start: datetime, end: datetime) -> pd.DataFrame:
        """The half-hours of a window."""
        at = pd.to_datetime(self.market["at"], utc=True)
        return self.market[(at >= start) & (at < end)].reset_index(drop=True)

    def validate(self) -> tuple[str, Path]:
        """Look at the data first."""
        run = finished(self.ws.runs.start("validate_data", data=MODEL, target="class", time="at"))
        checks = self.ws.runs.results(run).checks
        telling = [check.sentence for check in checks if check.outcome is not CheckOutcome.PASSED]
        return f"looked at {len(self.market):,} half-hours: {'; '.join(telling) or 'nothing wrong'}", report_of(run)

    def train(self) -> tuple[str, Path]:
        """Three models on the rows of 1996, several at a time, sealed, registered and blessed."""
        fixed = {name: [value] for name, value in {**WHAT, "end": CUT, "refit": True}.items()}
        runs = self.ws.runs.sweep("train", {"model": CANDIDATES, **fixed}).runs
        made = [self.ws.packages.build(finished(run)) for run in runs]
        versions = [self.ws.models.register(package, model=MODEL) for package in made]
        at_once(self.ws.models.bless, versions)
        scores = zip(versions, (run.metrics["roc_auc"] for run in runs), strict=True)
        summary = ", ".join(f"{version} {score:.3f}" for version, score in scores)
        return f"trained {', '.join(CANDIDATES)} on 1996: ROC AUC on held-out weeks {summary}", report_of(runs[-1])

    def first_champion(self) -> tuple[str, Path]:
        """Hold all three against the gates on January, which none has seen; the best becomes champion."""
        versions = self.ws.models.list(MODEL)
        january: dict[str, Any] = {"data": MODEL, "start": CUT, "end": MONTHS[0].isoformat(), "block": "1d"}
        judged = dict(zip(versions, at_once(partial(self.ws.evaluations.run, **january), versions), strict=True))
        scores = {version: _score(verdict) for version, verdict in judged.items()}
        best = max(scores, key=lambda version: scores[version])
        self.ws.models.approve(best, note="best of three in January", evidence=[judged[best].run_id])
        self.ws.models.promote(best, expect=None, reason="best of three", evidence=[judged[best].run_id])
        summary = ", ".join(
            f"{version} {score:.3f}" for version, score in sorted(scores.items(), key=lambda one: -one[1])
        )
        return f"accuracy in January: {summary}; {best} is champion", self.page(judged[best])

    def deploy(self) -> tuple[str, Path]:
        """Put the champion to use, whoever it is."""
        self.ws.deployments.create(MODEL, model=f"{MODEL}@champion")
        return f"deployment {MODEL} follows {MODEL}@champion", Path(self.ws.lake.root)

    def month(self, start: datetime, end: datetime) -> tuple[str, Path]:
        """Predict a month, let its outcomes come, look at it, and retrain if the policy says so."""
        rows = self.rows(start, end)
        ids = [f"{MODEL}-{at:%Y%m%dT%H%M}" for at in pd.to_datetime(rows["at"], utc=True)]
        if not self.ws.lake.window(MODEL, start, end).count():  # else the demo was stopped within this month
            self.ws.deployments.open(MODEL).predict(rows.drop(columns="class"), at="at", ids=ids)
        outcomes = pd.DataFrame({"prediction_id": ids, "outcome": rows["class"], "at": rows["at"]})
        outcomes["at"] = pd.to_datetime(outcomes["at"], utc=True) + DELAY
        self.ws.deployments.add_outcomes(MODEL, outcomes)
        report = self.ws.monitors.run(MODEL, start=start, end=end, as_of=end + DELAY)
        line = f"{start:%B %Y}: {report.verdict}, {report.sentence}"
        open_now = self.ws.alerts.list(MODEL, status=AlertStatus.OPEN, limit=None)
        outcome = self.ws.retraining.consider([one for one in open_now if one.run_id == report.run_id], until=end)
        if outcome is not None:
            line += f" → retrained as {outcome.candidate}, gates {outcome.outcome}: {outcome.sentence}"
        return line, report_of(self.ws.runs.get(report.run_id))

    def sabotage(self) -> tuple[str, Path]:
        """A candidate that learned from shuffled labels: the gates refuse it, whoever approves it."""
        rows = self.rows(datetime(1996, 1, 1, tzinfo=UTC), datetime(1997, 6, 16, tzinfo=UTC))
        rows["class"] = rows["class"].sample(frac=1, random_state=0).to_numpy()
        path = self.ws.folder / "data" / "shuffled.parquet"
        write_parquet(rows, path)
        given = {**WHAT, "data": str(path), "model": "hgb", "refit": True, "curve": False}
        run = finished(self.ws.runs.start("train", given))
        version = self.ws.models.bless(self.ws.models.register(self.ws.packages.build(run), model=MODEL))
        verdict = self.compare(version.ref, f"{MODEL}@champion", "1997-06-16", "1997-07-01")
        self.ws.models.approve(version, note="approved by mistake", evidence=[verdict.run_id])
        try:
            self.ws.models.promote(version, expect=self.ws.models.resolve(f"{MODEL}@champion"), reason="by mistake")
        except RefusedError as refusal:
            self.ws.models.reject(version, note="learned from shuffled labels", evidence=[verdict.run_id])
            return f"{version} learned from shuffled labels and is refused: {refusal.message}", self.page(verdict)
        raise RefusedError(f"{version} learned from shuffled labels and was promoted all the same")

    def serve(self) -> tuple[str, Path]:
        """Serve the champion on the loopback, send it the last month over HTTP, and return the outcomes."""
        if LIVE not in {one.name for one in self.ws.deployments.list(limit=None)}:
            self.ws.deployments.create(LIVE, model=f"{MODEL}@champion")
        month = self.rows(*MONTHS[-2:])
        names = self.ws.packages.load(self.ws.models.resolve(f"{MODEL}@champion").package).schema.names
        with self.ws.deployments.serve(LIVE) as server:
            answered = send_rows(server.url, json.loads(month[list(names)].to_json(orient="records")))
            truth = zip(answered.ids, month["class"], strict=True)
            told = server.tell([{"prediction_id": name, "outcome": outcome} for name, outcome in truth])
        self.ws.deployments.drain(LIVE)
        window = self.ws.lake.window(LIVE)
        kept = set(window.to_table(["prediction_id"])["prediction_id"].to_pylist())
        count = sum(name in kept for name in answered.ids)
        line = (
            f"{answered.per_second:,.0f} requests a second over HTTP, p99 {answered.p99_ms:.0f} ms; "
            f"{told['added']:,} outcomes returned; predictions kept: {count:,} of {len(answered.ids):,}"
        )
        return line, Path(self.ws.lake.root) / LIVE

    def ahead(self) -> tuple[str, Path]:
        """The champion of today against the one it retired, on the months since."""
        moves = [event for event in self.ws.models.history(MODEL) if event.kind == "model.promoted"]
        retired = self.ws.models.resolve(f"{MODEL}/{min(moves, key=lambda event: event.number).data['version']}")
        champion = self.ws.models.resolve(f"{MODEL}@champion")
        since = datetime(1997, 7, 1, tzinfo=UTC)
        verdict = self.compare(champion.ref, retired.ref, since.isoformat(), MONTHS[-1].isoformat())
        gain = next(check for check in verdict.checks if check.name == "gain")
        return f"{champion} against the retired {retired} since {since:%B}: {gain.sentence}", self.page(verdict)

    def scorecard(self) -> tuple[str, Path]:
        """What the records of the road are worth, and what is missing."""
        card = self.ws.scorecards.get(MODEL)
        return card.line, self.ws.scorecards.report(self.ws.folder / "scorecard.html", MODEL)

    def site(self) -> tuple[str, Path]:
        """Everything so far as a static site."""
        summary = self.ws.site.build()
        return f"site of {summary.pages} pages", summary.index

    def compare(self, candidate: str, champion: str, start: str, end: str) -> Evaluation:
        """One version against another on the same rows."""
        find = self.ws.models.resolve
        return self.ws.evaluations.run(
            find(candidate), champion=find(champion), data=MODEL, start=start, end=end, block="1d"
        )

    def page(self, verdict: Evaluation) -> Path:
        """The page of an evaluation's run."""
        return report_of(self.ws.runs.get(verdict.run_id))


def _score(verdict: Evaluation) -> float:
    """The candidate's own score; no champion is needed for it."""
    return next(check.value for check in verdict.checks if check.name == "score" and check.value is not None)
