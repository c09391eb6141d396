"""Models that were made elsewhere become packages like others: predicted, blessed and loaded without their maker."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nbprod.errors import DataError, NotFoundError, PackageError, RefusedError, SchemaError
from nbprod.formats.pickled import PickleWarning
from tests.integration.packages.test_fresh_process import by_mlflow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

COLUMNS = ["load", "price", "hour"]


@pytest.fixture(scope="module")
def example():
    random = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"load": random.normal(size=400), "price": random.gamma(2, size=400), "hour": random.integers(0, 24, 400)}
    )
    score = frame["load"] - frame["price"] / 2 + random.normal(size=400) / 3
    return frame.assign(direction=np.where(score > -1, "UP", "DOWN"))


@pytest.fixture(scope="module")
def model(example):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(example[COLUMNS], example["direction"])


@pytest.fixture
def pickled(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return tmp_path / "model.joblib"


def to_onnx(model, *, wide, zipmap=False):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, 3]))] if wide else [(name, FloatTensorType([None, 1])) for name in COLUMNS]
    is_classifier = hasattr(model, "classes_")
    options = {id(model): {"zipmap": zipmap}} if is_classifier else None
    return convert_sklearn(model, initial_types=types, options=options).SerializeToString()


def test_a_pickle_is_read_only_behind_its_flag_and_sealed_as_skops(packages, pickled, example, model):
    """The flag warns, and no pickle is in the package: whoever loads it needs no flag."""
    with pytest.raises(RefusedError, match="runs whatever code is in it"):
        packages.import_model(pickled, example=example, target="direction")

    with pytest.warns(PickleWarning, match="the code in it runs now"):
        package = packages.import_model(pickled, example=example, target="direction", allow_pickle=True)

    assert (package.format, package.task, package.run_id) == ("skops", "classification", None)
    loaded = packages.load(package)
    made = loaded.predict(example.head(50))
    assert (made["prediction"] == model.predict(example[COLUMNS].head(50))).all()
    np.testing.assert_allclose(made["probability"], model.predict_proba(example[COLUMNS].head(50))[:, 1])
    assert not any(name.endswith((".pickle", ".pkl", ".joblib")) for name in loaded.sealed.files)
    assert packages.bless(package).passed


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_schema_golden_rows_and_profile_are_made_of_the_example(packages, pickled, example, tmp_path, suffix):
    path = tmp_path / f"example{suffix}"
    example.to_csv(path, index=False) if suffix == ".csv" else example.to_parquet(path, index=False)

    with pytest.warns(PickleWarning):
        package = packages.import_model(pickled, example=path, target="direction", allow_pickle=True)

    loaded = packages.load(package)
    assert loaded.schema.names == tuple(COLUMNS)
    assert loaded.schema.classes == ("DOWN", "UP")
    assert len(loaded.golden()[0]) == 64
    assert {*COLUMNS, "direction", "prediction", "probability"} <= set(loaded.reference())
    assert loaded.profile() is not None
    assert "trained elsewhere and imported from model.joblib" in loaded.sealed.read("README.md").decode()


def test_a_pickle_by_the_standard_library_is_one_too(packages, model, example, tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))

    with pytest.warns(PickleWarning):
        package = packages.import_model(
            tmp_path / "model.pkl", example=example, target="direction", allow_pickle=True
        )
    assert package.format == "skops"


@pytest.mark.parametrize("wide", [True, False], ids=["one tensor", "a tensor a column"])
@pytest.mark.parametrize("zipmap", [True, False], ids=["mappings", "arrays"])
def test_an_onnx_file_predicts_as_it_did_and_is_blessed(packages, model, example, tmp_path, wide, zipmap):
    """Also by MLflow in a process without nbprod."""
    (tmp_path / "model.onnx").write_bytes(to_onnx(model, wide=wide, zipmap=zipmap))

    package = packages.import_model(tmp_path / "model.onnx", example=example, target="direction")

    assert package.format == "onnx"
    made = packages.load(package).predict(example.head(100))
    np.testing.assert_allclose(made["probability"], model.predict_proba(example[COLUMNS].head(100))[:, 1], atol=1e-5)
    assert (made["prediction"] == model.predict(example[COLUMNS].head(100))).all()
    assert packages.bless(package).passed
    assert "onnxruntime==" in packages.load(package).sealed.read("requirements.txt").decode()
    if wide and zipmap:
        example[COLUMNS].head(10).astype({"hour": "int64"}).to_parquet(tmp_path / "rows.parquet")
        (there,) = by_mlflow(tmp_path / "rows.parquet", package.folder)
        np.testing.assert_allclose(there["probability"], made["probability"].head(10))


def test_an_onnx_regression_and_one_of_three_classes(packages, example, tmp_path):
    numbers = LinearRegression().fit(example[COLUMNS], example["load"] * 3)
    (tmp_path / "numbers.onnx").write_bytes(to_onnx(numbers, wide=True))
    three = pd.cut(example["load"], 3, labels=False)
    levels = LogisticRegression().fit(example[COLUMNS], three)
    (tmp_path / "levels.onnx").write_bytes(to_onnx(levels, wide=True))

    regression = packages.import_model(
        tmp_path / "numbers.onnx", example=example[COLUMNS].assign(y=example["load"] * 3), target="y"
    )
    classes = packages.import_model(
        tmp_path / "levels.onnx", example=example[COLUMNS].assign(level=three), target="level"
    )

    assert regression.task == "regression"
    assert packages.load(classes).schema.outputs == ("prediction", "probability_0", "probability_1", "probability_2")


def mlflow_model(folder, *command):
    """Log a model as its users do, by MLflow itself, in a process of its own."""
    code = "import sys, joblib, mlflow\n" + "\n".join(command)
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        check=True,
        env=env,
        capture_output=True,
        timeout=200,
    )


@pytest.mark.parametrize("form", ["skops", "cloudpickle"])
def test_an_mlflow_model_directory_is_taken_in(packages, pickled, example, tmp_path, form):
    """Its signature's names and types are kept; a pickle in it needs the flag, skops does not."""
    folder = tmp_path / "logged"
    mlflow_model(
        folder,
        f"model = joblib.load({str(pickled)!r})",
        f"mlflow.sklearn.save_model(model, sys.argv[1], serialization_format={form!r}, pip_requirements=[])",
    )
    is_pickle = form == "cloudpickle"
    if is_pickle:
        with pytest.raises(RefusedError, match="pickle"):
            packages.import_model(folder, example=example, target="direction")
        with pytest.warns(PickleWarning):
            package = packages.import_model(folder, example=example, target="direction", allow_pickle=True)
    else:
        package = packages.import_model(folder, example=example, target="direction")

    assert packages.load(package).schema.names == tuple(COLUMNS)
    assert packages.bless(package).passed


