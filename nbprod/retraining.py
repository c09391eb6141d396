"""Retraining: from an alert to a candidate that has passed, failed or must wait for the gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from nbprod.clock import now
from nbprod.domain.alert import Alert
from nbprod.domain.check import CheckOutcome
from nbprod.domain.evaluation import Evaluation
from nbprod.domain.monitor import parse_duration
from nbprod.domain.names import nearest
from nbprod.domain.retraining import Autonomy, RetrainingOutcome, RetrainingPolicy
from nbprod.domain.rollout import Rollout
from nbprod.domain.rollout_plan import Automation
from nbprod.domain.version import ModelVersion
from nbprod.errors import NbprodError, NotFoundError, RunFailedError
from nbprod.evaluations import Evaluations
from nbprod.models import Models
from nbprod.monitors.alerts import Alerts
from nbprod.packages import Packages
from nbprod.runs import Runs
from nbprod.settings import Settings
from nbprod.store import Store

__all__ = ["Retraining"]


class Retraining:
    """Turns alerts into candidates, as the policies of ``nbprod.toml`` say.

    Parameters
    ----------
    store
        Where each retraining is recorded.
    settings
        Holds the ``[retraining.NAME]`` tables, one a deployment.
    runs, packages, models, evaluations, alerts
        The services that do the work.
    roll_out
        Starts the rollout of an approved candidate: ``Rollouts.start``.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        runs: Runs,
        packages: Packages,
        models: Models,
        evaluations: Evaluations,
        alerts: Alerts,
        roll_out: Callable[..., Rollout],
    ) -> None:
        self._store = store
        self._settings = settings
        self._runs = runs
        self._packages = packages
        self._models = models
        self._evaluations = evaluations
        self._alerts = alerts
        self._roll_out = roll_out

    def policy(self, deployment: str) -> RetrainingPolicy:
        """The policy of a deployment.

        Raises
        ------
        NotFoundError
            ``nbprod.toml`` has none for it.
        """
        tables = self._settings.tables["retraining"]
        if deployment not in tables:
            raise NotFoundError(
                f"No retraining policy for {deployment}",
                hint=f"Add [retraining.{deployment}]. {nearest(deployment, tables)}",
            )
        return RetrainingPolicy.parse(deployment, tables[deployment])

    def consider(self, alerts: Iterable[Alert], *, until: datetime | None = None) -> RetrainingOutcome | None:
        """Retrain if a part of an open alert asks for it and the last retraining is long enough ago; else do nothing.

        Parameters
        ----------
        alerts
            Of one deployment, the most telling first.
        until
            The end of the data that may be used; now by default.
        """
        until = until or now()
        for alert in alerts:
            if alert.deployment not in self._settings.tables["retraining"]:
                continue
            policy = self.policy(alert.deployment)
            if policy.is_asked_by(alert) and not self._is_cooling(policy, until):
                return self.start(alert.deployment, because=alert, until=until)
        return None

    def start(self, deployment: str, *, because: Alert | str, until: datetime | None = None) -> RetrainingOutcome:
        """Train on everything before the holdout, register, bless, evaluate on the holdout, and decide.

        The candidate is trained on rows before ``until - holdout`` and compared with the champion on the rows after,
        which neither has seen. What the gates' verdict leads to is the policy's ``autonomy``.

        Parameters
        ----------
        deployment
            Names the policy.
        because
            The alert, its id, or a reason in words.
        until
            The end of the data that may be used; now by default.

        Raises
        ------
        RunFailedError
            Training or evaluation did not finish; the run is named, and nothing was promoted.
        """
        until = until or now()
        policy = self.policy(deployment)
        if isinstance(because, str):
            alerts = self._alerts.list(deployment, limit=None)
            because = next((alert for alert in alerts if alert.id == because), because)
        cut = until - parse_duration(policy.holdout)
        cause = because.id if isinstance(because, Alert) else because
        champion = self._champion(policy)
        with self._store.write() as session:
            facts = {"until": until.isoformat(), "cause": cause}
            session.event("retraining.started", deployment, reason=_why(because), data=facts)
        trained = self._runs.start("train", caused_by=cause, **{**policy.train, "end": cut.isoformat()})
        if not trained.succeeded:
            raise RunFailedError(f"Retraining of {deployment} stopped: {trained.error}", run_id=trained.id)
        candidate = self._models.register(self._packages.build(trained), model=policy.model, caused_by=cause)
        candidate = self._models.bless(candidate)
        verdict = self._evaluations.run(
            candidate,
            champion=champion,
            caused_by=cause,
            data=policy.train["data"],
            **{**policy.evaluate, "start": cut.isoformat(), "end": until.isoformat()},
        )
        return self._decide(policy, because, candidate, champion, trained.id, verdict)

    def _decide(
        self,
        policy: RetrainingPolicy,
        because: Alert | str,
        candidate: ModelVersion,
        champion: ModelVersion | None,
        train_run: str,
        verdict: Evaluation,
    ) -> RetrainingOutcome:
        promoted, rollout = False, None
        if verdict.outcome is not CheckOutcome.PASSED:
            so = f"{champion or 'nobody'} stays {policy.alias}: {verdict.sentence}"
            if verdict.outcome is CheckOutcome.FAILED and policy.autonomy is not Autonomy.ADVISE:
                self._models.reject(candidate, note=verdict.sentence, evidence=(verdict.run_id,))
        elif policy.autonomy is Autonomy.ADVISE:
            so = f"the gates passed; approve it with `nbprod models approve {candidate} --note …`"
        else:
            self._models.approve(candidate, note=f"gates passed: {verdict.sentence}", evidence=(verdict.run_id,))
            so = f"approved by policy; promote it with `nbprod models promote {candidate}`"
            if policy.rollout and champion is not None:  # the first version has nothing to be compared with
                rollout, so = self._brought_to_traffic(policy, candidate, because)
            elif policy.autonomy is Autonomy.AUTO:
                self._models.promote(
                    candidate,
                    alias=policy.alias,
                    expect=champion.ref if champion else None,
                    reason=_why(because),
                    evidence=(verdict.run_id,),
                )
                promoted, so = True, f"{candidate} is {policy.alias} now: {verdict.sentence}"
                # they speak of the retired model's reference; the monitor opens new ones if it must
                for alert in self._alerts.list(policy.deployment, limit=None):
                    if not alert.is_resolved:
                        self._alerts.resolve(alert.id, note=f"{candidate} was promoted")
        outcome = RetrainingOutcome(
            deployment=policy.deployment,
            because=_why(because),
            train_run=train_run,
            evaluate_run=verdict.run_id,
            candidate=candidate.ref,
            champion=champion.ref if champion else None,
            outcome=verdict.outcome,
            checks=verdict.checks,
            promoted=promoted,
            sentence=so,
            rollout=rollout,
        )
        with self._store.write() as session:
            session.event(
                "retraining.decided",
                policy.deployment,
                reason=so,
                evidence=(train_run, verdict.run_id),
                data={
                    "candidate": candidate.ref,
                    "outcome": verdict.outcome,
                    "promoted": promoted,
                    **({"rollout": rollout} if rollout else {}),
                },
            )
        return outcome

    def _brought_to_traffic(
        self, policy: RetrainingPolicy, candidate: ModelVersion, because: Alert | str
    ) -> tuple[str | None, str]:
        """Start the rollout of an approved candidate: its id, and what was done; a refused one waits for a person."""
        rules: dict[str, Any] = {}
        configured = self._settings.tables["rollouts"].get(policy.deployment, {}).get("automation")
        if policy.autonomy is Autonomy.GUARD and configured == Automation.AUTO:
            rules["automation"] = Automation.GUARD  # a person promotes, says the policy
        try:
            rollout = self._roll_out(policy.deployment, candidate, reason=_why(because), **rules)
        except NbprodError as problem:
            return None, f"approved by policy; its rollout was not started: {problem.message}"
        return rollout.id, f"approved by policy; rollout {rollout.id} brings it to traffic: {rollout.plan}"

    def _champion(self, policy: RetrainingPolicy) -> ModelVersion | None:
        aliases = [alias for alias in self._models.aliases(policy.model) if alias.name == policy.alias]
        return self._models.resolve(aliases[0].ref) if aliases else None

    def _is_cooling(self, policy: RetrainingPolicy, until: datetime) -> bool:
        with self._store.read() as session:
            last = session.events(kind="retraining.started", subject=policy.deployment, limit=1)
        return bool(last) and until - datetime.fromisoformat(last[0].data["until"]) < parse_duration(policy.cooldown)


def _why(because: Alert | str) -> str:
    return f"alert {because.id}: {because.summary}" if isinstance(because, Alert) else because
