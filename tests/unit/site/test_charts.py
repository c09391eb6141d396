from datetime import UTC, datetime, timedelta

from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.site.charts import metric_names, performance_picture

START = datetime(2026, 1, 1, tzinfo=UTC)


def report(day, **metrics):
    return MonitorReport(
        run_id=f"r{day}",
        deployment="churn",
        version="churn/1",
        start=START + timedelta(days=day),
        end=START + timedelta(days=day + 1),
        verdict=Verdict.HEALTHY,
        sentence="…",
        rows=10,
        outcomes=10,
        metrics=metrics,
    )


def test_an_estimate_and_a_reference_are_drawn_with_their_metric():
    reports = [report(day, mae=3.0 + day, estimated_mae=2.5, reference_mae=2.0) for day in range(3)]

    assert metric_names(reports) == ["mae"]
    picture = str(performance_picture(reports))
    assert "estimated" in picture
    assert "on the reference" in picture


def test_a_metric_without_outcomes_is_drawn_as_estimated():
    reports = [report(day, estimated_mae=2.5, reference_mae=2.0) for day in range(3)]

    assert metric_names(reports) == ["mae"]
    assert "estimated" in str(performance_picture(reports))
