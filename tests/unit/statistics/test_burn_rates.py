"""Minutes of a service with known faults, held against the published table of windows and rates."""

import numpy as np
import pytest

from nbprod.statistics import BURN_RULES, fastest_burns

BUDGET = 0.001  # an objective of 99.9 %
DAYS = 10
BINS = DAYS * 288
FIRST = 9 * 288


def burns(share, *, since=FIRST, until=BINS, requests=1000.0):
    total = np.full(BINS, requests)
    bad = total * 0.0
    bad[since:until] = requests * share
    return fastest_burns(bad, total, BUDGET, first=FIRST, bin_minutes=5)


def test_the_rules_use_the_published_parts_of_a_months_budget():
    """2 % in an hour, 5 % in six, 10 % in three days; short windows a twelfth of the long ones (SRE workbook)."""
    parts = [rule.rate * rule.long_minutes / (30 * 1440) for rule in BURN_RULES]

    assert parts == pytest.approx([0.02, 0.05, 0.1])
    assert all(rule.long_minutes == 12 * rule.short_minutes for rule in BURN_RULES)


@pytest.mark.parametrize(
    ("share", "burning"),
    [
        (0.0005, [False, False, False]),
        (0.005, [False, False, True]),
        (0.01, [False, True, True]),
        (0.02, [True, True, True]),
    ],
)
def test_a_steady_fault_of_a_day_burns_by_the_rules_it_must(share, burning):
    assert [one.is_burning for one in burns(share)] == burning


def test_a_total_outage_is_seen_after_the_minutes_the_budget_says():
    """All requests failing burn 1,000 budgets: 14.4 of an hour are there after a minute, seen in the first bin."""
    fast = burns(1.0, since=FIRST + 100)[0]

    assert fast.first == FIRST + 100
    assert fast.rate == pytest.approx(1000)


def test_a_fault_that_was_over_before_is_not_told_again():
    """The long window still remembers it, the short one does not."""
    assert not any(one.is_burning for one in burns(0.05, since=FIRST - 20, until=FIRST - 8)[:1])


def test_two_errors_at_night_are_no_burn():
    """One bad of three requests is 333 budgets, and chance."""
    total = np.full(BINS, 0.0)
    total[FIRST + 5] = 3.0
    bad = np.where(total > 0, 1.0, 0.0)

    assert not any(one.is_burning for one in fastest_burns(bad, total, 0.01, first=FIRST, bin_minutes=5))


def test_a_service_that_just_meets_its_objective_rarely_burns():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(20):
        total = rng.poisson(200.0, BINS).astype(float)
        bad = rng.binomial(total.astype(int), BUDGET / 2).astype(float)
        alarms += any(one.is_burning for one in fastest_burns(bad, total, BUDGET, first=FIRST, bin_minutes=5))
    assert alarms <= 1
