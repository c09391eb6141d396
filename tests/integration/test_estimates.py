"""What is estimated of a window without outcomes, beside what outcomes say of the same window."""

import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import Verdict
from nbprod.monitors.assessment import assess
from nbprod.monitors.charts import pictures
from tests.integration.monitors.test_tasks import POLICY, held, rows_of


@pytest.mark.parametrize(
    ("task", "metric", "wide"), [("regression", "mae", 2.0), ("classification", "accuracy", 0.3)]
)
def test_an_estimate_foresees_what_outcomes_confirm(task, metric, wide):
    current = rows_of(task, 1500, seed=2, wide=wide)

    blind = assess(held(task, current, outcomes=False), POLICY)
    seeing = assess(held(task, current, outcomes=True), POLICY)

    assert blind.verdict is Verdict.ALARM
    assert next(one for one in blind.checks if one.name == "estimated").outcome is CheckOutcome.FAILED
    assert blind.estimated[metric].value == pytest.approx(seeing.metrics[metric], rel=0.25)
    assert seeing.concept is None
    assert len(pictures(seeing, held(task, current, outcomes=True)).parts) >= 3
