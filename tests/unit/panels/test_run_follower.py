from datetime import timedelta

import pytest

import nbprod
from nbprod import clock
from nbprod.domain.run import RunStatus
from nbprod.errors import NotFoundError
from nbprod.notebook.journal import JOURNAL, Journal
from nbprod.notebook.lease import Lease
from nbprod.panels.run_follower import Follower


@pytest.fixture
def follow(tmp_path):
    return lambda ago_s=0: Follower(tmp_path, title="r", created_at=clock.now() - timedelta(seconds=ago_s))


def test_each_event_is_read_once_and_only_the_end_of_the_output_is_kept(tmp_path, follow):
    lease = Lease(tmp_path)
    with Journal(tmp_path) as journal:
        journal.append("run.started", cells=[("a", 0), ("b", 1)])
        journal.append("cell.started", cell="a")
        journal.append("cell.output", cell="a", index=0, name="stdout", text="one\n" * 5000)
        follower = follow()
        first = follower.poll()
        assert first.result.status is RunStatus.RUNNING
        assert (first.tail.strip(), first.tail_of) == ("\n".join(["one"] * 11), "a")
        journal.append("cell.ended", cell="a", status="completed")
        journal.append("cell.output", cell="b", index=0, name="stdout", text="two")
        assert follower.poll().tail == "two"
        assert [event["kind"] for event in follower.events] == ["run.started", "cell.started", "cell.ended"]
        journal.append("run.started", cells=[("a", 0)])
        again = follower.poll()
        assert (again.tail, len(again.result.cells)) == ("", 1)
    lease.end()


def test_a_run_whose_process_is_gone_is_lost_and_one_not_started_waits_a_minute(tmp_path, follow):
    (tmp_path / JOURNAL).write_bytes(b"")
    assert follow().poll().result.status is RunStatus.QUEUED
    assert follow(ago_s=300).poll().result.status is RunStatus.LOST


def test_a_record_that_is_gone_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"no record at .*gone\.nbprod"):
        nbprod.watch(tmp_path / "gone.ipynb")