def test_a_model_without_names_takes_the_example_s_columns_in_their_order(packages, example, tmp_path):
    model = HistGradientBoostingClassifier(max_iter=5).fit(example[COLUMNS].to_numpy(), example["direction"])
    joblib.dump(model, tmp_path / "model.joblib")

    with pytest.warns(PickleWarning):
        package = packages.import_model(
            tmp_path / "model.joblib", example=example, target="direction", allow_pickle=True
        )
    assert packages.load(package).schema.names == tuple(COLUMNS)

    with (
        pytest.warns(PickleWarning),
        pytest.raises(SchemaError, match="takes 3 columns without names; the example has 4"),
    ):
        packages.import_model(
            tmp_path / "model.joblib", example=example.assign(more=1.0), target="direction", allow_pickle=True
        )


@pytest.mark.parametrize(
    ("change", "target", "error", "told"),
    [
        (lambda frame: frame.drop(columns="price"), "direction", SchemaError, "takes price"),
        (lambda frame: frame, "class", SchemaError, "no column 'class'"),
        (lambda frame: frame.head(0), "direction", DataError, "no rows"),
        (lambda frame: frame.assign(direction="LEFT"), "direction", DataError, "'LEFT', which is no class"),
        (lambda frame: frame.assign(price="dear"), "direction", DataError, "cannot predict the example"),
    ],
    ids=["a column is missing", "no such target", "no rows", "another class", "words for numbers"],
)
@pytest.mark.filterwarnings("ignore:.*pickle")
def test_an_example_that_does_not_fit_is_refused_and_leaves_nothing(
    packages, pickled, example, change, target, error, told
):
    with pytest.raises(error, match=told):
        packages.import_model(pickled, example=change(example), target=target, allow_pickle=True)
    assert packages.list() == []


@pytest.mark.filterwarnings("ignore:.*pickle")
def test_what_is_no_model_is_refused(packages, built_folder, example, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x01broken")
    (tmp_path / "text.txt").write_text("no model")
    joblib.dump({"a": 1}, tmp_path / "thing.joblib")
    (tmp_path / "logged").mkdir()
    (tmp_path / "logged" / "MLmodel").write_text("flavors: {sklearn: {pickled_model: ../text.txt}}")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "MLmodel").write_text("flavors: {pytorch: {data: x}}")
    refused = {
        "broken.onnx": (PackageError, "cannot be read as an ONNX"),
        "text.txt": (PackageError, "no model that can be imported"),
        "thing.joblib": (PackageError, "holds a dict"),
        "none": (NotFoundError, "no file or folder"),
        "logged": (PackageError, "which is not in the folder"),
        "torch": (PackageError, "flavors pytorch"),
    }
    for name, (error, told) in refused.items():
        with pytest.raises(error, match=told):
            packages.import_model(tmp_path / name, example=example, target="direction", allow_pickle=True)
    with pytest.raises(RefusedError, match="package of nbprod already"):
        packages.import_model(built_folder, example=example, target="direction")


@pytest.fixture
def built_folder(packages, stage):
    from pathlib import Path

    return Path(packages.build(stage()).folder)


def test_the_command_line_registers_and_blesses(pickled, example, tmp_path):
    """Without the flag exit code 3; without the example a usage error that names the option."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "nbprod.toml").write_text("")
    example.to_csv(workspace / "example.csv", index=False)
    base = [
        sys.executable,
        "-m",
        "nbprod",
        "-w",
        str(workspace),
        "models",
        "import",
        str(pickled),
        "--target",
        "direction",
        "--model",
        "market",
    ]

    def run(*more):
        return subprocess.run([*base, *more], check=False, capture_output=True, text=True, timeout=200, cwd=workspace)

    assert run("--example", "example.csv").returncode == 3
    without = run()
    assert (without.returncode, "--example" in without.stderr) == (2, True)
    done = run("--example", "example.csv", "--allow-pickle", "--json")
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)
    assert (version["model"], version["number"], version["approval"]) == ("market", 1, "pending")
    assert version["blessed_at"]
