"""One verdict of a rollout from several metrics: harm in any of them, no harm beyond its margin in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from nbprod.statistics.sample_ratios import SampleRatio

__all__ = ["RolloutVerdict", "combine_verdicts", "harmed_segments"]


class MetricVerdict(Protocol):
    """What a metric says: evidence for each side, made with one alpha for all metrics."""

    @property
    def e_harm(self) -> float:
        """Evidence that the candidate is worse."""
        ...

    @property
    def e_not_worse(self) -> float:
        """Evidence that it is not worse by its margin."""
        ...


@dataclass(frozen=True, kw_only=True)
class RolloutVerdict:
    """What a look at a rollout says, over all metrics."""

    decision: Literal["promote", "hold", "roll back", "blocked"]
    harmed: tuple[str, ...]  #: metrics with enough evidence of harm, allowing for how many there are
    undecided: tuple[str, ...]  #: metrics not yet shown to be no worse than their margin
    mismatches: tuple[str, ...]  #: strata whose arms were not given their shares

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.mismatches:
            return f"blocked: arms were not given their shares in {', '.join(self.mismatches)}"
        if self.harmed:
            return f"roll back: worse in {', '.join(self.harmed)}"
        if self.undecided:
            return f"hold: not yet shown to be no worse in {', '.join(self.undecided)}"
        return "promote: no worse than its margin in every metric"

    def __repr__(self) -> str:
        return f"<RolloutVerdict {self.sentence}>"


def combine_verdicts(
    metrics: Mapping[str, MetricVerdict],
    *,
    ratios: Mapping[str, SampleRatio] | None = None,
    alpha: float = 0.05,
) -> RolloutVerdict:
    """Combine what several metrics say of one candidate.

    Parameters
    ----------
    metrics
        By name; at least one.
    ratios
        By stratum, whether arms were given their shares; one mismatch blocks every other verdict.
    alpha
        The chance of rolling back an equal candidate, over all metrics and looks; and that of promoting one that is
        worse by its margin in any metric.

    Notes
    -----
    Harm needs evidence of ``metrics / alpha`` in one (Bonferroni). Promotion needs ``1 / alpha`` in each: where
    all have to be shown, no correction is needed (intersection-union test, Berger 1982, Technometrics 24).
    """
    mismatches = tuple(name for name, ratio in (ratios or {}).items() if ratio.is_mismatch)
    harmed = tuple(name for name, one in metrics.items() if one.e_harm >= len(metrics) / alpha)
    undecided = tuple(name for name, one in metrics.items() if one.e_not_worse < 1 / alpha)
    decision: Literal["promote", "hold", "roll back", "blocked"] = "promote"
    if mismatches:
        decision = "blocked"
    elif harmed:
        decision = "roll back"
    elif undecided or not metrics:
        decision = "hold"
    return RolloutVerdict(decision=decision, harmed=harmed, undecided=undecided, mismatches=mismatches)


def harmed_segments(evidence: Sequence[float], *, alpha: float = 0.05) -> list[int]:
    """Positions of the segments with harm; at most a share ``alpha`` of those named is expected to be wrong.

    Parameters
    ----------
    evidence
        Of harm, for each segment.
    alpha
        The false discovery rate.

    Notes
    -----
    The e-BH procedure, valid however the segments depend on each other (Wang and Ramdas 2022, JRSS B 84).
    """
    values = np.asarray(evidence, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    enough = np.flatnonzero(values[order] >= len(values) / (alpha * np.arange(1, len(values) + 1)))
    return sorted(int(place) for place in order[: enough[-1] + 1]) if len(enough) else []
