"""The service over rollouts: started, analysed by a notebook, moved by its verdict or by people; all recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from nbprod.clock import now, time_id
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.deployment import Deployment
from nbprod.domain.rollout import (
    Rollout,
    RolloutAnalysis,
    RolloutStatus,
)
from nbprod.domain.rollout_plan import RolloutPolicy, StepKind, log_start, plan_text
from nbprod.domain.version import ModelVersion
from nbprod.errors import ConflictError, RefusedError, SettingsError, StaleMoveError
from nbprod.lake import Lake
from nbprod.models import Models
from nbprod.rollouts.asking import ask_candidate
from nbprod.rollouts.moves import obey_analysis, paused, resumed, what_moved
from nbprod.rollouts.reading import RecordedRollouts
from nbprod.rollouts.recorded import facts_of, read_analysis
from nbprod.rollouts.starting import check_candidate, fixed_rules
from nbprod.runs import Runs
from nbprod.settings import Settings
from nbprod.store import Session, Store

__all__ = ["Rollouts"]

R = TypeVar("R")


class Rollouts(RecordedRollouts):
    """Brings candidates to the traffic of deployments.

    Parameters
    ----------
    store
        The ledger.
    settings
        Holds the ``[rollouts.DEPLOYMENT]`` tables.
    lake
        Where predictions, failures and shadows are.
    runs
        Executes the analysis notebook.
    models
        Moves aliases.
    predict
        Predicts rows by a package, named by its digest, in a process of its own.
    gates
        What the latest evaluation of a version says under today's gates; ``None`` where there are none.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        lake: Lake,
        runs: Runs,
        models: Models,
        predict: Callable[[str, Any], Any] | None = None,
        gates: Callable[[ModelVersion], CheckResult | None] = lambda version: None,  # noqa: ARG005 — there are none
    ) -> None:
        super().__init__(store, settings, lake)
        self._runs = runs
        self._models = models
        self._gates = gates
        self._predict = predict

    def start(
        self,
        deployment: str,
        to: ModelVersion | str,
        *,
        plan: str | None = None,
        reason: str = "",
        waive: str = "",
        actor: str | None = None,
        **rules: Any,
    ) -> Rollout:
        """Begin to bring a version to the traffic of a deployment.

        Parameters
        ----------
        deployment
            Its name.
        to
            The candidate: approved, blessed, of the same model, and not in use there.
        plan
            Steps: ``shadow,canary:5:25:50:100``, ``ab:50``, ``blue-green``, ``replay``; else that of ``nbprod.toml``.
        reason
            Why, kept with it.
        waive
            Begin, and promote, although the gates do not say yes, for this reason.
        actor
            Who, if not the store's actor.
        **rules
            Of `RolloutPolicy`, for this rollout alone: ``metrics``, ``alpha``, ``lease``, ``automation`` …

        Raises
        ------
        ConflictError
            The deployment has an open rollout.
        RefusedError
            The version is not approved, not blessed, or in use already.
        SettingsError
            The plan or a rule cannot be used.
        """
        policy = self.policy(deployment)
        if plan is not None or rules:
            table = {**self._settings.tables["rollouts"].get(deployment, {}), **rules}
            policy = RolloutPolicy.parse(deployment, {**table, **({"plan": plan} if plan else {})})
        candidate = self._models.resolve(to)
        with self._store.read() as session:
            target = session.get(Deployment, deployment)
        private = {*target.private, *self._settings.private_columns}
        check_candidate(candidate, self._stable(target), target, policy, private=private)
        self._check_gates(candidate, waive)
        who, at = actor or self._store.actor, now()
        with self._store.write() as session:
            if (running := _open_of(session, deployment)) is not None:
                raise ConflictError(
                    f"{deployment} has a rollout already: {running.id} of {running.candidate}, {running.status}",
                    hint=f"End it first: nbprod rollouts abort {deployment} --note WHY.",
                )
            stable = self._stable(target)
            rollout = Rollout(
                id=time_id("rollout", at),
                deployment=deployment,
                candidate=candidate.ref,
                stable=stable.ref,
                alias=_alias_of(target),
                status=RolloutStatus.RUNNING,
                plan=plan_text(policy.plan),
                salt=secrets.token_hex(8),
                started_at=at,
                started_by=who,
                reason=reason,
                waive=waive,
                step_since=at,
                lease_until=at,
                **fixed_rules(policy, has_outcomes=self._has_outcomes(deployment)),
            ).renewed(at)
            session.add(rollout)
            _note(session, rollout, "started", reason, actor=who, data={"plan": rollout.plan, "stable": stable.ref})
        if rollout.current.kind is StepKind.BLUE_GREEN:
            return self.promote(rollout.id, note=reason or "blue-green: all at once", actor=who)
        return rollout

    def analyse(
        self,
        name: str,
        *,
        notebook: str = "rollout",
        as_of: datetime | None = None,
        tables: Mapping[str, int] | None = None,
        caused_by: str | None = None,
    ) -> RolloutAnalysis:
        """Execute the analysis notebook, keep what it records, and do what the rollout's automation lets it do.

        A notebook that raises, is stopped, or records no decision means hold, and renews nothing.

        Parameters
        ----------
        name
            A rollout's id, or its deployment.
        notebook
            A template or a copy of one; it may add metrics of its own to the log.
        as_of
            Until when things are known; now by default. With it, or with ``tables``, nothing is kept or moved.
        tables
            Versions of the tables, as an earlier analysis recorded them: it sees exactly what that one saw.
        caused_by
            The schedule or pipeline behind this.
        """
        rollout = self.get(name)
        at = as_of or now()
        if as_of is None and not tables:
            self._ask_beside(rollout, at)
        run = self._runs.start(
            notebook,
            caused_by=caused_by or rollout.id,
            deployment=rollout.deployment,
            lake=self._lake.root,
            rollout=facts_of(rollout),
            as_of=at,
            tables=dict(tables or {}),
        )
        analysis = read_analysis(self._runs, run, rollout, at)
        return analysis if as_of or tables else self._obey(analysis)

    def advance(self, name: str, *, note: str, actor: str | None = None) -> Rollout:
        """Go on with the next step, as a person's decision; refused in the last one."""
        return self._by_hand(name, "advanced", lambda one, at: one.advanced(at), note, actor)

    def pause(self, name: str, *, note: str, actor: str | None = None) -> Rollout:
        """Keep the step and its share; nothing moves by itself but a roll back, and the share still needs renewal."""
        return self._by_hand(name, "paused", paused, note, actor)

    def resume(self, name: str, *, note: str, actor: str | None = None) -> Rollout:
        """Go on after a pause."""
        return self._by_hand(name, "resumed", resumed, note, actor)

    def abort(self, name: str, *, note: str, actor: str | None = None) -> Rollout:
        """End it; traffic is the stable version's."""
        return self._by_hand(name, "aborted", lambda one, at: one.ended(RolloutStatus.ABORTED, at, note), note, actor)

    def promote(self, name: str, *, note: str, evidence: Sequence[str] = (), actor: str | None = None) -> Rollout:
        """Make the candidate the stable version; the previous one stays loaded for a while.

        Raises
        ------
        IllegalMoveError
            It is over.
        """
        before = self.get(name)
        self._check_gates(self._models.resolve(before.candidate), before.waive)
        return self._by_hand(
            name, "promoted", lambda one, at: one.ended(RolloutStatus.PROMOTED, at, note), note, actor, evidence
        )

    def roll_back(self, name: str, *, note: str, evidence: Sequence[str] = (), actor: str | None = None) -> Rollout:
        """Take the candidate out, also after it was promoted while the previous version is kept."""
        return self._by_hand(
            name, "rolled-back", lambda one, at: one.ended(RolloutStatus.ROLLED_BACK, at, note), note, actor, evidence
        )

    def _obey(self, analysis: RolloutAnalysis) -> RolloutAnalysis:
        at = now()

        def moved(before: Rollout) -> Rollout:
            return (
                obey_analysis(before, analysis, at) if analysis.is_clean and before.step == analysis.step else before
            )

        def record(session: Session, before: Rollout, after: Rollout) -> RolloutAnalysis:
            kept = replace(analysis, acted=what_moved(before, after))
            session.add(kept)
            data = {"decision": kept.decision, "acted": kept.acted, "failure": kept.failure}
            _note(session, after, "analysed", kept.sentence, evidence=(kept.run_id,), data=data)
            return kept

        try:
            return self._move(analysis.rollout, moved, record, analysis.sentence, (analysis.run_id,), None)
        except (ConflictError, RefusedError) as problem:  # gates, approvals or the alias have changed meanwhile
            analysis = replace(analysis, sentence=f"{analysis.sentence}; not carried out: {problem.message}")
            with self._store.write() as session:
                rollout = session.get(Rollout, analysis.rollout)
                return record(session, rollout, rollout)

    def _by_hand(
        self,
        name: str,
        what: str,
        move: Callable[[Rollout, datetime], Rollout],
        note: str,
        actor: str | None,
        evidence: Sequence[str] = (),
    ) -> Rollout:
        if not note.strip():
            raise SettingsError("a decision needs a note", hint="Say why in a sentence; it is kept with the rollout.")
        found, at = self.get(name), now()

        def record(session: Session, before: Rollout, after: Rollout) -> Rollout:
            newest = session.list(RolloutAnalysis, {"rollout": before.id}, limit=1)
            shown = evidence or tuple(one.run_id for one in newest)
            _note(session, after, what, note, actor=actor, evidence=shown, data={"step": after.step})
            return after

        return self._move(found.id, lambda before: move(before, at), record, note, evidence, actor)

    def _move(
        self,
        rollout: str,
        move: Callable[[Rollout], Rollout],
        record: Callable[[Session, Rollout, Rollout], R],
        reason: str,
        evidence: Sequence[str],
        actor: str | None,
    ) -> R:
        """Move a rollout, and the alias or the deployment with it: both or, whatever is killed meanwhile, neither."""
        recorded: list[R] = []

        def write(session: Session) -> None:
            before = session.get(Rollout, rollout)
            after = move(before)
            if after.status is not expected.status:
                raise StaleMoveError(f"rollout {rollout} is {before.status} by now", hint="Look at it again.")
            if after is not before:
                session.replace(after, expecting={"status": before.status, "step": before.step})
            recorded.append(record(session, before, after))

        expected = move(self.get(rollout))
        with self._store.read() as session:
            target = session.get(Deployment, expected.deployment)
        ends = {RolloutStatus.PROMOTED: expected.candidate, RolloutStatus.ROLLED_BACK: expected.stable}
        wanted = ends.get(expected.status)
        shared: dict[str, Any] = {"reason": reason, "evidence": evidence, "actor": actor, "also": write}
        if wanted is None or self._stable(target).ref == wanted:
            with self._store.write() as session:
                write(session)
        elif expected.alias is None:
            with self._store.write() as session:
                write(session)
                session.replace(replace(target, model=wanted), expecting={"model": target.model})
        elif expected.status is RolloutStatus.PROMOTED:
            alias = expected.alias.partition("@")[2]
            self._models.promote(wanted, alias, expect=expected.stable, waive=expected.waive or None, **shared)
        else:
            self._models.rollback(*expected.alias.split("@"), expect=expected.candidate, **shared)
        return recorded[-1]

    def _ask_beside(self, rollout: Rollout, at: datetime) -> None:
        """In a shadow or a replay, ask the candidate for what was logged: since the start, or before it."""
        predict, kind = self._predict, rollout.current.kind
        if predict is None or not rollout.is_open or kind not in {StepKind.SHADOW, StepKind.REPLAY}:
            return
        digest = self._models.resolve(rollout.candidate).package
        ask_candidate(
            self._lake,
            rollout.deployment,
            rollout.candidate,
            lambda rows: predict(digest, rows),
            start=log_start(rollout.current.kind, rollout.started_at),
            end=at,
        )

    def _check_gates(self, candidate: ModelVersion, waive: str) -> None:
        """Refuse early what a promotion would refuse late."""
        found = self._gates(candidate)
        if found is not None and found.outcome is not CheckOutcome.PASSED and not waive.strip():
            raise RefusedError(
                f"the gates of {candidate.model} say {found.outcome} for {candidate}: {found.sentence}",
                hint="Evaluate it first, or start the rollout with a reason to waive the gates, kept for ever.",
            )

    def _stable(self, deployment: Deployment) -> ModelVersion:
        if deployment.model is None:
            raise SettingsError(
                f"{deployment.name} is external: nbprod gives none of its answers",
                hint="Roll out a deployment of a registered model.",
            )
        return self._models.resolve(deployment.model)

    def _has_outcomes(self, deployment: str) -> bool:
        return self._lake.outcomes(deployment).latest()[0].num_rows > 0

    def __repr__(self) -> str:
        return f"<Rollouts of {self._store!r}>"


def _open_of(session: Session, deployment: str) -> Rollout | None:
    newest = session.list(Rollout, {"deployment": deployment}, limit=1)
    return newest[0] if newest and newest[0].is_open else None


def _alias_of(deployment: Deployment) -> str | None:
    return deployment.model if deployment.model and "@" in deployment.model else None


def _note(
    session: Session,
    rollout: Rollout,
    what: str,
    reason: str,
    *,
    actor: str | None = None,
    evidence: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> None:
    facts = {"rollout": rollout.id, "candidate": rollout.candidate, **(data or {})}
    session.event(f"rollout.{what}", rollout.deployment, reason=reason, evidence=evidence, data=facts, actor=actor)
