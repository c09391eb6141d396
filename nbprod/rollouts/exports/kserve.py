"""A patch of KServe's InferenceService: the traffic of its newest revision is the candidate's share, as it is now."""

from __future__ import annotations

import math
from datetime import datetime

from nbprod.domain.rollout_verdict import RolloutVerdict
from nbprod.rollouts.exports.place import Place, as_yaml, label

__all__ = ["files"]

NOTE = """\
Written by `nbprod rollouts export kserve {verdict.deployment}`.
{verdict.candidate} is {verdict.status}, {verdict.step}.
  kubectl patch inferenceservice NAME --type merge --patch-file FILE
The share is a lease that KServe does not know of: write and apply it again after each analysis, and at the least as
often as the lease ends. Only the serverless mode divides traffic."""


def files(verdict: RolloutVerdict, place: Place, at: datetime) -> dict[str, str]:
    """One patch; whole percent, rounded down, so that nobody meets the candidate who should not."""
    del place
    percent = math.floor(round(100 * verdict.share_at(at), 6))
    document = {"spec": {"predictor": {"canaryTrafficPercent": percent}}}
    return {f"{label(verdict.deployment)}-traffic.yaml": as_yaml(NOTE, verdict, document)}
