import pytest

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
