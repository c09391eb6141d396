"""Two arms of a rollout by how often an event happens in each: evidence that holds whenever one looks.

An event is whatever is counted: an error, an answer slower than the objective, an adverse outcome, a conversion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nbprod.domain.numbers import number
from nbprod.errors import DataError, SettingsError
from nbprod.statistics.interval import Interval

__all__ = ["Decision", "HarmProcess", "RateVerdict", "Stratum", "log_evidence", "rare_evidence", "rate_verdict"]

Floats = NDArray[np.float64]
Decision = Literal["promote", "hold", "roll back"]

HARMFUL = np.geomspace(1.05, 5, 25)  # rate ratios the bets on harm are spread over, equal stakes
WIDE = np.geomspace(1 / 20, 20, 121)  # and those of the interval
LOWEST = 0.4  # the smallest ratio the bets on "not worse" are spread over


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """Events among units that were assigned with one share: a step of the ramp, better a step and a day."""

    share: float  #: the chance of a unit to be given to the candidate, from 0 to 1, fixed before the unit came
    events: int  #: in both arms
    candidate_events: int  #: of these, in the candidate's

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise SettingsError(f"a share of {self.share} is none", hint="Give a number from 0 to 1: 0.1 for 10 %.")
        if not 0 <= self.candidate_events <= self.events:
            raise DataError(
                f"{self.candidate_events} of {self.events} events cannot be the candidate's",
                hint="Count the events of both arms in events.",
            )
        impossible = self.candidate_events if self.share == 0 else self.events - self.candidate_events
        if self.share in {0, 1} and impossible:
            raise DataError(
                f"{impossible} events lie in an arm that was given nothing (share {self.share:g})",
                hint="Give the share that was in force when the units were assigned.",
            )


@dataclass(frozen=True, kw_only=True)
class RateVerdict:
    """What the events of two arms say about their rates."""

    decision: Decision
    e_harm: float  #: evidence that the candidate is worse at all; rolled back from ``1 / alpha`` on
    e_not_worse: float  #: evidence that it is not worse by the margin; promoted from ``1 / alpha`` on
    rate_ratio: Interval  #: candidate by stable; holds at all looks together
    events: int
    candidate_events: int
    margin: float
    alpha: float
    higher_is_better: bool

    @property
    def sentence(self) -> str:
        """The finding in words."""
        ratio = self.rate_ratio
        if not self.events:
            rare = self.decision == "promote"
            return (
                "no events in either arm, no more than may be neglected"
                if rare
                else "no events yet; nothing can be said"
            )
        found = f"{self.candidate_events:,} of {self.events:,} events are the candidate's"
        rate = f"its rate is {_times(ratio.value)} the stable version's ({_times(ratio.low)} to {_times(ratio.high)})"
        return f"{found}: {rate}; {self.conclusion}"

    @property
    def conclusion(self) -> str:
        """What follows, in words."""
        bar = 1 / self.alpha
        if self.decision == "roll back":
            return f"it is worse: evidence {_plain(self.e_harm)} of the {bar:.3g} that are needed"
        tolerated = f"{self.margin:g} times {'less' if self.higher_is_better else 'more'} often"
        if self.decision == "promote":
            return f"it is not {tolerated} or worse: evidence {_plain(self.e_not_worse)} of {bar:.3g}"
        return (
            f"undecided: evidence of harm {_plain(self.e_harm)}, of not being {tolerated} "
            f"{_plain(self.e_not_worse)}, and {bar:.3g} decides"
        )

    def __repr__(self) -> str:
        return f"<RateVerdict {self.decision}: {self.sentence}>"


def rate_verdict(
    strata: Iterable[Stratum],
    *,
    margin: float = 1.25,
    alpha: float = 0.05,
    higher_is_better: bool = False,
) -> RateVerdict:
    """Decide between two arms by the share of events that fall to the candidate; look as often as you like.

    Parameters
    ----------
    strata
        All of them at each look, each with all of its events so far. Shares may differ between strata, and the rate
        of events in both arms together may change from one to the next: neither biases the verdict. Events are
        counted once a unit (its first), where a unit is what was assigned at random.
    margin
        Above 1: how many times more often (less often where events are good) still counts as not worse.
    alpha
        The chance of rolling back a candidate with equal rates, over all looks together, and that of promoting one
        that is worse by the margin or more.
    higher_is_better
        Whether events are good, such as conversions.

    Returns
    -------
    RateVerdict
        ``roll back`` where there is enough evidence of harm, else ``promote`` where there is enough of not being
        worse by the margin, else ``hold``.

    Notes
    -----
    If the candidate's events happen ``r`` times as often, an event of a stratum with share ``s`` is the candidate's
    with chance ``s r / (s r + 1 - s)``, whatever the rate itself. The likelihood ratio against ``r = 1``, averaged
    over ratios above one, is a test martingale (Ville 1939; Ramdas, Gruenwald, Vovk and Shafer 2023, Statistical
    Science 38, section 3); the likelihood ratio against the margin, averaged over ratios below it, has expectation
    of at most one whenever the true ratio is the margin or more. The case of one constant share is Lindon and Malek
    2022 (NeurIPS 35, "Anytime-valid inference for multinomial count data"). The interval holds every ratio that
    such a test has not rejected.
    """
    strata = list(strata)
    if not margin > 1:
        raise SettingsError(f"a margin of {margin} is none", hint="Give a ratio above 1: 1.25 for a quarter more.")
    if not 0 < alpha < 1:
        raise SettingsError(f"alpha {alpha} is no chance", hint="Give a number between 0 and 1, such as 0.05.")
    events = np.array([one.events for one in strata], dtype=np.float64)
    theirs = np.array([one.candidate_events for one in strata], dtype=np.float64)
    shares = np.array([one.share for one in strata], dtype=np.float64)
    if higher_is_better:  # fewer good events in the candidate's arm are more in the other: the arms change places
        theirs, shares = events - theirs, 1 - shares
    harm, not_worse = log_evidence(theirs.sum(), events, shares, margin=margin)
    ratio = _interval(theirs.sum(), events, shares, alpha)
    if higher_is_better:
        ratio = Interval(
            value=_inverse(ratio.value), low=_inverse(ratio.high), high=_inverse(ratio.low), level=ratio.level
        )
    bar = -math.log(alpha)
    decision: Decision = "roll back" if harm >= bar else "promote" if not_worse >= bar else "hold"
    return RateVerdict(
        decision=decision,
        e_harm=_exp(float(harm)),
        e_not_worse=_exp(float(not_worse)),
        rate_ratio=ratio,
        events=int(events.sum()),
        candidate_events=sum(one.candidate_events for one in strata),
        margin=margin,
        alpha=alpha,
        higher_is_better=higher_is_better,
    )


def log_evidence(
    candidate_events: Floats | float, events: Floats, shares: Floats, *, margin: float
) -> tuple[Floats, Floats]:
    """Logarithms of the two kinds of evidence, for many looks at once.

    Parameters
    ----------
    candidate_events
        Over all strata, shape ``(...)``.
    events
        Of both arms by stratum, shape ``(..., strata)``.
    shares
        By stratum, shape ``(strata)``.
    margin
        Above 1.

    Returns
    -------
    harm, not_worse
        Shape ``(...)``.
    """
    better = np.geomspace(LOWEST, 0.98 * margin, 25)
    harm = _log_mean(_log_likelihood(HARMFUL, candidate_events, events, shares))
    at_margin = _log_likelihood(np.array([margin]), candidate_events, events, shares)
    not_worse = _log_mean(_log_likelihood(better, candidate_events, events, shares) - at_margin)
    return harm, not_worse


def rare_evidence(events: int, units: int, level: float) -> float:
    """Evidence that an event happens to fewer than a share of the units; look as often as you like.

    Parameters
    ----------
    events
        Units it happened to.
    units
        All of them.
    level
        The share, between 0 and 1.

    Notes
    -----
    The likelihood ratio of smaller shares against this one, averaged, a test supermartingale whenever the true share
    is at least the level (Ramdas et al. 2023, section 3). Two arms without events can never be shown to have a ratio
    below a margin, however many units there are; that the event is rare can.
    """
    if not 0 < level < 1:
        raise SettingsError(f"a share of {level} is none", hint="Give a number between 0 and 1: 0.01 for 1 %.")
    shares = level * np.geomspace(0.05, 0.9, 20)
    logs = events * np.log(shares / level) + (units - events) * (np.log1p(-shares) - math.log1p(-level))
    return _exp(float(_log_mean(logs)))


class HarmProcess:
    """The same evidence of harm, grown event by event: a router asks it within the request that failed.

    Parameters
    ----------
    alpha
        The chance of ever calling a candidate harmful that fails no more often than the stable version.
    """

    def __init__(self, alpha: float = 0.01) -> None:
        if not 0 < alpha < 1:
            raise SettingsError(f"alpha {alpha} is no chance", hint="Give a number between 0 and 1, such as 0.01.")
        self.alpha = alpha
        self.events = self.candidate_events = 0
        self._log = np.zeros(len(HARMFUL))

    def add(self, *, share: float, is_candidate: bool) -> bool:
        """Take in an event of either arm; whether there is enough evidence of harm.

        Parameters
        ----------
        share
            The chance with which the unit was given to the candidate, between 0 and 1.
        is_candidate
            Whether the event is the candidate's.
        """
        self.events += 1
        self.candidate_events += is_candidate
        self._log += (np.log(HARMFUL) if is_candidate else 0.0) - np.log(share * HARMFUL + 1 - share)
        return self.is_harmful

    @property
    def evidence(self) -> float:
        """From 0; harmful from ``1 / alpha`` on."""
        return _exp(float(_log_mean(self._log)))

    @property
    def is_harmful(self) -> bool:
        """Whether there is enough evidence."""
        return bool(_log_mean(self._log) >= -math.log(self.alpha))

    def __repr__(self) -> str:
        return f"<HarmProcess {self.candidate_events} of {self.events} events, evidence {_plain(self.evidence)}>"


def _log_likelihood(ratios: Floats, theirs: Floats | float, events: Floats, shares: Floats) -> Floats:
    """Of each ratio, against a ratio of one; shape ``(..., ratios)``."""
    by_stratum = np.log(np.multiply.outer(shares, ratios) + (1 - shares)[:, None])
    return np.multiply.outer(np.asarray(theirs, dtype=np.float64), np.log(ratios)) - np.asarray(events) @ by_stratum


def _log_mean(logs: Floats) -> Floats:
    top = logs.max(axis=-1, keepdims=True)
    found: Floats = top[..., 0] + np.log(np.exp(logs - top).mean(axis=-1))
    return found


def _interval(theirs: float, events: Floats, shares: Floats, alpha: float) -> Interval:
    told = (shares > 0) & (shares < 1)  # where one arm was given nothing, events tell nothing of a ratio
    theirs -= events[shares == 1].sum()
    events, shares = events[told], shares[told]
    total = events.sum()
    if not total:
        return Interval(value=math.nan, low=0.0, high=math.inf, level=1 - alpha)
    needed = float(_log_mean(_log_likelihood(WIDE, theirs, events, shares))) + math.log(alpha)

    def excess(log_ratio: float) -> float:
        return float(_log_likelihood(np.array([math.exp(log_ratio)]), theirs, events, shares)[0]) - needed

    def slope(log_ratio: float) -> float:
        odds = shares * math.exp(log_ratio)
        return float(theirs - (events * odds / (odds + 1 - shares)).sum())

    if theirs == 0:
        best = -math.inf
    elif theirs == total:
        best = math.inf
    else:
        best = _root(slope, -50.0, 50.0)
    start = min(max(best, -50.0), 50.0)
    low = 0.0 if excess(-50.0) > 0 else math.exp(_root(excess, -50.0, start))
    high = math.inf if excess(50.0) > 0 else math.exp(_root(excess, start, 50.0))
    return Interval(value=_exp(best), low=low, high=high, level=1 - alpha)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq  # delayed: a router counts events without it

    return float(brentq(function, low, high, xtol=1e-10))


def _exp(log: float) -> float:
    return math.exp(log) if log < 700 else math.inf


def _inverse(ratio: float) -> float:
    return math.inf if ratio == 0 else 1 / ratio


def _times(ratio: float) -> str:
    return "an unknown multiple of" if math.isnan(ratio) else f"{ratio:.3g} x" if ratio < 1000 else "any multiple x"


def _plain(evidence: float) -> str:
    return number(evidence, 3) if evidence < 1e6 else "over a million"
