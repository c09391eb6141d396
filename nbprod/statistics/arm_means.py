"""Means of two arms that different units were assigned to: an interval that holds however often one looks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nbprod.errors import SettingsError
from nbprod.statistics.interval import Interval

__all__ = ["ArmTotals", "MeanDifference", "MeanStratum", "mean_difference"]

FEWEST_EVENTS, FEWEST_VALUES = 10, 30  # in each arm, before a normal approximation is looked at


@dataclass(frozen=True, kw_only=True)
class ArmTotals:
    """Sums over the units of one arm."""

    units: int
    total: float
    squares: float  #: sum of squares
    nonzero: int  #: units whose value is not zero

    @property
    def mean(self) -> float:
        """By unit."""
        return self.total / self.units if self.units else math.nan

    @property
    def variance(self) -> float:
        """Of a unit's value."""
        if self.units < 2:
            return math.nan
        return max(self.squares - self.total**2 / self.units, 0.0) / (self.units - 1)

    @property
    def is_enough(self) -> bool:
        """Whether a normal approximation of the mean may be looked at."""
        is_rate = self.squares == self.total  # zeros and ones
        if is_rate:
            return min(self.nonzero, self.units - self.nonzero) >= FEWEST_EVENTS
        return self.nonzero >= FEWEST_VALUES and self.variance > 0


@dataclass(frozen=True, kw_only=True)
class MeanStratum:
    """Both arms while shares, and the world, stayed the same: a step of the ramp, better a step and a day."""

    stable: ArmTotals
    candidate: ArmTotals


@dataclass(frozen=True, kw_only=True)
class MeanDifference:
    """Candidate less stable, in the unit of the value."""

    difference: Interval  #: holds at all looks together; infinite until there is enough
    units: int
    is_enough: bool  #: whether both arms had enough to look at

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if not self.is_enough:
            return (
                f"too little to look at: each arm needs {FEWEST_EVENTS} events and as many units without one, "
                f"or {FEWEST_VALUES} values"
            )
        gap = self.difference
        sign = "more" if gap.low > 0 else "less" if gap.high < 0 else "perhaps no difference"
        return f"candidate less stable: {gap.value:+.4g} ({gap.low:+.4g} to {gap.high:+.4g}) by unit: {sign}"

    def __repr__(self) -> str:
        return f"<MeanDifference {self.sentence}>"


def mean_difference(strata: Iterable[MeanStratum], *, horizon: int = 5_000, alpha: float = 0.05) -> MeanDifference:
    """The difference of means between arms, over strata, with an asymptotic confidence sequence.

    Parameters
    ----------
    strata
        Those in which an arm has fewer than two units are left out.
    horizon
        Units, over both arms, at which one expects to decide: the interval is narrowest there. Fixed beforehand.
    alpha
        The chance that the interval ever misses the truth, in the limit of many units.

    Notes
    -----
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024 (Annals of Statistics 52, arXiv:2103.06476), theorem 2.2,
    for the difference stratified by the units of each stratum. It leans on a normal approximation, so nothing is said
    before each arm has ten events and ten units without (or thirty values that are not zero): without that guard a
    small arm gives far too many false alarms.
    """
    if horizon < 2 or not 0 < alpha < 1:
        raise SettingsError(
            f"a horizon of {horizon} units and alpha {alpha} cannot be used",
            hint="Give the number of units at which you expect to decide, and an alpha such as 0.05.",
        )
    used = [one for one in strata if min(one.stable.units, one.candidate.units) >= 2]
    units = sum(one.stable.units + one.candidate.units for one in used)
    enough = bool(used) and all(
        _pooled([getattr(one, arm) for one in used]).is_enough for arm in ("stable", "candidate")
    )
    if not units:
        return MeanDifference(difference=_unknown(math.nan, alpha), units=0, is_enough=False)
    weights = [(one.stable.units + one.candidate.units) / units for one in used]
    value = sum(w * (one.candidate.mean - one.stable.mean) for w, one in zip(weights, used, strict=True))
    if not enough:
        return MeanDifference(difference=_unknown(value, alpha), units=units, is_enough=False)
    variance = sum(
        w**2 * (one.candidate.variance / one.candidate.units + one.stable.variance / one.stable.units)
        for w, one in zip(weights, used, strict=True)
    )
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / horizon
    grown = units * rho2 + 1
    half = math.sqrt(variance * units) * math.sqrt(2 * grown / (units**2 * rho2) * math.log(math.sqrt(grown) / alpha))
    interval = Interval(value=value, low=value - half, high=value + half, level=1 - alpha)
    return MeanDifference(difference=interval, units=units, is_enough=True)


def _pooled(arms: list[ArmTotals]) -> ArmTotals:
    return ArmTotals(
        units=sum(arm.units for arm in arms),
        total=sum(arm.total for arm in arms),
        squares=sum(arm.squares for arm in arms),
        nonzero=sum(arm.nonzero for arm in arms),
    )


def _unknown(value: float, alpha: float) -> Interval:
    return Interval(value=value, low=-math.inf, high=math.inf, level=1 - alpha)
