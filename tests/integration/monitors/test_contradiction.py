"""Where outcomes contradict an estimate, every place that shows the estimate says so."""

import re
from dataclasses import replace

import numpy as np
import pytest

from nbprod.cli import monitor as command
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.monitor import MonitorPolicy, MonitorReport, contradicted_metrics, side_label
from nbprod.monitors.assessment import assess
from nbprod.monitors.charts import pictures
from nbprod.site.charts import metric_pictures, performance_picture
from tests.unit.monitors.conftest import days, window_of


@pytest.fixture(scope="module")
def found(reference):
    """A window in which the classes have changed places for half of the rows: the model does not know it."""
    frame = days(10, seed=3)
    turned = np.arange(len(frame)) % 2 == 0
    labels = sorted(frame["outcome"].unique())
    other = frame["outcome"].map({labels[0]: labels[1], labels[1]: labels[0]})
    window = window_of(frame.assign(outcome=frame["outcome"].where(~turned, other)), reference)
    return window, assess(window, MonitorPolicy())


@pytest.fixture(scope="module")
def report(found):
    window, one = found
    return MonitorReport(
        run_id="r1",
        deployment=one.deployment,
        version=None,
        start=window.start,
        end=window.end,
        verdict=one.verdict,
        sentence=one.sentence,
        rows=one.rows,
        outcomes=one.outcomes,
        checks=one.checks,
        metrics=one.metrics,
    )


def test_the_report_the_notebook_and_the_pictures_say_it(found, report):
    window, one = found
    assert set(one.contradicted) == {"accuracy", "roc_auc"}
    assert report.contradicted == one.contradicted
    assert one.to_dict()["contradicted"] == list(one.contradicted)
    assert any("estimated at" in reason and "no longer" in reason for reason in one.reasons)
    assert "contradicted by outcomes" in report._repr_html_()
    estimated = next(check for check in one.checks if check.name == "estimated")
    assert "outcomes contradict it" in estimated.sentence
    drawn = pictures(one, window)._repr_html_()
    for name in ("accuracy", "roc_auc"):
        assert f"{name}, estimated (contradicted by outcomes)" in drawn
    assert "In this window outcomes contradict the estimate." in drawn


def test_the_site_and_the_command_line_say_it(report, capsys):
    told = "in 1 of 1 windows: contradicted by outcomes"
    assert told in str(performance_picture([report]))
    assert all(told in str(picture) for picture in metric_pictures([report]))
    command._tell(report)
    shown = capsys.readouterr().err
    assert re.search(r"estimated \(contradicted by outcomes\)", shown)
    assert "Outcomes contradict the estimate of accuracy and roc_auc." in shown


def test_nothing_is_said_where_outcomes_agree(report):
    agreeing = tuple(
        replace(check, low=-0.1, high=0.1) if check.name == "agreement" else check for check in report.checks
    )
    assert replace(report, checks=agreeing).contradicted == ()
    assert replace(report, checks=agreeing).contradiction == ""


def test_an_estimate_is_contradicted_when_the_interval_does_not_hold_zero():
    def check(low, high):
        return CheckResult(
            name="agreement", subject="mae", outcome=CheckOutcome.PASSED, sentence="", low=low, high=high
        )

    assert contradicted_metrics([check(0.1, 0.2)]) == ("mae",)
    assert contradicted_metrics([check(-0.2, -0.1)]) == ("mae",)
    assert contradicted_metrics([check(0.0, 0.2)]) == ()
    assert contradicted_metrics([replace(check(0.1, 0.2), name="drift")]) == ()
    assert side_label("realised", contradicted=True) == "realised"
