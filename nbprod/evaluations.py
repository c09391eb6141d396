"""Evaluations: a version held against the champion and its gates in a run, read back as evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.evaluation import Evaluation
from nbprod.domain.run import Run
from nbprod.domain.version import Alias, ModelVersion
from nbprod.errors import EnvironmentProblem, NotFoundError, RefusedError, RunFailedError
from nbprod.gates import DEFAULT, Gates, policy_parameters
from nbprod.packages import Packages
from nbprod.runs import Runs
from nbprod.settings import Settings
from nbprod.store import Store

__all__ = ["Evaluations"]


class Evaluations:
    """Runs the evaluate notebook on versions and reads its verdicts as evidence.

    Parameters
    ----------
    store
        Where each verdict becomes an event of its version.
    settings
        Holds the ``[gates.MODEL]`` tables.
    runs, packages
        Execute the notebook; find the packages' folders.
    resolve
        Finds the version a text names: ``Models.resolve``; without it only versions themselves are taken.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        runs: Runs,
        packages: Packages,
        resolve: Callable[[ModelVersion | str], ModelVersion] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._gates = Gates(settings.tables["gates"])
        self._runs = runs
        self._packages = packages
        self._resolve = resolve

    def run(
        self,
        candidate: ModelVersion | str,
        *,
        champion: ModelVersion | str | None = None,
        caused_by: str | None = None,
        **parameters: Any,
    ) -> Evaluation:
        """Hold a version against the champion on the same rows, and against its model's gates.

        Parameters
        ----------
        candidate
            The version to be judged, or its name: ``electricity/2``.
        champion
            What it is compared with, or its name; ``None``: there is none yet, which is an outcome of its own.
        caused_by
            The alert, pipeline or run behind this.
        **parameters
            Of the evaluate notebook: ``data``, ``start``, ``end``, ``block`` …

        Raises
        ------
        RunFailedError
            The notebook did not finish, so there is no verdict.
        """
        candidate = self._version(candidate)
        champion = self._version(champion) if champion is not None else None
        run = self._runs.start(
            "evaluate",
            policy_parameters(self._gates.policy(candidate.model), parameters),
            caused_by=caused_by,
            candidate=candidate.package,
            champion=champion.package if champion else None,
        )
        if not run.succeeded:
            raise RunFailedError(
                f"The evaluation of {candidate} did not finish: {run.error}",
                run_id=run.id,
                hint=f"`nbprod runs show {run.id}` has the cell and its traceback.",
            )
        return self.keep(candidate, run, champion=champion)

    def _version(self, named: ModelVersion | str) -> ModelVersion:
        if self._resolve is not None:
            return self._resolve(named)
        if isinstance(named, str):
            raise EnvironmentProblem(f"these evaluations cannot find {named}", hint="Use those of a workspace.")
        return named

    def keep(self, candidate: ModelVersion, run: Run, *, champion: ModelVersion | None = None) -> Evaluation:
        """Take the verdict a run recorded as evidence of a version.

        Raises
        ------
        RefusedError
            The run judged another package.
        NotFoundError
            The run recorded no verdict.
        """
        found = self.read(run)
        if found.candidate != candidate.package:
            raise RefusedError(
                f"Run {run.id} judged another package than that of {candidate}",
                hint=f"nbprod models evaluate {candidate} --data …",
            )
        with self._store.write() as session:
            session.event(
                "version.evaluated",
                candidate.ref,
                reason=found.sentence,
                evidence=(run.id,),
                data={"outcome": found.outcome, "champion": champion.ref if champion else None},
            )
        return found

    def gates_say(self, version: ModelVersion) -> CheckResult | None:
        """What the latest evaluation of a version says under today's gates; ``None`` where its model has no gates.

        Evidence counts for the package it names, under the policy it was judged by, against whoever is champion now.
        """
        tables = self._settings.tables["gates"]
        if version.model not in tables and DEFAULT not in tables:
            return None
        with self._store.read() as session:
            events = session.events(version.ref, "version.evaluated", limit=1)
            champion = session.find(Alias, version.model, "champion")
            holder = session.get(ModelVersion, version.model, champion.number).package if champion else None
        again = f"nbprod models evaluate {version} --data …"
        if not events:
            return _doubt(f"{version} has not been evaluated", again)
        found = self.read(self._runs.get(events[0].evidence[0]))
        if found.candidate != version.package:
            return _doubt(f"run {found.run_id} judged another package", again)
        gates = self._gates.policy(version.model)
        if gates.metric == "auto":  # the verdict names the metric that was meant
            gates = replace(gates, metric=found.metric)
        if found.policy != gates.digest:
            return _doubt(f"the gates of {version.model} have changed since run {found.run_id}", again)
        if found.champion != holder:
            return _doubt(f"run {found.run_id} compared with another champion than today's", again)
        return CheckResult(name="gates", outcome=found.outcome, sentence=found.sentence)

    def read(self, run: Run) -> Evaluation:
        """The verdict a run recorded.

        Raises
        ------
        NotFoundError
            The run recorded none.
        """
        records = self._runs.results(run)
        if "verdict" not in records:
            raise NotFoundError(f"Run {run.id} recorded no verdict", hint="An evaluate run does; name one of those.")
        verdict = records["verdict"]
        evidence = verdict["evidence"]
        return Evaluation(
            run_id=run.id,
            candidate=evidence["candidate"],
            champion=evidence["champion"],
            data=evidence["data"],
            metric=evidence["metric"],
            policy=verdict["policy_digest"],
            outcome=CheckOutcome(verdict["outcome"]),
            checks=tuple(map(CheckResult.read, verdict["checks"])),
        )


def _doubt(sentence: str, mend: str) -> CheckResult:
    return CheckResult(name="gates", outcome=CheckOutcome.INCONCLUSIVE, sentence=f"{sentence}; {mend}")
