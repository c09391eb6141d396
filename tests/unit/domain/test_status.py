import pytest

from nbprod.domain.alert import AlertStatus
from nbprod.domain.run import RunStatus
from nbprod.domain.status import MOVES, check_move
from nbprod.domain.version import Approval
from nbprod.errors import IllegalMoveError


def test_every_status_is_in_the_table():
    assert set(MOVES) == {*RunStatus, *Approval, *AlertStatus}


def test_a_succeeded_run_is_final():
    with pytest.raises(IllegalMoveError, match="Run x is succeeded and cannot become running") as caught:
        check_move("Run x", RunStatus.SUCCEEDED, RunStatus.RUNNING)

    assert "final" in caught.value.hint


def test_a_pending_version_may_be_approved():
    check_move("churn/1", Approval.PENDING, Approval.APPROVED)
