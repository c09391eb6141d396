"""The picture of a rollout's evidence in one metric: of harm, of not being worse, and the lines where they decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from nbprod.pages.trends import Limit, Series, trend

__all__ = ["evidence_chart"]

LEAST, MOST = -2.0, 4.0  #: powers of ten that are drawn; what lies beyond decides no more

Look = tuple[datetime, float, float]


def evidence_chart(
    metric: str, looks: Sequence[Look], *, rolls_back: float, promotes: float, width: int = 360
) -> str:
    """Draw how strong the evidence was at each look, on an axis of powers of ten.

    Parameters
    ----------
    metric
        Its name.
    looks
        Moment, evidence of harm, evidence of not being worse; oldest first.
    rolls_back
        From how much evidence of harm on the candidate goes.
    promotes
        From how much evidence of not being worse on it may go on.
    width
        In pixels.
    """
    moments = [at for at, _, _ in looks]
    return trend(
        f"Evidence in {metric}",
        [
            Series(name="of harm", x=moments, y=[_power(harm) for _, harm, _ in looks]),
            Series(name="of not being worse", x=moments, y=[_power(fine) for _, _, fine in looks]),
        ],
        limits=[
            Limit(y=_power(rolls_back), label=f"harm: rolls back at {rolls_back:,.3g}"),
            Limit(y=_power(promotes), label=f"not worse: goes on at {promotes:,.3g}"),
        ],
        named=_odds,
        width=width,
        height=230,
    )


def _power(evidence: float) -> float:
    return max(min(math.log10(evidence), MOST), LEAST) if evidence > 0 else LEAST


def _odds(power: float) -> str:
    """A power of ten as the evidence it stands for: ``20``, ``1/50``; at the edges of the axis what it is beyond."""
    if power >= MOST:
        return f"{10**MOST:,.0f}+"
    if power <= LEAST:
        return f"<1/{10**-LEAST:.0f}"
    value = 10 ** abs(power)
    written = f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:,.0f}"
    return written if power >= 0 else f"1/{written}"
