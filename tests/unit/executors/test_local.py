"""Which failures another attempt may mend."""

from __future__ import annotations

import pytest

from nbprod.domain.execution import ExecutionResult
from nbprod.domain.run import EndCause, RunStatus
from nbprod.executors.local import may_pass


@pytest.mark.parametrize(
    ("cause", "error", "error_type", "expected"),
    [
        (EndCause.ERROR, "the server: is away", "ConnectionError", True),  # whatever the message looks like
        (EndCause.ERROR, "ConnectionError: was what it printed", "ValueError", False),
        (EndCause.ERROR, "ConnectionError: told by no exception", None, False),
        (EndCause.TIMEOUT, "ConnectionError: too late", "ConnectionError", False),
        (EndCause.KILLED, "The kernel was killed by SIGKILL", None, True),
    ],
)
def test_another_attempt_is_decided_by_the_type_of_the_error_and_not_by_its_text(cause, error, error_type, expected):
    result = ExecutionResult(status=RunStatus.FAILED, cause=cause, error=error, error_type=error_type)

    assert may_pass(result, ("ConnectionError",)) is expected
