"""Old predictions go, a unit is erased wholly, and a prediction tells where it came from."""

import asyncio
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbprod.clock import now
from nbprod.errors import NotFoundError
from nbprod.lake.entries import Failures, Outcomes, Predictions
from nbprod.lake.spool import Spool


@pytest.fixture
def keep(tmp_path):
    """Keep entries as a server does."""

    def write(*entries):
        async def run():
            spool = Spool(tmp_path / "spools" / "power")
            spool.start()
            for one in entries:
                await spool.put(one, 1)
            spool.close()

        asyncio.run(run())

    return write


def made(name, unit=None, age_days=0, **more):
    at = now() - timedelta(days=age_days)
    return Predictions(
        [name], int(at.timestamp() * 1e6), "power/1", 1.0, {"prediction": ["UP"]}, {"load": [0.5]}, unit=unit, **more
    )


def told(unit=None, name=None, outcome="UP"):
    return Outcomes([name], [unit], [outcome], [int(now().timestamp() * 1e6)])


def test_what_is_older_than_the_retention_goes_and_the_rest_stays(release, deployments, keep, lake):
    release()
    deployments.create("power", model="power@champion")
    keep(made("old", age_days=500), made("new"), told(name="new"))
    done = deployments.prune("power", timedelta(days=400))
    assert done["predictions"]["rows"] == 1
    rows = lake.window("power").to_table().to_pylist()
    assert [(row["prediction_id"], row["outcome"]) for row in rows] == [("new", "UP")]


def test_erasing_a_unit_leaves_nothing_of_it_in_any_version_and_gives_a_receipt(
    release, deployments, keep, lake, store
):
    release()
    deployments.create("power", model="power@champion")
    keep(
        made("a", "ana-secret"),
        made("b", "bob"),
        told(unit="ana-secret"),
        told(name="b"),
        told(unit="bob", outcome="DOWN"),
    )
    failed = {"at_us": int(now().timestamp() * 1e6), "version": "power/2", "kind": "error", "arm": "candidate"}
    keep(*(Failures(**failed, share=0.1, stratum="", unit=unit) for unit in ("ana-secret", "bob")))
    deployments.drain("power")
    lake.shadows("power").append({"prediction_id": ["a", "b"], "version": ["power/2"] * 2})
    keep(made("c", "ana-secret"), told(name="a"))  # some of it still lies in the spool
    receipt = deployments.erase("power", unit="ana-secret")
    assert (receipt.predictions, receipt.outcomes) == (2, 2)
    rows = lake.window("power").to_table().to_pylist()
    assert [(row["prediction_id"], row["unit"], row["outcome"]) for row in rows] == [("b", "bob", "UP")]
    folder = lake.predictions("power").parts()[0].parent.parent.parent
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            assert "ana-secret" not in (table.column("unit").to_pylist() if "unit" in table.column_names else [])
        elif path.is_file():
            assert b"ana-secret" not in path.read_bytes(), path
    assert lake.failures("power").window()[0]["unit"].to_pylist() == ["bob"]
    assert lake.shadows("power").window()[0]["prediction_id"].to_pylist() == ["b"]
    for path in (folder.parent / "spools").rglob("*"):
        assert path.is_dir() or b"ana-secret" not in path.read_bytes()
    with store.read() as session:
        (event,) = session.events(kind="unit.erased")
    assert event.data["receipt"] == receipt.id
    assert "ana-secret" not in repr(event)
    assert deployments.erase("power", unit="nobody").predictions == 0


def test_an_erasure_names_the_files_of_runs_that_still_show_the_unit(release, deployments, keep, tmp_path):
    """A notebook with an id, a page with the unit as a value, a table in a run's files; no others, and none is changed."""
    release()
    deployments.create("power", model="power@champion")
    keep(made("0197-of-ana", "ana"), made("0197-of-bob", "bob"))
    folder = tmp_path / "runs" / "of-score" / "files"
    folder.mkdir(parents=True)
    shown = {
        folder.parent / "notebook.ipynb": b'{"text/html": "<td>0197-of-ana</td>"}',
        folder.parent / "report.html": b"<td>ana</td>",
        folder / "quoted.json": b'{"outputs": "{\\"unit\\": \\"ana\\"}"}',
    }
    for path, content in {**shown, folder / "other.json": b'{"unit": "joana", "of": "bananas"}'}.items():
        path.write_bytes(content)
    pq.write_table(pa.table({"unit": ["bob", "ana"]}), folder / "rows.parquet")
    pq.write_table(pa.table({"unit": ["bob", None]}), folder / "others.parquet")

    receipt = deployments.erase("power", unit="ana")

    assert set(receipt.named_in) == {*map(str, shown), str(folder / "rows.parquet")}
    assert str(folder / "rows.parquet") in str(receipt)
    assert {path: path.read_bytes() for path in shown} == shown
    assert deployments.erase("power", unit="nobody").named_in == ()


def test_a_prediction_tells_where_it_came_from(release, deployments, keep):
    """Whether it is in the table yet or not: version, package, run, notebook, rows, outcome."""
    version = release()
    deployments.create("power", model="power@champion")
    keep(made("p", "u"), told(unit="u"))
    spooled = deployments.trace("p")
    deployments.drain("power")
    found = deployments.trace("p")
    assert (found.deployment, found.version, found.package) == ("power", "power/1", version.package)
    assert (found.inputs, found.outputs, found.outcome) == ({"load": 0.5}, {"prediction": "UP"}, "UP")
    assert found.notebook.endswith(f"{version.run_id}/notebook.ipynb")
    assert found.window == {"data": "electricity", "seed": 7}
    assert (spooled.inputs, spooled.outputs, spooled.version) == (found.inputs, found.outputs, found.version)
    with pytest.raises(NotFoundError, match="no deployment has kept"):
        deployments.trace("q")
