"""The pictures of a rollout: evidence over time in each metric, beside the lines where it decides."""

from __future__ import annotations

import math
from datetime import datetime

import pandas as pd

from nbprod.domain.rollout_plan import RolloutPolicy, RolloutStep
from nbprod.monitors.charts import Pictures
from nbprod.pages.charts import Limit, Series, trend
from nbprod.rollouts.analysis import RolloutFinding, analyse

__all__ = ["evidence_over_time", "evidence_pictures"]

LOOKS = 24  # at which past evidence is computed again from the log
LEAST, MOST = -6.0, 9.0  # powers of ten that are drawn


def evidence_over_time(
    log: pd.DataFrame, policy: RolloutPolicy, step: RolloutStep, *, is_last: bool
) -> list[tuple[datetime, RolloutFinding]]:
    """What earlier looks at the same log would have found, oldest first.

    Parameters
    ----------
    log, policy, step, is_last
        As `analyse` takes them.
    """
    if not len(log):
        return []
    moments = pd.date_range(log["at"].min(), log["at"].max(), LOOKS + 1)[1:].unique()
    return [
        (moment.to_pydatetime(), analyse(log[log["at"] <= moment], policy, step, is_last=is_last))
        for moment in moments
    ]


def evidence_pictures(looks: list[tuple[datetime, RolloutFinding]], policy: RolloutPolicy) -> Pictures:
    """Draw the evidence of harm and of not being worse, in powers of ten.

    Parameters
    ----------
    looks
        As `evidence_over_time` gives them.
    policy
        Says what decides.
    """
    if not looks:
        return Pictures(())
    decides = [
        Limit(y=math.log10(len(policy.metrics) / policy.alpha), label="rolls back"),
        Limit(y=math.log10(1 / policy.alpha), label="promotes"),
    ]
    parts = []
    for rule in policy.metrics:
        moments = [at for at, _ in looks]
        series = [
            Series(name=side, x=moments, y=[_power(found.evidence[rule.name][key]) for _, found in looks])
            for side, key in (("harm", "e_harm"), ("not worse", "e_not_worse"))
        ]
        picture = trend(f"Evidence in {rule.name}, powers of ten", series, limits=decides)
        parts.append((str(picture), f"{rule.name}: {looks[-1][1].verdicts[rule.name].sentence}."))
    return Pictures(tuple(parts))


def _power(evidence: float) -> float:
    return max(min(math.log10(evidence), MOST), LEAST) if evidence > 0 else LEAST
