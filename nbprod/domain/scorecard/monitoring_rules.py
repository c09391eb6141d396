"""The seven tests of monitoring, each a rule over the records."""

from __future__ import annotations

from collections.abc import Collection

from nbprod.domain.check import CheckOutcome
from nbprod.domain.scorecard.evidence import Evidence, Finding, Means

__all__ = [
    "computing_is_watched",
    "dependency_changes_are_noticed",
    "inputs_are_watched",
    "model_is_not_stale",
    "numbers_are_stable",
    "prediction_quality_is_watched",
    "training_and_serving_agree",
]


def dependency_changes_are_noticed(found: Evidence) -> Finding:
    """The package was loaded again where it is used, and would have been refused with other values."""
    if not found.blessings:
        return Finding(means=Means.NONE, sentence="The package was never tried in a fresh process.")
    if len(found.blessings) == 1:
        return Finding(
            means=Means.NONE,
            sentence="The package was tried once, when it was registered, and not since.",
            evidence=(found.package,),
        )
    newest = found.blessings[0]
    return Finding(
        means=Means.BY_HAND,
        sentence=f"The package was tried {len(found.blessings)} times in a fresh process; other values are refused.",
        evidence=(found.package,),
        at=newest.at,
    )


def inputs_are_watched(found: Evidence) -> Finding:
    """Distribution, missing values and new categories of inputs are held against the reference."""
    return _watched(found, {"drift", "quality"}, "inputs against the reference", judged=False)


def training_and_serving_agree(found: Evidence) -> Finding:
    """Servers compute some rows on both paths, the compiled one and the pipeline as trained."""
    kept = found.kept
    if kept.parity_different:
        return Finding(
            means=Means.NONE,
            sentence=f"{kept.parity_different:,.0f} rows gave different values on both paths in use.",
        )
    if kept.parity_equal:
        return Finding(
            means=Means.AUTOMATED,
            sentence=f"{kept.parity_equal:,.0f} rows gave the same values served and as trained.",
            evidence=found.deployments,
        )
    return Finding(means=Means.NONE, sentence="No server has compared what it computes with the pipeline as trained.")


def model_is_not_stale(found: Evidence) -> Finding:
    """A policy retrains it, so that its age has an end."""
    if not found.retrains:
        return Finding(means=Means.NONE, sentence="No policy says when the model is trained anew.")
    trained = found.trained.ended_at if found.trained else None
    since = f"; the champion was trained on {trained:%Y-%m-%d}" if trained else ""
    return Finding(
        means=Means.AUTOMATED,
        sentence=f"A policy retrains it, {len(found.retrainings)} times so far{since}.",
        evidence=tuple(name for event in found.retrainings[:1] for name in event.evidence) or found.deployments,
        at=found.retrainings[0].at if found.retrainings else trained,
    )


def numbers_are_stable(found: Evidence) -> Finding:
    """No value is infinite or none, in inputs and answers."""
    return _watched(found, {"quality"}, "whether all numbers are finite", judged=True)


def computing_is_watched(found: Evidence) -> Finding:
    """Latency, throughput, memory and errors are held against what is usual."""
    judged = _watched(
        found, {"health", "objective"}, "latency, errors and memory against the usual week", judged=True
    )
    if judged.evidence or not found.kept.health_days:
        return judged
    return Finding(
        means=Means.BY_HAND if found.kept.health_days > 1 else Means.NONE,
        sentence=f"Servers counted on {found.kept.health_days} days, and no monitor has judged it.",
        evidence=found.deployments if found.kept.health_days > 1 else (),
    )


def prediction_quality_is_watched(found: Evidence) -> Finding:
    """What the model answered is held against outcomes."""
    return _watched(found, {"performance"}, "performance with outcomes", judged=True)


def _watched(found: Evidence, names: Collection[str], what: str, *, judged: bool) -> Finding:
    """The newest report that has such checks; ``judged``: one that failed earns nothing.

    A change of inputs that was found is the test at work. A failure of what the test asserts is not.
    """
    for report in found.reports:
        checks = [
            check
            for check in report.checks
            if check.name in names and not (check.value is None and check.outcome is CheckOutcome.INCONCLUSIVE)
        ]
        if not checks:
            continue
        failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
        return Finding(
            means=Means.NONE if judged and failed else found.means_of(report.run_id),
            sentence=f"It failed: {failed[0].sentence}" if judged and failed else f"{report.window}: {what}.",
            evidence=(report.run_id,),
            at=report.created_at or report.end,
        )
    return Finding(means=Means.NONE, sentence=f"No monitor has looked at {what}.")
