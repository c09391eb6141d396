"""The missed-run and overlap policies."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.schedule import Due, DueStatus, Missed, Overlap, Schedule
from nbprod.errors import SettingsError
from nbprod.schedules.policies import MOST, decide

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def a_schedule(**more):
    return Schedule.parse("nightly", {"cron": "0 2 * * *", "run": "train", **more})


def hours_ago(*hours):
    return [NOW - timedelta(hours=one) for one in hours]


def summarized(rows):
    return [(int((NOW - row.due_at).total_seconds() // 3600), row.status.value) for row in rows]


def working(at, status=DueStatus.CLAIMED):
    return Due(id=Due.id_of("nightly", at), schedule="nightly", due_at=at, status=status)


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", [(7, "skipped")]),
        ("once", [(31, "skipped"), (7, "claimed")]),
        ("all", [(55, "claimed"), (31, "queued"), (7, "queued")]),
    ],
)
def test_after_three_missed_nights(missed, expected):
    assert (
        summarized(decide(a_schedule(missed=missed), hours_ago(55, 31, 7), more=False, now=NOW, open_dues=[]))
        == expected
    )


def test_what_was_missed_is_counted_in_words():
    missed = [hours_ago(31, 7), hours_ago(55, 31, 7)]
    (one, _), (several, _) = (decide(a_schedule(), ages, more=False, now=NOW, open_dues=[]) for ages in missed)

    assert one.reason.startswith("missed 1 moment, ")
    assert several.reason.startswith("missed 2 moments, ")


def test_a_moment_of_just_now_is_started_whatever_was_missed_before():
    for missed in Missed:
        rows = decide(a_schedule(missed=missed), [NOW - timedelta(minutes=3)], more=False, now=NOW, open_dues=[])
        assert [(row.status, row.reason) for row in rows] == [(DueStatus.CLAIMED, "due")]


@pytest.mark.parametrize(
    ("overlap", "status"), [("skip", DueStatus.SKIPPED), ("queue", DueStatus.QUEUED), ("allow", DueStatus.CLAIMED)]
)
def test_while_the_start_before_still_works(overlap, status):
    before = working(NOW - timedelta(days=1))
    (row,) = decide(a_schedule(overlap=overlap), hours_ago(0), more=False, now=NOW, open_dues=[before])

    assert row.status is status
    assert overlap != "skip" or row.reason == f"{before.id} still works"


@given(
    st.sampled_from(Missed),
    st.sampled_from(Overlap),
    st.lists(st.integers(0, 900), min_size=1, max_size=MOST, unique=True),
    st.booleans(),
    st.integers(0, MOST + 2),
)
def test_the_newest_moment_always_gets_a_row_and_at_most_so_many_wait(missed, overlap, ages, more, waiting):
    moments = sorted(NOW - timedelta(hours=age) for age in ages)
    before = [working(moments[0] - timedelta(days=n + 1), DueStatus.QUEUED) for n in range(waiting)]
    rows = decide(a_schedule(missed=missed, overlap=overlap), moments, more=more, now=NOW, open_dues=before)

    assert rows[-1].due_at == moments[-1]  # so that nothing is looked at twice
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.reason for row in rows)
    assert sum(row.status is DueStatus.QUEUED for row in [*rows, *before]) <= max(MOST, waiting)
    if overlap is not Overlap.ALLOW:
        assert sum(row.status is DueStatus.CLAIMED for row in rows) <= (not before)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"run": "train"}, "does not say when"),
        ({"cron": "0 0 * * *"}, "must start one thing"),
        ({"cron": "0 0 * * *", "run": "a", "pipeline": "b"}, "must start one thing"),
        (
            {"cron": "0 0 * * *", "run": "a", "missed": "never"},
            "missed = 'never' cannot be used\nOne of skip, once, all",
        ),
        ({"cron": "0 0 * * *", "run": "a", "crom": 1}, "unknown setting crom"),
        ({"cron": "0 0 * * *", "run": "a", "late": "soon"}, "'soon' is not a length of time"),
    ],
)
def test_a_table_that_says_nothing_or_too_much_is_refused(content, words):
    with pytest.raises(SettingsError, match=words):
        Schedule.parse("nightly", content)
