"""Packages in processes of their own: blessing, isolated predictions, MLflow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from nbprod.errors import NotFoundError, PackageError, RefusedError, SchemaError
from nbprod.packages import bless_folder, predict_isolated
from nbprod.packages.golden import to_parquet
from nbprod.packages.sealing import seal_folder


def reseal(package, name, content):
    """What somebody does who can rewrite a package whole: another content, another digest."""
    folder = Path(package.folder)
    (folder / name).write_bytes(content)
    (folder / "manifest.json").unlink()
    return folder.rename(folder.with_name(seal_folder(folder).digest))


def test_a_blessing_is_recorded_with_versions_and_platform(packages, store, stage):
    package = packages.build(stage())
    blessing = packages.bless(package)

    assert blessing.passed
    assert blessing.rows == 64
    assert blessing.largest_difference == 0
    assert blessing.digest == package.digest
    assert {"numpy", "pandas", "scikit-learn", "scipy", "skops"} <= blessing.versions.keys()
    with store.read() as session:
        (event,) = session.events(package.digest, "package.blessed")
    assert event.data["platform"] == blessing.platform
    assert event.reason == "64 golden rows scored in a fresh process: every value is equal."


def test_other_values_are_refused_with_the_column_and_the_difference(packages, stage):
    package = packages.build(stage())
    inputs, expected = packages.load(package).golden()
    moved = expected.assign(probability=expected["probability"] + 0.125)
    folder = reseal(package, "golden.parquet", to_parquet(pd.concat([inputs, moved.add_prefix("expected_")], axis=1)))

    blessing = bless_folder(folder)

    assert not blessing.passed
    assert (blessing.column, blessing.largest_difference) == ("probability", 0.125)
    assert "probability differs by up to 0.125" in blessing.sentence


def test_a_refused_blessing_stays_in_the_ledger(packages, store, stage, tmp_path):
    package = packages.build(stage())
    inputs, expected = packages.load(package).golden()
    moved = expected.assign(prediction=list(expected["prediction"][::-1]))
    folder = reseal(package, "golden.parquet", to_parquet(pd.concat([inputs, moved.add_prefix("expected_")], axis=1)))
    other = packages.import_(folder)
    with pytest.raises(RefusedError, match="prediction differs"):
        packages.bless(other)
    with store.read() as session:
        (event,) = session.events(other.digest, "package.refused")
    assert event.data["column"] == "prediction"


def test_a_changed_package_is_not_blessed(packages, stage):
    package = packages.build(stage())
    (Path(package.folder) / "metrics.json").write_text("{}")
    with pytest.raises(PackageError, match=r"metrics\.json"):
        packages.bless(package)


def test_blessing_by_hand_prints_one_answer(packages, stage):
    package = packages.build(stage("regression"))
    ended = subprocess.run(
        [sys.executable, "-m", "nbprod.packages.blessing", package.folder], capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout)["passed"] is True


def test_isolated_predictions_equal_those_made_here(packages, stage, tmp_path):
    package = packages.build(stage())
    loaded = packages.load(package)
    rows = loaded.reference().set_index(pd.Index(range(100, 300)))
    made = predict_isolated(package.folder, rows)
    pd.testing.assert_frame_equal(made, loaded.predict(rows))

    rows.to_parquet(tmp_path / "rows.parquet", index=False)
    from_file = packages.predict_isolated(package.digest, tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(from_file, made.reset_index(drop=True))


def test_what_goes_wrong_there_is_told_here(packages, stage, tmp_path):
    package = packages.build(stage())
    rows = packages.load(package).reference().drop(columns="hour")
    with pytest.raises(SchemaError, match="hour is missing") as caught:
        predict_isolated(package.folder, rows)
    assert caught.value.columns == ("hour",)
    with pytest.raises(NotFoundError, match="no package folder"):
        predict_isolated(tmp_path / "none", rows)
    with pytest.raises(PackageError, match=r"took longer than 0\.01 s"):
        predict_isolated(package.folder, rows, timeout_s=0.01)


LOAD = """
import json, sys, warnings
import mlflow, pandas as pd
assert "nbprod" not in sys.modules
made = []
for folder in sys.argv[2:]:
    model = mlflow.pyfunc.load_model(folder)
    made.append(model.predict(pd.read_parquet(sys.argv[1])).to_dict("list"))
    assert model.metadata.signature.inputs.input_names()
print(json.dumps(made))
"""


def by_mlflow(rows, *folders):
    """Predictions of packages loaded by MLflow, one after another, in one process that has no nbprod in it."""
    hide = "import sys; sys.modules['nbprod'] = None; del sys.modules['nbprod']\n"
    ended = subprocess.run(
        [sys.executable, "-c", hide + LOAD, str(rows), *folders],
        capture_output=True, text=True, check=False, env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_mlflow_loads_two_packages_in_one_process_and_leaves_no_trace(packages, stage, tmp_path):
    """Their loaders have different names, so neither is given the other's; no compiled file enters a sealed folder."""
    first, second = packages.build(stage()), packages.build(stage("three", number=1))
    rows = packages.load(first).reference().astype({"kind": "str"})  # MLflow takes no categories for text
    path = tmp_path / "rows.parquet"
    rows[list(packages.load(first).schema.names)].to_parquet(path, index=False)

    made = by_mlflow(path, first.folder, second.folder)

    for package, outputs in zip((first, second), made, strict=True):
        expected = packages.load(package).predict(rows)
        pd.testing.assert_frame_equal(pd.DataFrame(outputs), expected, check_dtype=False)
        packages.verify(package)


def test_mlflow_loads_no_changed_package(packages, stage, tmp_path):
    package = packages.build(stage())
    rows = tmp_path / "rows.parquet"
    packages.load(package).reference().to_parquet(rows, index=False)
    model = Path(package.folder) / "model" / "model.skops"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(AssertionError, match=r"was changed: model/model\.skops\. Nothing was loaded"):
        by_mlflow(rows, package.folder)


def test_mlflow_refuses_a_frame_without_a_column(packages, stage, tmp_path):
    package = packages.build(stage())
    rows = tmp_path / "rows.parquet"
    packages.load(package).reference().drop(columns="hour").to_parquet(rows, index=False)
    with pytest.raises(AssertionError, match="hour"):
        by_mlflow(rows, package.folder)
