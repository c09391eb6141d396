"""Outcomes that came by review: uncertain rows are seen more often, and figures are corrected for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorPolicy
from nbprod.domain.review import is_sent
from nbprod.monitors.assessment import assess
from nbprod.monitors.metric_history import metric_history
from nbprod.monitors.performance import performance
from nbprod.monitors.sampling import evenly_known, known_rows, with_disagreements
from tests.unit.monitors.conftest import days, window_of

POLICY = MonitorPolicy(min_rows=50)


def reviewed(frame, rest=0.2):
    """The frame as it is kept where the uncertain third is reviewed, and of the rest some; nobody else says anything."""
    margin = (2 * frame["probability"] - 1).abs()
    ids = [f"p{number}" for number in range(len(frame))]
    chances = np.where(margin < margin.quantile(1 / 3), 1.0, rest)
    sent = np.array([is_sent(name, chance) for name, chance in zip(ids, chances, strict=True)])
    return frame.assign(
        prediction_id=ids,
        review=chances,
        reviewer=np.where(sent, "ann", None),
        outcome=frame["outcome"].where(sent),
    )


def window(reference, rest=0.2, **world):
    """A window of thirty days of the world of the reference, known by review, and its true accuracy."""
    frame = days(40, seed=5, **world)
    told = reviewed(frame, rest)
    made = window_of(told, reference, length=30, earlier_days=10)
    for name in ("scored", "earlier"):
        rows = getattr(made, name)
        kept = told.set_index("at").loc[rows.times, ["prediction_id", "review", "reviewer"]].reset_index(drop=True)
        made = replace(made, **{name: replace(rows, frame=pd.concat([rows.frame, kept], axis=1))})
    truth = (frame["prediction"] == frame["outcome"])[frame["at"] >= pd.Timestamp(made.start)].mean()
    return made, truth


def plain(rows):
    """The same outcomes, taken as if they had come for any row."""
    return replace(rows, frame=rows.frame.drop(columns=["reviewer", "review"]))


def test_the_figure_of_reviews_covers_the_truth_and_the_plain_one_does_not(reference):
    """Accuracy of all rows lies in the corrected interval; of the reviewed alone it is far below."""
    seen, truth = window(reference)
    corrected = performance(seen.scored, "classification", POLICY, classes=[0, 1])["accuracy"]
    alone = performance(plain(seen.scored), "classification", POLICY, classes=[0, 1])["accuracy"]
    assert truth in corrected
    assert alone.high < truth


def test_a_quiet_world_known_by_review_is_no_alarm(reference):
    """Without the correction the same outcomes are an alarm, of a world in which nothing happened."""
    seen, _ = window(reference)
    corrected = assess(seen, POLICY)
    naive = assess(replace(seen, scored=plain(seen.scored), earlier=plain(seen.earlier)), POLICY)

    def check(found):
        return next(one.outcome for one in found.checks if one.name == "performance")

    assert check(corrected) is not CheckOutcome.FAILED
    assert check(naive) is CheckOutcome.FAILED
    assert corrected.concept is None or not corrected.concept.detected
    assert naive.concept.detected


def test_a_worse_world_is_seen_by_reviews(reference):
    """The correction does not hide that outcomes mean something else now."""
    seen, truth = window(reference, rest=0.5, flipped=lambda frame: frame["x"] > 0.2)
    found = assess(seen, POLICY)
    assert truth in found.performance["accuracy"]
    assert any(one.name == "performance" and one.outcome is CheckOutcome.FAILED for one in found.checks)


def test_without_a_plain_sample_nothing_is_told_of_all(reference):
    """Where only uncertain rows are reviewed, the check says why it says nothing."""
    seen, _ = window(reference, rest=0.0)
    found = assess(seen, POLICY)
    assert not found.performance
    check = next(one for one in found.checks if one.name == "performance")
    assert "whose chance of review was 0 only 0 are answered" in check.sentence
    assert all(one.realised is None for one in metric_history(seen, POLICY))


def test_rows_from_before_reviews_are_left_out_unless_known():
    """They had no chance, so the figure is of the others."""
    frame = reviewed(days(20, seed=1))
    frame.loc[:599, ["review", "reviewer", "outcome"]] = [np.nan, None, np.nan]
    rows = known_rows(frame)
    assert not rows.doubt
    assert rows.weights.sum() == pytest.approx(600)
    frame.loc[:99, "outcome"] = 1.0
    assert known_rows(frame).weights.sum() == pytest.approx(1200)


def test_nothing_changes_where_nobody_reviewed():
    """Outcomes of the world are taken as ever."""
    frame = days(3)
    assert known_rows(frame).weights is None
    assert evenly_known(frame) is frame
    assert known_rows(frame.assign(review=0.1, reviewer=None)).weights is None


def test_an_even_sample_is_a_share_of_every_kind():
    """What is left has the share of uncertain rows that all rows have."""
    frame = reviewed(days(60, seed=2))
    even = evenly_known(frame)
    left = even[even["outcome"].notna()]
    assert len(left) == pytest.approx(0.2 * len(frame), rel=0.1)
    assert (left["review"] == 1).mean() == pytest.approx(1 / 3, abs=0.05)


def test_disagreements_were_sent_for_certain_if_any_was():
    """An answer that the chance of its row would not have sent shows that disagreements are."""
    frame = reviewed(days(5)).assign(review=0.0, reviewer=None, outcome=np.nan)
    differing = frozenset(frame["prediction_id"].iloc[:10])
    assert with_disagreements(frame, differing) is frame
    frame.loc[0, ["reviewer", "outcome"]] = ["ann", 1.0]
    found = with_disagreements(frame, differing)
    assert found["review"].tolist() == [1.0] * 10 + [0.0] * (len(frame) - 10)
