"""The workspace: opens a folder and hands out its services; wiring only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.datasets.registered import RegisteredData
from nbprod.deployments import Deployments
from nbprod.disk import reporting_os_errors
from nbprod.domain.alert import AlertStatus
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.csv_format import data_place
from nbprod.domain.markup import card
from nbprod.domain.parameter import Parameter
from nbprod.evaluations import Evaluations
from nbprod.exports import Exports
from nbprod.exports.telemetry import Telemetry
from nbprod.lake import Lake
from nbprod.models import Models
from nbprod.monitors import Alerts, Monitors, Target
from nbprod.packages import Packages
from nbprod.pages.pipeline_report import pipeline_report
from nbprod.pipelines import Pipelines
from nbprod.retraining import Retraining
from nbprod.review.service import Reviews
from nbprod.rollouts.recorded import recorded_course
from nbprod.rollouts.service import Rollouts
from nbprod.rollouts.starting import candidates_for
from nbprod.runs import Runs
from nbprod.runs.preparing import Resolved
from nbprod.schedules import Schedules
from nbprod.schedules.starting import Jobs
from nbprod.serving.assigning import read_assignment
from nbprod.serving.handle import start_server
from nbprod.serving.tokens import Tokens
from nbprod.settings import Settings, actor, find_folder
from nbprod.site import report, show_model
from nbprod.site.evidence import Collector
from nbprod.site.scorecards import Scorecards
from nbprod.site.service import Site
from nbprod.store import Store
from nbprod.templates import Templates

if TYPE_CHECKING:
    from nbprod.domain.prediction import PredictionsAdded
    from nbprod.panels.rollout_panel import RolloutPanel
    from nbprod.serving.supervisor import Options, Supervisor

__all__ = ["Workspace", "open_workspace"]


def open_workspace(folder: Path | str | None = None, **settings: Any) -> Workspace:
    """Open the workspace around a folder.

    Parameters
    ----------
    folder
        A folder in the workspace; by default ``NBPROD_WORKSPACE``, else the current one.
    **settings
        Settings that win over everything, with ``__`` for the dot: ``runs__timeout_s=60``.

    Raises
    ------
    NotFoundError
        There is no ``nbprod.toml`` at or above the folder.
    SettingsError
        It cannot be used.
    """
    place = find_folder(folder if folder is not None else os.environ.get("NBPROD_WORKSPACE", "."))
    read = Settings.load(place, **settings)
    for name, entry in read.tables["data"].items():
        data_place(name, entry)
    return Workspace(read)


class Workspace:
    """A folder with ``nbprod.toml`` and everything that can be done in it.

    Services open on first use: looking at one loads nothing the others need.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.folder
        self.data = RegisteredData(settings)

    @property
    def home(self) -> Path:
        """Where nbprod writes: ``.nbprod/``, private to its owner."""
        home = self.folder / ".nbprod"
        if not home.is_dir():
            with reporting_os_errors(f"making {home}"):
                home.mkdir(mode=0o700, exist_ok=True)
                (home / ".gitignore").write_text("*\n", encoding="utf-8")
        return home

    @cached_property
    def store(self) -> Store:
        """The ledger and the files."""
        ledger = self.settings["store.ledger"] or f"sqlite:///{self.home / 'ledger.db'}"
        return Store.open(ledger, self.settings["store.files"] or self.home, actor=actor())

    @cached_property
    def templates(self) -> Templates:
        """The notebooks that can be run by name."""
        return Templates([self.folder / "templates"])

    @cached_property
    def runs(self) -> Runs:
        """Executions of notebooks."""
        return Runs(
            self.store,
            self.templates,
            self.home / "runs",
            root=self.folder,
            settings=self.settings,
            resolve=self._resolve,
            render=report,
            finish="nbprod.workspace:settle",
        )

    @cached_property
    def packages(self) -> Packages:
        """Sealed models."""
        return Packages(
            self.store,
            private=self.settings.private_columns,
            trusted=self.settings["packages.trusted"],
            built=show_model,
        )

    @cached_property
    def models(self) -> Models:
        """Registered models, versions, aliases, and their history."""
        return Models(self.store, self.lake, gate_policy=self.evaluations.gates_say, bless=self.packages.bless)

    @cached_property
    def exports(self) -> Exports:
        """Versions written to run elsewhere."""
        return Exports(self.models, self.packages)

    @cached_property
    def telemetry(self) -> Telemetry:
        """What other tools are told: Prometheus, OpenTelemetry, OpenLineage, evidently."""
        return Telemetry(self.store, self.lake, workspace=self.folder.name, target=self._target)

    @cached_property
    def evaluations(self) -> Evaluations:
        """Versions held against the champion and the gates."""
        return Evaluations(
            self.store,
            self.settings,
            runs=self.runs,
            packages=self.packages,
            resolve=lambda version: self.models.resolve(version),  # noqa: PLW0108 — models need these: found when asked
        )

    @cached_property
    def lake(self) -> Lake:
        """Predictions and outcomes."""
        return Lake(f"{self.store.files.root}/lake")

    @cached_property
    def deployments(self) -> Deployments:
        """What is in use, its predictions and outcomes."""
        return Deployments(
            self.store,
            self.lake,
            self.packages,
            self.models.resolve,
            private=self.settings.private_columns,
            locate=self.data.registered,
            spools=self.home / "spools",
            records=[self.home / "runs", self.home / "pipelines", self.folder / self.settings["site.folder"]],
            serve=partial(start_server, self.folder),
        )

    @cached_property
    def tokens(self) -> Tokens:
        """Who may ask servers, and for what."""
        return Tokens(self.store)

    def supervisor(self, deployment: str, options: Options) -> Supervisor:
        """The server of a deployment, to be run in this process: what ``nbprod serve`` does."""
        from nbprod.serving.supervisor import Supervisor  # delayed: only those who serve wait for uvicorn

        return Supervisor(
            options,
            partial(read_assignment, self.store, self.packages, self.models.resolve, self.settings, deployment),
            lake=self.lake.root,
            spools=self.home / "spools" / deployment,
            alarm=partial(self._alarm, deployment),
            take_out=lambda rollout, why: self.rollouts.roll_back(rollout, note=why, actor="guard"),
            review_desk=(
                *(sys.executable, "-m", "nbprod", "--workspace", str(self.folder)),
                *("review", "desk", deployment),
            ),
        )

    @cached_property
    def alerts(self) -> Alerts:
        """Alerts of the monitors: list, acknowledge, snooze, resolve, deliver."""
        return Alerts(self.store, self.settings, catch_up=lambda: self.monitors.catch_up())  # noqa: PLW0108 — when asked

    @cached_property
    def monitors(self) -> Monitors:
        """Deployments held against their package's reference."""
        alerts, locate = self.alerts, self.data.locate
        return Monitors(self.store, self.settings, runs=self.runs, alerts=alerts, target=self._target, locate=locate)

    @cached_property
    def retraining(self) -> Retraining:
        """From an alert to a candidate."""
        return Retraining(
            self.store,
            self.settings,
            runs=self.runs,
            packages=self.packages,
            models=self.models,
            evaluations=self.evaluations,
            alerts=self.alerts,
            roll_out=self.rollouts.start,
        )

    @cached_property
    def rollouts(self) -> Rollouts:
        """Candidates that meet traffic step by step."""
        return Rollouts(
            self.store,
            self.settings,
            lake=self.lake,
            runs=self.runs,
            models=self.models,
            gates=self.evaluations.gates_say,
            predict=self.packages.predict_isolated,
        )

    def rollout(self, deployment: str) -> RolloutPanel:
        """The rollout of a deployment as a live panel: look, start one, pause, advance, promote, abort.

        Raises
        ------
        NotFoundError
            There is no such deployment.
        """
        from nbprod.panels.rollout_panel import RolloutPanel  # delayed: ipywidgets takes half a second

        self.deployments.get(deployment)
        return RolloutPanel(
            self.rollouts,
            deployment,
            candidates=lambda: candidates_for(self.models, self.deployments.get(deployment)),
            course=partial(recorded_course, self.runs),
        )

    @cached_property
    def review(self) -> Reviews:
        """Predictions people look at, and what they say."""
        return Reviews(
            self.store,
            self.lake,
            resolve=self.models.resolve,
            folder=self.packages.folder,
            panel="nbprod.panels.review_panel:ReviewPanel",
        )

    @cached_property
    def pipelines(self) -> Pipelines:
        """Notebooks that need each other's results."""
        return Pipelines(
            self.store,
            self.settings,
            self.home / "pipelines",
            runs=self.runs,
            packages=self.packages,
            register=self._register,
            render=pipeline_report,
        )

    @cached_property
    def schedules(self) -> Schedules:
        """What is started when."""
        jobs = Jobs(self.store, runs=self.runs, pipelines=self.pipelines, monitors=self.monitors)
        return Schedules(self.store, self.settings, jobs, deliver=lambda: self.alerts.deliver())  # noqa: PLW0108 — as late

    @cached_property
    def scorecards(self) -> Scorecards:
        """The ML Test Score of each model."""
        collector = Collector(self.store, self.settings, self.runs, self.packages, self.evaluations, self.lake)
        return Scorecards(self.store, collector.collect)

    @cached_property
    def site(self) -> Site:
        """The static site of all records."""
        return Site(
            self.store,
            self.folder / self.settings["site.folder"],
            runs_folder=self.home / "runs",
            name=self.folder.name,
            exposure=lambda rollout: self.rollouts.exposure(rollout),  # noqa: PLW0108 — built only for a site with rollouts
            scorecards=self.scorecards.list,
        )

    def _register(self, package: str, verdict: str | None = None, *, model: str, caused_by: str) -> str:
        """Make a package the next version of a model, bless it, and keep the verdict of the run that judged it."""
        version = self.models.register(self.packages.get(package), model=model, caused_by=caused_by)
        version = self.models.bless(version)
        if verdict:
            self.evaluations.keep(version, self.runs.get(verdict))
        return version.ref

    def _resolve(self, parameter: Parameter, value: Any) -> Resolved:
        """What a notebook gets for a data set's name or a model's reference, and what stands behind it."""
        if parameter.is_model:
            folder = self._package_folder(str(value))
            return Resolved(str(folder), folder.name)
        return Resolved(*self.data.read(str(value)))

    def locate_data(self, name: str) -> str:
        """The path or URL of a registered data set; a path or URL is taken as it is."""
        return self.data.locate(name)

    def keep_scored(
        self, deployment: str, output: str, *, unseen: Mapping[str, int], source: str
    ) -> PredictionsAdded | None:
        """Keep what a batch job predicted in the table of a deployment, once, and alarm as its server would.

        ``output`` is what the job wrote, ``unseen`` by column how many values were never seen in training, ``source``
        the run that did it. ``None`` where all of it was kept before.
        """
        from nbprod.scoring.logging import Logged  # delayed: pyarrow

        predictions = Logged(output)
        if predictions.mark is None:
            return None
        added = self.deployments.keep(deployment, predictions.parts(), mark=predictions.mark)
        if self.deployments.get(deployment).unseen == "alarm":
            for column, count in unseen.items():
                sentence = f"{column} had {count:,} values never seen in training"
                self._alarm(deployment, "unseen", column, sentence, source=source)
        predictions.finish()
        return added

    def _alarm(self, deployment: str, check: str, subject: str, sentence: str, *, source: str = "server") -> None:
        """Open an alert about a server, or resolve it where there is nothing to say."""
        outcome = CheckOutcome.FAILED if sentence else CheckOutcome.PASSED
        seen = CheckResult(name=check, outcome=outcome, sentence=sentence or "well again", subject=subject)
        self.alerts.see(deployment, [seen], source=source)

    def _package_folder(self, ref: str) -> Path:
        """The folder of a model version, an alias, a package digest or a package folder."""
        if "/packages/" in ref or Path(ref).is_dir():
            return Path(ref).resolve()
        if re.fullmatch(r"[0-9a-f]{8,64}", ref):
            return self.packages.folder(ref)
        return self.packages.folder(self.models.resolve(ref).package)

    def _target(self, name: str) -> Target:
        """What a deployment is at this moment."""
        deployment = self.deployments.get(name)
        deployment = replace(deployment, reference=self.data.registered(deployment.reference))
        version = self.models.resolve(deployment.model) if deployment.model else None
        return Target(
            deployment=deployment,
            version=version.ref if version else None,
            package=str(self.packages.folder(version.package)) if version else "",
            lake=self.lake.root,
        )

    def __repr__(self) -> str:
        return f"<Workspace {self.folder}>"

    def _repr_html_(self) -> str:
        return card(
            f"Workspace {self.folder.name}",
            [
                ("folder", self.folder),
                ("templates", ", ".join(template.name for template in self.templates.list())),
                ("data", ", ".join(self.settings.tables["data"])),
                (
                    "champions",
                    ", ".join(f"{a.model}/{a.number}" for a in self.models.aliases() if a.name == "champion"),
                ),
                ("open alerts", len(self.alerts.list(status=AlertStatus.OPEN, limit=None)) or None),
            ],
        )


def finalize_run(folder: Path) -> None:
    """Tell the ledger how a detached run ended; called by the process that executed it, with the run's folder."""
    open_workspace(folder).runs.get(folder.name)
