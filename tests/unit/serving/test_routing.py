"""Which arm answers, and the guard."""

import math

import pytest

from nbprod.domain.rollout import Arm, bucket_of
from nbprod.serving.assignment import Routing
from nbprod.serving.routing import Router, broken

NOW = 1_800_000_000_000_000


def a_router(share=0.1, until=NOW + 60_000_000, kept=None):
    router = Router((kept if kept is not None else []).append)
    router.follow(Routing(rollout="r1", salt="s", share=share, until_us=until, step="1"))
    return router


def test_units_go_by_their_bucket():
    router = a_router(0.3)
    for n in range(200):
        ticket = router.assign(f"u{n}", "x", now_us=NOW, has_candidate=True)
        assert (ticket.arm is Arm.CANDIDATE) == (bucket_of("s", f"u{n}") < 0.3)
        assert (ticket.share, ticket.unit) == (0.3, f"u{n}")
        assert ticket.stratum.startswith("1:30:")


@pytest.mark.parametrize(
    "given", [{"now_us": NOW + 60_000_000, "has_candidate": True}, {"now_us": NOW, "has_candidate": False}]
)
def test_a_share_ends_with_its_lease_and_needs_a_candidate(given):
    ticket = a_router(0.95).assign("u1", "x", **given)
    assert (ticket.arm, ticket.share) == (Arm.STABLE, 0.0)


def test_without_a_rollout_everything_is_stable():
    router = Router([].append)
    assert router.assign("u1", "x", now_us=NOW, has_candidate=True).arm is Arm.STABLE


def test_a_failing_candidate_is_out_within_the_request_that_shows_it():
    """A handful of failures, none of them stable's; told once; every later request is stable's."""
    kept, told = [], []
    router = a_router(0.1, kept=kept)
    router.on_taken_out = lambda rollout, why: told.append((rollout, why))
    tickets = (router.assign(f"u{n}", "x", now_us=NOW, has_candidate=True) for n in range(10_000))
    theirs = [ticket for ticket in tickets if ticket.arm is Arm.CANDIDATE]
    for ticket in theirs:
        router.failed(ticket, "not-a-number", "power/2")
        if told:
            break
    assert len(kept) < 20
    assert [one[0] for one in told] == ["r1"]
    assert "not-a-number" in told[0][1]
    assert all(router.assign(f"u{n}", "x", now_us=NOW, has_candidate=True).arm is Arm.STABLE for n in range(1_000))


def test_failures_of_both_arms_alike_take_nobody_out():
    told = []
    router = a_router(0.5)
    router.on_taken_out = lambda rollout, why: told.append(rollout)
    for n in range(2_000):
        router.failed(router.assign(f"u{n}", "x", now_us=NOW, has_candidate=True), "error", "v")
    assert told == []


def test_what_is_not_a_number_is_broken():
    assert broken({"probability": [0.5, math.nan]})
    assert broken({"prediction": [None]})
    assert broken({"prediction": [math.inf]})
    assert not broken({"prediction": ["UP"], "probability": [0.5]})
