"""Whether a rollout may begin, and the rules that are fixed when it does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nbprod.domain.deployment import Deployment
from nbprod.domain.rollout_plan import Automation, RolloutPolicy, StepKind
from nbprod.domain.version import Approval, ModelVersion
from nbprod.errors import RefusedError, SettingsError
from nbprod.models import Models

__all__ = ["candidates_for", "check_candidate", "fixed_rules"]


def candidates_for(models: Models, deployment: Deployment) -> list[str]:
    """The versions that could meet a deployment's traffic, newest first."""
    if deployment.model is None:
        return []
    stable = models.resolve(deployment.model)
    versions = models.list(stable.model, limit=None)
    return [
        one.ref
        for one in versions
        if one.approval is Approval.APPROVED and one.blessed_at is not None and one.ref != stable.ref
    ]


def check_candidate(
    candidate: ModelVersion,
    stable: ModelVersion,
    deployment: Deployment,
    policy: RolloutPolicy,
    *,
    private: Collection[str] = (),
) -> None:
    """Refuse a candidate that may not meet traffic; ``private`` columns are not in the log.

    Raises
    ------
    RefusedError
        It is not approved, not blessed, in use already, or of another model.
    SettingsError
        The plan gives answers to units where automation forbids it.
    """
    if candidate.ref == stable.ref:
        raise RefusedError(f"{candidate} answers {deployment.name} already", hint="Roll out another version.")
    if candidate.model != stable.model:
        raise RefusedError(
            f"{candidate} is a version of another model than {stable}", hint="Deploy it under a name of its own."
        )
    if candidate.approval is not Approval.APPROVED:
        raise RefusedError(
            f"{candidate} is {candidate.approval}, so it cannot meet traffic",
            hint=f"Approve it first: nbprod models approve {candidate} --note WHY.",
        )
    if candidate.blessed_at is None:
        raise RefusedError(
            f"{candidate} is not blessed, so it cannot meet traffic",
            hint=f"Bless it first: nbprod models bless {candidate}.",
        )
    hidden = {StepKind.SHADOW, StepKind.REPLAY} & {step.kind for step in policy.plan}
    if hidden and private:
        raise SettingsError(
            f"the log of {deployment.name} lacks {', '.join(sorted(private))}, so a candidate cannot be asked beside",
            hint="Plan a canary or ab; private columns are not kept.",
        )
    asked = [step for step in policy.plan if step.kind not in {StepKind.SHADOW, StepKind.REPLAY}]
    if policy.automation is Automation.HUMAN and asked:
        raise SettingsError(
            f"automation is human, and {asked[0]} gives the candidate's answers to somebody",
            hint="Plan shadow alone, or choose advise, guard or auto.",
        )


def fixed_rules(policy: RolloutPolicy, *, has_outcomes: bool) -> dict[str, Any]:
    """The fields of a rollout that stay as they were at its start.

    Parameters
    ----------
    policy
        As it is now.
    has_outcomes
        Whether outcomes ever came; without any, a share of wrong answers could never be shown to be no worse.
    """
    metrics = tuple(one for one in policy.metrics if has_outcomes or one.name != "wrong")
    fixed = {name: getattr(policy, name) for name in RolloutPolicy.__dataclass_fields__ if name != "plan"}
    return {**fixed, "metrics": metrics or policy.metrics}
