"""The part of the service that moves nothing: a deployment's rules, rehearsals on its past, and who was reached."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbprod.clock import now
from nbprod.domain.deployment import Deployment
from nbprod.domain.duration import parse_duration
from nbprod.domain.event import Event
from nbprod.domain.exposure import Exposure
from nbprod.domain.rollout import Rollout
from nbprod.domain.rollout_plan import RolloutPolicy
from nbprod.lake import Lake
from nbprod.rollouts.exposure import count_exposure
from nbprod.settings import Settings
from nbprod.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from nbprod.rollouts.rehearsal import RehearsedRollout, SelfTest

__all__ = ["RehearsedRollouts"]


class RehearsedRollouts:
    """What a rollout would be judged by, and how it would end; `Rollouts` is the service.

    Parameters
    ----------
    store
        The ledger.
    settings
        Holds the ``[rollouts.DEPLOYMENT]`` tables.
    lake
        Where predictions, failures and shadows are.
    """

    def __init__(self, store: Store, settings: Settings, lake: Lake) -> None:
        self._store = store
        self._settings = settings
        self._lake = lake

    def policy(self, deployment: str) -> RolloutPolicy:
        """What a rollout of a deployment is judged by; the defaults where ``nbprod.toml`` says nothing."""
        return RolloutPolicy.parse(deployment, self._settings.tables["rollouts"].get(deployment, {}))

    def rehearse(
        self,
        deployment: str,
        *,
        last: str = "30d",
        until: datetime | None = None,
        ratios: Sequence[float] = (),
        runs: int = 400,
        **rules: Any,
    ) -> builtins.list[RehearsedRollout]:
        """How a rollout would end on traffic like that of the past; nothing is recorded.

        Parameters
        ----------
        deployment
            Its name.
        last
            How much of the past is drawn from.
        until
            When that past ends; now by default.
        ratios
            How many times the events a candidate has; equal, 1.25, 2 and 4 times by default.
        runs
            Rehearsals of each.
        **rules
            Of `RolloutPolicy`, to try others: ``plan``, ``metrics``, ``longest`` …
        """
        from nbprod.rollouts.rehearsal import RATIOS, rehearse  # delayed: pandas

        policy = self._tried(deployment, rules)
        past = self._past(deployment, policy, last, until)
        return rehearse(past, policy, ratios=ratios or RATIOS, runs=runs)

    def advice(self, deployment: str, found: Sequence[RehearsedRollout], **rules: Any) -> builtins.list[str]:
        """What would help where rehearsals mostly end undecided."""
        from nbprod.rollouts.rehearsal import advice  # delayed: pandas

        return advice(found, self._tried(deployment, rules))

    def self_test(self, deployment: str, *, last: str = "30d", share: float = 0.1, runs: int = 40) -> SelfTest:
        """The stable version against itself, on its own past: a test of log, assignment and statistics."""
        from nbprod.rollouts.rehearsal import self_test  # delayed: pandas

        policy = self.policy(deployment)
        return self_test(self._past(deployment, policy, last), policy, share=share, runs=runs)

    def exposure(self, rollout: Rollout) -> Exposure:
        """How many requests a candidate was given, of all since its rollout began; those in spools do not count."""
        return count_exposure(self._lake, rollout, until=now())

    def history(self, rollout: Rollout) -> builtins.list[Event]:
        """Who did what with a rollout, newest first."""
        with self._store.read() as session:
            events = session.events(rollout.deployment, since=rollout.started_at, limit=None)
        return [one for one in events if one.data.get("rollout") == rollout.id]

    def _tried(self, deployment: str, rules: Mapping[str, Any]) -> RolloutPolicy:
        with self._store.read() as session:
            session.get(Deployment, deployment)
        return RolloutPolicy.parse(deployment, {**self._settings.tables["rollouts"].get(deployment, {}), **rules})

    def _past(self, deployment: str, policy: RolloutPolicy, last: str, until: datetime | None = None) -> pd.DataFrame:
        from nbprod.rollouts.log import read_log  # delayed: pandas

        end = until or now()
        return read_log(self._lake, deployment, policy, start=end - parse_duration(last), end=end).requests
