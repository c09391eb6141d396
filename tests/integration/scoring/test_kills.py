"""kill -9 at random moments: the same command goes on, with no row twice and none missing."""

import random
import time

import psutil
import pytest

KILLS = 3


def test_a_job_killed_again_and_again_is_the_same_job(job, is_whole):
    """What was done stays done, nothing is visible before the end, and no process is left behind."""
    chance = random.Random(20261127)
    orphans, most = [], 0
    for _ in range(KILLS):
        process = job.start()
        job.wait_for(job.parts() + chance.randint(1, 8), process)
        time.sleep(chance.random() * 0.05)
        orphans += job.kill(process)
        assert not job.output.exists() or process.returncode == 0
        assert job.parts() >= most
        most = job.parts()
    assert most >= KILLS
    job.finish()
    is_whole(job.output)
    assert sorted(path.name for path in job.output.parent.iterdir()) == ["p.parquet", "p.parquet.score.json"]
    _, alive = psutil.wait_procs(orphans, timeout=10)
    assert alive == []


def test_a_kill_while_the_output_is_put_in_place(job, is_whole):
    """Whatever exists under its name is whole, and the command ends in the same output."""
    process = job.start()
    while not job.output.exists() and process.poll() is None:
        time.sleep(0.001)
    job.kill(process)
    is_whole(job.output)
    before = job.output.read_bytes()
    job.finish()
    assert job.output.read_bytes() == before
    assert not job.work.exists()


def test_two_at_once_are_refused(job):
    """The second says that there is a first."""
    first = job.start()
    job.wait_for(1, first)
    if first.poll() is not None:
        pytest.skip("the first was too quick")
    second = job.start()
    _, err = second.communicate(timeout=100)
    assert second.returncode == 1
    assert "another process writes p.parquet at this moment" in err
    _, err = first.communicate(timeout=100)
    assert first.returncode == 0, err


def test_a_killed_worker_ends_the_job_and_not_its_parts(job, is_whole):
    """As the kernel does when memory runs out; the same command goes on."""
    process = job.start()
    job.wait_for(2, process)
    worker = next(
        one
        for one in psutil.Process(process.pid).children(recursive=True)
        if "LokyProcess" in " ".join(one.cmdline())
    )
    worker.kill()
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "A worker process was killed while it was at work" in err
    job.finish()
    is_whole(job.output)
