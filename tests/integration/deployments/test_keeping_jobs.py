"""What a batch job predicted is kept part by part, each once."""

import pyarrow as pa
import pytest

from nbprod.clock import now


class GoneError(Exception):
    """The process ends here."""


def parts(upto, *, ends=False):
    for number in range(1, upto + 1):
        ids = [f"{number}-{row}" for row in range(3)]
        core = {"prediction_id": ids, "version": ["m/1"] * 3, "prediction": [0.5] * 3, "at": [now()] * 3}
        yield number, pa.table(core), pa.table({"hour": [1, 2, 3], "place": ["north"] * 3})
    if ends:
        raise GoneError


def test_parts_are_kept_once_wherever_the_job_ended(deployments, lake):
    """The same parts again add nothing, the rest is added, and private inputs never are."""
    deployments.create("elsewhere", external=True, task="regression")
    with pytest.raises(GoneError):
        deployments.keep("elsewhere", parts(2, ends=True), mark="score-a")
    rest = deployments.keep("elsewhere", parts(4), mark="score-a")
    again = deployments.keep("elsewhere", parts(4), mark="score-a")
    rows = pa.Table.from_batches(list(lake.predictions("elsewhere").window().batches()))

    assert (rest.added, rest.is_replay) == (6, False)
    assert (again.added, again.is_replay) == (0, True)
    assert sorted(rows["prediction_id"].to_pylist()) == sorted(
        f"{part}-{row}" for part in range(1, 5) for row in range(3)
    )
    assert "input_hour" in rows.column_names
    assert "input_place" not in rows.column_names
