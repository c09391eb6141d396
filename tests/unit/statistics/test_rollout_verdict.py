"""One verdict from several metrics."""

from dataclasses import dataclass

import numpy as np
import pytest

from nbprod.statistics import combine_verdicts, harmed_segments, sample_ratio


@dataclass
class Evidence:
    e_harm: float
    e_not_worse: float


def test_harm_in_one_of_two_needs_twice_the_evidence():
    """Thirty would roll back one metric; of two it needs forty."""
    calm = Evidence(1, 1)
    assert combine_verdicts({"errors": Evidence(30, 1)}).decision == "roll back"
    assert combine_verdicts({"errors": Evidence(30, 1), "slow": calm}).decision == "hold"
    assert combine_verdicts({"errors": Evidence(40, 1), "slow": calm}).harmed == ("errors",)


def test_promotion_needs_every_metric():
    """One that is undecided holds the candidate back."""
    verdict = combine_verdicts({"errors": Evidence(1, 50), "slow": Evidence(1, 19)})
    assert verdict.decision == "hold"
    assert verdict.undecided == ("slow",)
    assert combine_verdicts({"errors": Evidence(1, 50), "slow": Evidence(1, 20)}).decision == "promote"


def test_harm_goes_before_promotion_and_a_mismatch_before_both():
    """A candidate that is worse, but not by the margin, is rolled back; wrong shares block whatever is said."""
    both = {"errors": Evidence(30, 30)}
    assert combine_verdicts(both).decision == "roll back"
    leak = {"5 %": sample_ratio([200, 800], [0.05, 0.95])}
    assert combine_verdicts(both, ratios=leak).decision == "blocked"
    assert combine_verdicts({}).decision == "hold"


def test_segments_are_named_by_e_bh():
    """The largest k with k segments of evidence n / (alpha k) each (Wang and Ramdas 2022, section 4)."""
    assert harmed_segments([100, 1, 1, 1], alpha=0.05) == [0]
    assert harmed_segments([41, 1, 1, 41], alpha=0.05) == [0, 3]
    assert harmed_segments([39, 1, 1, 41], alpha=0.05) == []
    assert harmed_segments([], alpha=0.05) == []


@pytest.mark.parametrize("seed", range(3))
def test_segments_without_harm_are_rarely_named(seed):
    """Likelihood ratios of a true null, 20 segments: a false one in at most one run of twenty and its error."""
    rng = np.random.default_rng(seed)
    values = np.exp(2 * rng.normal(size=(500, 20)) - 2)
    assert np.mean([bool(harmed_segments(run)) for run in values.tolist()]) <= 0.08
