"""The plan of a rollout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.rollout_plan import (
    Automation,
    MetricRule,
    RolloutPolicy,
    StepKind,
    parse_plan,
    plan_text,
)
from nbprod.errors import SettingsError


@given(
    st.lists(st.sampled_from(["replay", "shadow"]), unique=True, max_size=2),
    st.lists(st.integers(1, 95), min_size=1, max_size=6, unique=True),
    st.booleans(),
)
def test_a_plan_reads_as_it_is_written(first, shares, ends):
    """Parsing and writing give the plan again."""
    canary = ":".join(["canary", *map(str, sorted(shares)), *(["100"] if ends else [])])
    text = ",".join([*sorted(first), canary])
    assert plan_text(parse_plan(text)) == text


def test_each_kind_of_step_has_its_share():
    """Replay and shadow answer nobody; blue-green answers everybody."""
    steps = parse_plan("replay,shadow,canary:5:25:100")
    assert [(step.kind, step.share) for step in steps] == [
        (StepKind.REPLAY, 0),
        (StepKind.SHADOW, 0),
        (StepKind.CANARY, 0.05),
        (StepKind.CANARY, 0.25),
        (StepKind.CANARY, 1.0),
    ]
    assert [step.share for step in parse_plan("blue-green")] == [1.0]
    assert [str(step) for step in parse_plan("ab:50")] == ["ab 50 %"]


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("canary", "shares that cannot be used"),
        ("canary:0:5", "shares that cannot be used"),
        ("canary:5:100:50", "shares that cannot be used"),
        ("canary:50:5", "do not rise"),
        ("canary:99", "shares that cannot be used"),
        ("canary:five", "shares that cannot be used"),
        ("ab:50:60", "takes one share"),
        ("ab:100", "shares that cannot be used"),
        ("shadow:5", "takes no share"),
        ("canray:5", "no step 'canray'"),
        ("blue-green,canary:5", "do not rise"),
        ("", "no step ''"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(plan, says):
    """Unknown steps, shares that are none or do not rise."""
    with pytest.raises(SettingsError, match=says):
        parse_plan(plan)


def test_settings_are_read_and_a_wrong_one_is_named():
    """Of ``nbprod.toml``, key by key."""
    policy = RolloutPolicy.parse(
        "churn",
        {
            "plan": "ab:50",
            "metrics": ["errors", {"name": "bought", "margin": 1.1, "better": "higher"}],
            "automation": "auto",
            "lease": "30s",
            "horizon": "7d",
        },
    )
    assert policy.metrics[1] == MetricRule(name="bought", margin=1.1, better="higher")
    assert policy.automation is Automation.AUTO
    for wrong in (
        {"pln": "shadow"},
        {"automation": "full"},
        {"alpha": 2},
        {"alpha": True},
        {"holdback": 0.9},
        {"metrics": []},
        {"metrics": ["errors", "errors"]},
        {"metrics": [{"nam": "errors"}]},
        {"metrics": [{"name": "errors", "better": "up"}]},
        {"metrics": [{"name": "errors", "margin": 1}]},
        {"lease": "soon"},
        {"lease": 3},
        {"step_units": 0},
        {"step_units": "many"},
    ):
        with pytest.raises(SettingsError):
            RolloutPolicy.parse("churn", wrong)
