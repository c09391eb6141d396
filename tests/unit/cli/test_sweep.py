"""What ``nbprod sweep`` tells of each member."""

from datetime import UTC, datetime

from nbprod.cli.sweep import row, teller
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.sweep import Member


def test_a_member_that_failed_is_told_with_its_error(capsys):
    run = Run(
        id="20261121T090000Z-train-0001",
        template="train",
        source="train.ipynb",
        template_digest="0" * 64,
        status=RunStatus.FAILED,
        folder="",
        created_at=datetime(2026, 11, 21, 9, tzinfo=UTC),
        error="DataError: no model is called nosuch.",
    )
    member = Member(values={"model": "nosuch"}, run=run, reason="not run before")
    teller(1)(0, member)

    assert capsys.readouterr().err == "1/1 failed model=nosuch: DataError: no model is called nosuch.\n"
    assert row(member)["error"] == run.error
