from nbprod.domain.check import CheckOutcome, CheckResult, worst


def check(outcome):
    return CheckResult(name="x", outcome=outcome, sentence="s")


def test_one_failure_fails_and_one_doubt_is_a_doubt():
    passed, failed, doubt = (check(o) for o in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE))

    assert worst([passed, failed, doubt]) is CheckOutcome.FAILED
    assert worst([passed, doubt]) is CheckOutcome.INCONCLUSIVE
    assert worst([passed, passed]) is CheckOutcome.PASSED
    assert worst([]) is CheckOutcome.INCONCLUSIVE
