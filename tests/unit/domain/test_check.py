from dataclasses import asdict

import pytest

from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need, worst


def check(outcome):
    return CheckResult(name="x", outcome=outcome, sentence="s")


def test_one_failure_fails_and_one_doubt_is_a_doubt():
    passed, failed, doubt = (check(o) for o in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE))

    assert worst([passed, failed, doubt]) is CheckOutcome.FAILED
    assert worst([passed, doubt]) is CheckOutcome.INCONCLUSIVE
    assert worst([passed, passed]) is CheckOutcome.PASSED
    assert worst([]) is CheckOutcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("as the reference has it", {"cause": Cause.SOURCE}),
        ("within what the reference swings by", {"needs": Need.REFERENCE}),
        ("needs 12 more outcomes", {"needs": Need.OUTCOMES, "needed": 12}),
        ("needs 12,000 predictions", {"needs": Need.PREDICTIONS, "needed": 12_000}),
        ("worse by at most 0.05", {}),
    ],
)
def test_a_check_written_before_there_were_fields_has_them_when_read(rule, fields):
    """Runs of nbprod 0.1 said such things in the text of the rule alone."""
    written = {
        "name": "drift",
        "outcome": "inconclusive",
        "sentence": "s",
        "subject": "age",
        "value": 0.1,
        "rule": rule,
    }

    read = CheckResult.read(written)

    assert read == CheckResult(**{**written, "outcome": CheckOutcome.INCONCLUSIVE, **fields})


def test_fields_that_were_written_count_whatever_the_rule_says():
    now = CheckResult(
        name="x", outcome=CheckOutcome.FAILED, sentence="s", rule="needs 3 outcomes", cause=Cause.VALUES
    )

    assert CheckResult.read(asdict(now)) == now
