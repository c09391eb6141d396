from datetime import UTC, datetime, timedelta

import pytest

from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.domain.version import Alias, ModelVersion
from nbprod.site.charts import changed_by_window, version_marks, window_name
from nbprod.site.facts import Facts

AT = datetime(2026, 1, 1, tzinfo=UTC)


def move(number, kind, version, minutes):
    return Event(
        number=number,
        at=AT + timedelta(minutes=minutes),
        actor="maria",
        kind=kind,
        subject="m@champion",
        data={"version": version},
    )


def version(number):
    return ModelVersion(
        model="m", number=number, package=str(number) * 64, run_id=None, registered_at=AT, registered_by="maria"
    )


def report(month, *, version="m/1", run="r", changed=()):
    return MonitorReport(
        run_id=f"{run}{month}",
        deployment="d",
        version=version,
        start=datetime(1997, month, 1, tzinfo=UTC),
        end=datetime(1997, month + 1, 1, tzinfo=UTC),
        verdict=Verdict.HEALTHY,
        sentence="",
        rows=1,
        outcomes=1,
        changed=changed,
    )


def deployed(model):
    return Deployment(name="d", model=model, created_at=AT, created_by="maria")


def test_an_alias_held_each_version_until_the_next_move():
    events = [move(3, "model.rolled-back", 1, 9), move(2, "model.promoted", 2, 5), move(1, "model.promoted", 1, 0)]
    spans = Facts(packages={}, events=events).alias_periods("m")["m@champion"]
    assert [(span.number, span.until) for span in spans] == [
        (1, AT + timedelta(minutes=5)),
        (2, AT + timedelta(minutes=9)),
        (1, None),
    ]


def test_moves_of_a_model_whose_name_begins_alike_are_not_mixed_in():
    other = Event(number=1, at=AT, actor="a", kind="model.promoted", subject="mm@champion", data={"version": 1})
    assert Facts(packages={}, events=[other]).alias_periods("m") == {}


@pytest.mark.parametrize(
    ("model", "number"),
    [("m@champion", 2), ("m/1", 1), ("m@nobody", None), ("m", None), (None, None), ("m@@", None)],
)
def test_what_a_deployment_stands_for(model, number):
    alias = Alias(model="m", name="champion", number=2, moved_at=AT + timedelta(days=1), moved_by="maria")
    facts = Facts(packages={}, versions=[version(2), version(1)], aliases=[alias])
    found, since = facts.in_use(deployed(model))
    assert (found.number if found else None) == number
    assert (since is None) == (number is None)


def test_of_two_reports_on_one_window_the_newer_run_counts():
    facts = Facts(packages={}, reports=[report(2), report(1, run="z"), report(1, run="a")])
    assert [one.run_id for one in facts.reports_of("d")] == ["z1", "r2"]


def test_the_site_speaks_of_the_newest_record_and_not_of_now():
    assert Facts(packages={}, events=[move(1, "model.promoted", 1, 5)]).as_of == AT + timedelta(minutes=5)
    assert Facts(packages={}).as_of.year == 1970


def test_a_change_of_version_is_marked_where_its_first_window_begins():
    marks = version_marks([report(1), report(2), report(3, version="m/2")])
    assert [(mark.x.month, mark.label) for mark in marks] == [(3, "m/2")]


def test_columns_that_changed_most_often_come_first():
    rows = changed_by_window([report(1, changed=("a", "b")), report(2, changed=("b",))])
    assert rows == [("b", [True, True]), ("a", [True, False])]


def test_a_window_of_a_month_has_its_name():
    assert window_name(report(5)) == "May 1997"
