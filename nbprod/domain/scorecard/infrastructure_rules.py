"""The seven tests of infrastructure, each a rule over the records."""

from __future__ import annotations

from nbprod.domain.check import CheckOutcome
from nbprod.domain.rollout import RolloutStatus
from nbprod.domain.rollout_plan import StepKind
from nbprod.domain.scorecard.evidence import Evidence, Finding, Means

__all__ = [
    "canary_came_first",
    "one_example_can_be_followed",
    "pipeline_is_tested_whole",
    "quality_is_checked_before_serving",
    "specification_is_unit_tested",
    "training_is_reproducible",
    "versions_can_be_rolled_back",
]


def training_is_reproducible(found: Evidence) -> Finding:
    """A training was made again from its own record, with the same numbers."""
    trainings = {version.run_id for version in found.versions if version.run_id}
    for again in found.runs:
        first = found.run(again.caused_by) if again.caused_by in trainings and again.caused_by else None
        if first is None or not again.succeeded or again.template_digest != first.template_digest:
            continue
        if dict(again.parameters) != dict(first.parameters) or dict(again.data) != dict(first.data):
            continue
        same = {name for name in first.metrics if _equal(first.metrics[name], again.metrics.get(name))}
        if first.metrics and same == set(first.metrics):
            return Finding(
                means=Means.AUTOMATED,
                sentence=f"{first.id} was made again from its record: all {len(same)} numbers are the same.",
                evidence=(first.id, again.id),
                at=again.ended_at,
            )
        return Finding(
            means=Means.NONE,
            sentence=f"{first.id} was made again, and {len(first.metrics) - len(same)} numbers differ.",
            evidence=(first.id, again.id),
            at=again.ended_at,
        )
    return Finding(means=Means.NONE, sentence="No training of this model was ever made again.")


def specification_is_unit_tested(found: Evidence) -> Finding:
    """The compiled model gave what its pipeline gives on golden, reference and made edge rows."""
    sealed = found.sealed
    if sealed is None or not sealed.compared_rows:
        return Finding(means=Means.NONE, sentence="The package has no certificate of a second implementation.")
    if not sealed.compared_equal:
        return Finding(
            means=Means.NONE,
            sentence=f"Two implementations were compared on {sealed.compared_rows:,} rows and differ.",
            evidence=(found.package,),
        )
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"Two implementations agree on {sealed.compared_rows:,} golden, reference and edge rows.",
        evidence=(found.package,),
        at=found.champion.registered_at if found.champion else None,
    )


def pipeline_is_tested_whole(found: Evidence) -> Finding:
    """Training, packaging, judging and registering ran through in one go."""
    versions = {version.run_id for version in found.versions}
    for one in found.pipelines:
        if one.succeeded and any(step.run_id in versions for step in one.steps if step.run_id):
            return Finding(
                means=Means.AUTOMATED,
                sentence=f"Pipeline {one.pipeline} ran through from data to a version of this model.",
                evidence=(one.id,),
                at=one.ended_at,
            )
    if found.retrainings:
        newest = found.retrainings[0]
        return Finding(
            means=Means.AUTOMATED,
            sentence=f"A retraining ran through, from alert to judged candidate: {len(found.retrainings)} so far.",
            evidence=newest.evidence,
            at=newest.at,
        )
    return Finding(means=Means.NONE, sentence="No pipeline and no retraining of this model ran through.")


def quality_is_checked_before_serving(found: Evidence) -> Finding:
    """The champion passed its gates before it came into use."""
    before = [one for one in found.judged if found.promotion is None or one.at <= found.promotion.at]
    if not before:
        return Finding(means=Means.NONE, sentence="The champion was not evaluated before it came into use.")
    newest = before[0]
    ran = (newest.evaluation.run_id,)
    if newest.evaluation.outcome is not CheckOutcome.PASSED:
        return Finding(
            means=Means.NONE, sentence=f"Its gates said {newest.evaluation.outcome}.", evidence=ran, at=newest.at
        )
    facts = found.promotion.data if found.promotion else {}
    enforced = "gates" in facts and "waived" not in facts
    return Finding(
        means=Means.AUTOMATED if enforced else Means.BY_HAND,
        sentence="It passed its gates, and the registry refuses a promotion without that."
        if enforced
        else "It was evaluated and passed; no [gates] table makes the registry insist on that.",
        evidence=ran,
        at=newest.at,
    )


def one_example_can_be_followed(found: Evidence) -> Finding:
    """From a kept prediction to its inputs, version, package and executed notebook."""
    if not found.kept.predictions:
        return Finding(means=Means.NONE, sentence="No prediction is kept, so none can be followed.")
    if found.trained is None or found.trained.is_pruned:
        return Finding(means=Means.NONE, sentence="The notebook that trained the champion is no longer there.")
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"Each of {found.kept.predictions:,} predictions leads to its inputs, version and notebook.",
        evidence=(found.version, found.trained.id),
        at=found.trained.ended_at,
    )


def canary_came_first(found: Evidence) -> Finding:
    """The champion met a part of the traffic before all of it."""
    for one in found.rollouts:
        if one.candidate != found.version or one.status is not RolloutStatus.PROMOTED:
            continue
        kinds = {step.kind for step in one.steps if step.kind is StepKind.SHADOW or 0 < step.share < 1}
        if kinds:
            return Finding(
                means=Means.AUTOMATED,
                sentence=f"{one.candidate} came into use by a rollout: {one.plan}.",
                evidence=(one.id,),
                at=one.ended_at,
            )
    return Finding(means=Means.NONE, sentence="The champion came into use without a rollout.")


def versions_can_be_rolled_back(found: Evidence) -> Finding:
    """An earlier version was put back, by a rollout or by moving the alias."""
    backs = [one for one in found.rollouts if one.status is RolloutStatus.ROLLED_BACK]
    if backs:
        return Finding(
            means=Means.AUTOMATED,
            sentence=f"Rollout {backs[0].id} was rolled back: the stable version answered at once.",
            evidence=(backs[0].id,),
            at=backs[0].ended_at,
        )
    if found.rollbacks:
        event = found.rollbacks[0]
        return Finding(
            means=Means.BY_HAND,
            sentence=f"{event.subject} was put back to an earlier version by {event.actor}.",
            evidence=event.evidence,
            at=event.at,
        )
    return Finding(means=Means.NONE, sentence="No version of this model was ever put back.")


def _equal(one: float, other: float | None) -> bool:
    return other is not None and abs(one - other) <= 1e-9 * max(1.0, abs(one))
