"""What the analysis notebook is told, and what is read back from its record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutDecision
from nbprod.domain.run import Run
from nbprod.errors import NbprodError
from nbprod.runs import Runs

__all__ = ["facts_of", "read_analysis", "recorded_course"]


def facts_of(rollout: Rollout) -> dict[str, Any]:
    """What the notebook needs to know, as plain data."""
    return {
        "id": rollout.id,
        "started_at": rollout.started_at.isoformat(),
        "step": rollout.step,
        "plan": rollout.plan,
        "status": str(rollout.status),
        "candidate": rollout.candidate,
        "stable": rollout.stable,
        "metrics": [
            {"name": one.name, "margin": one.margin, "negligible": one.negligible, "better": one.better}
            for one in rollout.metrics
        ],
        "alpha": rollout.alpha,
        "slow_ms": rollout.slow_ms,
        "horizon": rollout.horizon,
        "step_units": rollout.step_units,
    }


def recorded_course(runs: Runs, run_id: str) -> Any:
    """The evidence over time that an analysis recorded; ``None`` where it recorded none, or is gone."""
    try:
        return runs.results(runs.get(run_id))["course"]
    except (NbprodError, KeyError):
        return None


def read_analysis(runs: Runs, run: Run, rollout: Rollout, at: datetime) -> RolloutAnalysis:
    """What a run of the notebook recorded; hold, with the reason, where it was not clean."""
    failure, decision, sentence = "", RolloutDecision.HOLD, ""
    evidence: Mapping[str, Any] = {}
    tables: Mapping[str, Any] = {}
    if not run.succeeded:
        failure = f"the notebook ended as {run.status}: {run.error or 'no reason was given'}"
    else:
        try:
            records = runs.results(run)
            decision = RolloutDecision(records["decision"])
            sentence = str(records["sentence"])
            evidence, tables = dict(records["evidence"]), dict(records["tables"])
        except (NbprodError, KeyError, ValueError, TypeError) as error:
            failure = f"the notebook recorded no decision: {error}"
    return RolloutAnalysis(
        run_id=run.id,
        rollout=rollout.id,
        at=at,
        step=rollout.step,
        decision=decision if not failure else RolloutDecision.HOLD,
        sentence=sentence if not failure else f"hold: {failure}",
        failure=failure,
        evidence=evidence,
        tables=tables,
    )
