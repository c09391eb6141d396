"""Sample ratio mismatch: whether arms were given the shares they were meant to get, asked as often as one likes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbprod.errors import DataError, SettingsError

__all__ = ["SampleRatio", "sample_ratio"]

CONCENTRATION = 1_000.0  # finds a tenth of the candidate's units missing after fewer units than 10,000 does


@dataclass(frozen=True, kw_only=True)
class SampleRatio:
    """Units of each arm beside what was meant."""

    counts: tuple[int, ...]
    shares: tuple[float, ...]  #: meant
    evidence: float  #: of a mismatch; a mismatch from ``1 / alpha`` on
    alpha: float

    @property
    def is_mismatch(self) -> bool:
        """Whether arms were not given their shares: then no comparison of them may be believed."""
        return self.evidence >= 1 / self.alpha

    @property
    def sentence(self) -> str:
        """The finding in words."""
        total = sum(self.counts)
        seen = ", ".join(
            f"{count / total:.2%} instead of {share:.2%}" if total else f"nothing yet of {share:.2%}"
            for count, share in zip(self.counts, self.shares, strict=True)
        )
        if self.is_mismatch:
            return (
                f"arms were not given their shares ({seen} of {total:,} units): no comparison of them can be believed"
            )
        return f"arms were given their shares ({seen} of {total:,} units)"

    def __repr__(self) -> str:
        return f"<SampleRatio {self.sentence}>"


def sample_ratio(counts: Sequence[int], shares: Sequence[float], *, alpha: float = 0.01) -> SampleRatio:
    """Hold the number of units in each arm against the shares they were assigned with.

    Parameters
    ----------
    counts
        Units by arm, in one stratum: while shares stay the same.
    shares
        The chance of each arm, in the same order; they sum to 1.
    alpha
        The chance of ever finding a mismatch where there is none, however often one looks.

    Notes
    -----
    The Bayes factor of a Dirichlet mixture around the shares against the shares themselves, a test martingale
    (Lindon and Malek 2022, NeurIPS 35, "Anytime-valid inference for multinomial count data", section 3.1).
    """
    numbers: NDArray[np.float64] = np.asarray(counts, dtype=np.float64)
    meant = np.asarray(shares, dtype=np.float64)
    if len(numbers) != len(meant) or len(numbers) < 2 or (numbers < 0).any():
        raise DataError(f"{len(numbers)} counts and {len(meant)} shares cannot be compared", hint="Give one an arm.")
    if (meant < 0).any() or not math.isclose(meant.sum(), 1, abs_tol=1e-9):
        raise SettingsError(f"shares {list(shares)} do not sum to one", hint="Give every arm's share.")
    if numbers[meant == 0].any():  # an arm that was meant to get nothing got something
        return SampleRatio(counts=tuple(map(int, counts)), shares=tuple(shares), evidence=math.inf, alpha=alpha)
    numbers, meant = numbers[meant > 0], meant[meant > 0]
    total, prior = numbers.sum(), CONCENTRATION * meant
    log = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + total)
    log += sum(
        math.lgamma(a + n) - math.lgamma(a) - n * math.log(share)
        for a, n, share in zip(prior.tolist(), numbers.tolist(), meant.tolist(), strict=True)
    )
    evidence = math.exp(log) if log < 700 else math.inf
    return SampleRatio(counts=tuple(map(int, counts)), shares=tuple(shares), evidence=evidence, alpha=alpha)
