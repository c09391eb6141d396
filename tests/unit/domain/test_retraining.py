from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.retraining import Autonomy, RetrainingPolicy
from nbprod.errors import SettingsError

TRAIN = {"data": "sales", "target": "y"}


def test_a_policy_is_read_with_its_defaults():
    policy = RetrainingPolicy.parse(
        "churn", {"train": TRAIN, "autonomy": "guard", "on": ["drift:age", "performance"]}
    )

    assert (policy.model, policy.alias, policy.autonomy) == ("churn", "champion", Autonomy.GUARD)
    assert [policy.asks(*alert) for alert in (("drift", "age"), ("drift", "x"), ("performance", "mae"))] == [
        True,
        False,
        True,
    ]


def test_a_part_that_was_seen_last_asks_and_one_in_doubt_or_over_does_not():
    policy = RetrainingPolicy(deployment="churn", model="churn", on=("drift:age",))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    alert = Alert(
        id="a",
        deployment="churn",
        check="drift",
        subject="age",
        status=AlertStatus.OPEN,
        summary="",
        run_id="newest",
        opened_at=at,
        last_seen_at=at,
    )
    (age,) = alert.parts
    first = replace(age, check="performance", subject="accuracy")

    assert policy.is_asked_by(replace(alert, parts=(first, age)))
    assert not policy.is_asked_by(replace(alert, parts=(first, replace(age, run_id="an older one"))))
    assert not policy.is_asked_by(replace(alert, parts=(first, replace(age, over_at=at))))
    assert not policy.is_asked_by(replace(alert, parts=(first,)))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"train": TRAIN, "autonomi": "auto"}, "autonomi"),
        ({"train": TRAIN, "autonomy": "yes"}, "autonomy = 'yes'"),
        ({"train": TRAIN, "rollout": "shadow"}, "rollout = 'shadow'"),
        ({"train": TRAIN, "on": []}, "on = []"),
        ({"train": TRAIN, "on": ["weather"]}, "weather"),
        ({"train": TRAIN, "holdout": "soon"}, "soon"),
        ({"train": {}}, "names no data"),
        ({"train": "fast"}, "train"),
        ({"train": TRAIN, "model": "../x"}, "../x"),
    ],
)
def test_what_cannot_be_used_is_named(content, names):
    with pytest.raises(SettingsError) as caught:
        RetrainingPolicy.parse("churn", content)

    assert names in str(caught.value)
