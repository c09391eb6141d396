"""Two models on the same requests: only those on which they differ say anything, so few requests are enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.errors import DataError, SettingsError
from nbprod.statistics.event_rates import Decision
from nbprod.statistics.interval import Interval
from nbprod.statistics.sequential import confidence_sequence

__all__ = ["PairedVerdict", "paired_loss_verdict", "paired_verdict"]

PRIOR = 2.0  # of the beta distribution that bets are spread by: rather near one half than at the ends
STAKES = np.geomspace(0.005, 0.95, 30)  # of the largest bet that cannot lose everything


@dataclass(frozen=True, kw_only=True)
class PairedVerdict:
    """What the same requests, answered by both, say of the candidate."""

    decision: Decision
    difference: Interval  #: mean loss of the candidate less that of the stable version; holds at all looks together
    rows: int
    discordant: int  #: on which the losses differ
    e_harm: float  #: evidence that the candidate's loss is larger
    e_not_worse: float  #: evidence that it is not larger by the margin
    margin: float  #: how much more loss still counts as not worse
    alpha: float

    @property
    def sentence(self) -> str:
        """The finding in words."""
        gap = self.difference
        seen = f"on {self.rows:,} requests answered by both, {self.discordant:,} differently in loss"
        if not self.rows:
            return "no request was answered by both yet; nothing can be said"
        found = f"the candidate's mean loss is {gap.value:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
        end = {
            "promote": f"it is not worse by {self.margin:g}",
            "roll back": "it is worse",
            "hold": "undecided",
        }[self.decision]
        return f"{seen}, {found}: {end}"

    def __repr__(self) -> str:
        return f"<PairedVerdict {self.decision}: {self.sentence}>"


def paired_verdict(
    stable_wrong: Any, candidate_wrong: Any, *, margin: float = 0.01, alpha: float = 0.05
) -> PairedVerdict:
    """Decide by the requests on which exactly one of two models is wrong.

    Parameters
    ----------
    stable_wrong, candidate_wrong
        Whether each was wrong, by request, in the order in which outcomes became final; booleans.
    margin
        How much larger the share of wrong answers may be and still count as not worse; above 0.
    alpha
        The chance of rolling back a candidate that is wrong as often, over all looks together, and that of promoting
        one that is worse by the margin or more.

    Notes
    -----
    Harm: under equal error rates a discordant request is wrong by the candidate with chance one half at most, as in
    McNemar's test (1947); its sequential form is the likelihood ratio against one half, averaged over a beta
    distribution on the worse side, a test martingale (Robbins 1970; Ramdas et al. 2023, section 3). Not worse: bets
    against a mean difference of the margin or more, averaged over their sizes, are a test martingale too
    (Waudby-Smith and Ramdas 2024, JRSS B 86, section 4); the interval holds every difference that such bets, on
    either side, have not rejected. Both depend on counts alone, not on the order of the requests.
    """
    first = np.asarray(stable_wrong, dtype=bool)
    second = np.asarray(candidate_wrong, dtype=bool)
    _check(first, second, margin, alpha)
    counts = (int((second & ~first).sum()), int((first & ~second).sum()), int((first == second).sum()))
    worse, better, _ = counts
    decision: Decision = "hold"
    e_harm, e_not_worse = _exp(_one_sided(worse, better)), _exp(_against(margin, counts))
    if e_harm >= 1 / alpha:
        decision = "roll back"
    elif e_not_worse >= 1 / alpha:
        decision = "promote"
    return PairedVerdict(
        decision=decision,
        difference=_interval(counts, alpha),
        rows=len(first),
        discordant=worse + better,
        e_harm=e_harm,
        e_not_worse=e_not_worse,
        margin=margin,
        alpha=alpha,
    )


def paired_loss_verdict(
    stable_loss: Any, candidate_loss: Any, *, largest: float, margin: float, alpha: float = 0.05
) -> PairedVerdict:
    """Decide by the difference of two bounded losses on the same requests.

    Parameters
    ----------
    stable_loss, candidate_loss
        By request, in the order in which outcomes became final; larger losses are counted as ``largest``.
    largest
        What a loss is cut at, in its own unit; declared beforehand.
    margin
        How much larger the mean loss may be and still count as not worse, in the same unit; above 0.
    alpha
        As in `paired_verdict`.

    Notes
    -----
    Decided by the confidence sequence of the mean difference alone; the two kinds of evidence are zero or
    ``1 / alpha``, by whether it lies on one side of zero.
    """
    if not largest > 0:
        raise SettingsError(f"a loss of at most {largest} is none", hint="Give the largest loss that counts.")
    first = np.minimum(np.asarray(stable_loss, dtype=np.float64), largest)
    second = np.minimum(np.asarray(candidate_loss, dtype=np.float64), largest)
    _check(first, second, margin, alpha)
    if (first < 0).any() or (second < 0).any() or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("a loss is negative or no number", hint="Leave such requests to the guard.")
    difference = (second - first) / largest
    low, high = -1.0, 1.0
    if len(difference):
        bounds = confidence_sequence((difference + 1) / 2, alpha)
        low, high = (float(2 * bound[-1] - 1) for bound in bounds)
    decision: Decision = "roll back" if low > 0 else "promote" if high * largest < margin else "hold"
    value = float(difference.mean()) if len(difference) else math.nan
    return PairedVerdict(
        decision=decision,
        difference=Interval(value=value * largest, low=low * largest, high=high * largest, level=1 - alpha),
        rows=len(difference),
        discordant=int((difference != 0).sum()),
        e_harm=1 / alpha if low > 0 else 0.0,
        e_not_worse=1 / alpha if high * largest < margin else 0.0,
        margin=margin,
        alpha=alpha,
    )


def _check(first: NDArray[Any], second: NDArray[Any], margin: float, alpha: float) -> None:
    if len(first) != len(second):
        raise DataError(
            f"{len(first)} and {len(second)} requests are not the same", hint="Give both answers of each."
        )
    if not margin > 0:
        raise SettingsError(f"a margin of {margin} is none", hint="Give a number above 0, such as 0.01.")
    if not 0 < alpha < 1:
        raise SettingsError(f"alpha {alpha} is no chance", hint="Give a number between 0 and 1, such as 0.05.")


def _one_sided(worse: int, better: int) -> float:
    """Log evidence that more than half of the discordant requests are the candidate's mistakes."""
    from scipy import special  # delayed: scipy

    above = float(special.betaincc(PRIOR + worse, PRIOR + better, 0.5))  # the mass on the worse side
    if above <= 0:
        return -math.inf
    spread = special.betaln(PRIOR + worse, PRIOR + better) - special.betaln(PRIOR, PRIOR)
    return float(spread + (worse + better) * math.log(2) + math.log(2 * above))


def _against(difference: float, counts: tuple[int, int, int]) -> float:
    """Log evidence that the mean difference is below a value; counts of worse, better and equal requests."""
    worse, better, equal = counts
    bets = STAKES / (1 - difference) if difference < 1 else STAKES * 1e6
    logs = worse * np.log1p(bets * (difference - 1)) + better * np.log1p(bets * (difference + 1))
    logs += equal * np.log1p(bets * difference)
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).mean()))


def _interval(counts: tuple[int, int, int], alpha: float) -> Interval:
    from scipy.optimize import brentq  # delayed: scipy

    worse, better, equal = counts
    rows = sum(counts)
    if not rows:
        return Interval(value=math.nan, low=-1.0, high=1.0, level=1 - alpha)
    value, needed = (worse - better) / rows, math.log(2 / alpha)

    def end(counts: tuple[int, int, int], value: float) -> float:
        if value >= 1 or _against(1 - 1e-9, counts) < needed:
            return 1.0
        return float(brentq(lambda at: _against(at, counts) - needed, value, 1 - 1e-9))

    return Interval(value=value, low=-end((better, worse, equal), -value), high=end(counts, value), level=1 - alpha)


def _exp(log: float) -> float:
    return math.exp(log) if log < 700 else math.inf
