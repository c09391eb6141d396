"""What a batch job predicts is in its deployment's table once, whatever is killed, beside what a server keeps there."""

import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import SettingsError
from nbprod.workspace import open_workspace
from tests.integration.serving.conftest import ROW
from tests.unit.packages.conftest import make_rows

pytestmark = pytest.mark.slow
ROWS, BATCH = 6_000, 150
KILLS = ("predicting",) * 2 + ("moving",) * 4
SCRIPT = """
import sys
from nbprod.scoring import score
from nbprod.workspace import open_workspace

source, output = sys.argv[1:3]
ws = open_workspace()
package = ws.packages.folder(ws.models.resolve("power/1").package)
score(package, source, output, version="power/1", batch_rows=BATCH, keep=["key"], on="threads",
      log=["load", "hour", "kind", "holiday"], log_unit="key")
print(ws.keep_scored("power", output, unseen={}, source="by hand"))
""".replace("BATCH", str(BATCH))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "rows.parquet"
    rows = make_rows(ROWS, seed=31).assign(key=np.arange(ROWS).astype(str))
    rows.to_parquet(path, index=False)
    return path


def kept(workspace, names=("prediction_id", "unit")):
    return workspace.lake.window("power").to_table(list(names)).to_pylist()


def test_kills_at_random_moments_lose_and_double_nothing(serve, workspace, source, tmp_path):
    """Kill -9 while rows are predicted and while they are moved into the table that a server writes too."""
    chance = random.Random(29)
    output = tmp_path / "out" / "p.parquet"
    output.parent.mkdir()
    work = tmp_path / "out" / "p.parquet.score"
    log = workspace.home / "lake" / "power" / "predictions" / "_delta_log"
    server = serve()
    served = [server.predict(unit="u")[1]["predictions"][0]["prediction_id"]]
    words = [sys.executable, "-c", SCRIPT, source, output]
    for phase in KILLS:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        where, pattern = (work, "part-*") if phase == "predicting" else (log, "*.json")
        enough = count(where, pattern) + chance.randint(2, 8)
        while process.poll() is None and count(where, pattern) < enough:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.03)
        process.kill()
        process.communicate()
        assert process.returncode == -9
        assert output.exists() == (phase == "moving")
        served += [one["prediction_id"] for one in server.predict(ROW, ROW)[1]["predictions"]]
    said = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    again = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    server.stop()

    assert said != "None\n"
    assert again == "None\n"
    made = pd.read_parquet(output)
    rows = kept(workspace)
    found = Counter(row["prediction_id"] for row in rows)
    assert set(found.values()) == {1}
    assert set(found) == {*made["prediction_id"], *served}
    assert len(made) == ROWS
    units = {row["prediction_id"]: row["unit"] for row in rows}
    assert [units[one] for one in made["prediction_id"]] == made["key"].tolist()
    assert "place" not in workspace.lake.window("power").to_table().column_names  # private
    assert sorted(path.name for path in output.parent.iterdir()) == ["p.parquet", "p.parquet.score.json"]


def count(folder, pattern):
    return len(list(Path(folder).glob(pattern)))


@pytest.mark.parametrize("policy", ["refuse", "alarm"])
def test_the_command_does_with_unseen_categories_what_the_server_does(workspace, source, tmp_path, policy):
    """Refused rows are none of the table's; an alarm is opened by the batch as by a request."""
    (workspace.folder / "templates").mkdir()
    shutil.copy(Path(__file__).parents[3] / "templates" / "score.ipynb", workspace.folder / "templates")
    workspace.deployments.create("strict", model="power@champion", unseen=policy)
    rows = pd.read_parquet(source).head(50).astype({"kind": object})
    rows.loc[7, "kind"] = "never seen"
    rows.to_parquet(tmp_path / "some.parquet", index=False)
    words = [sys.executable, "-m", "nbprod", "score", "power/1", tmp_path / "some.parquet", tmp_path / "o.parquet"]
    words += ["--log", "strict", "--unit", "key", "--rejects", "collect"]

    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)

    assert done.returncode == 0, done.stderr
    ws = open_workspace(workspace.folder)
    units = ws.lake.window("strict").to_table(["unit"])["unit"].to_pylist()
    alerts = [(one.check, one.subject, one.run_id) for one in ws.alerts.list("strict")]
    expected = [key for key in map(str, range(50)) if policy == "alarm" or key != "7"]
    assert sorted(units, key=int) == expected
    assert alerts == ([("unseen", "kind", ws.runs.list()[0].id)] if policy == "alarm" else [])
    if policy == "refuse":
        from nbprod.cli.score import _unseen

        with pytest.raises(SettingsError, match="--unseen accept"):
            _unseen(ws, "strict", "accept")
