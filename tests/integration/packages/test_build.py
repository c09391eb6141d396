import copy
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from nbprod.domain.run import RunStatus
from nbprod.errors import NotFoundError, PackageError, RefusedError, SchemaError, UntrustedTypesError
from nbprod.packages import Packages, load_package
from nbprod.packages.sealing import verify_folder
from nbprod.statistics import Profile
from tests.unit.packages.conftest import make_rows, targets

FILES = {
    "MLmodel", "README.md", "conda.yaml", "environment.json", "golden.parquet", "input_example.json", "metrics.json",
    "model/model.skops", "nbprod.json", "notebook.ipynb", "profile.bin", "python_env.yaml", "reference.parquet", "reliance.json",
    "requirements.txt", "compiled/arrays.npz", "compiled/certificate.json", "compiled/examples.json", "compiled/plan.json",
    "schema.json", "serving_input_example.json", "code/__pycache__",
}  # fmt: skip


def test_a_package_holds_everything_and_is_named_by_its_digest(packages, stage):
    package = packages.build(stage())
    sealed = packages.verify(package)

    assert Path(package.folder).name == package.digest == sealed.digest
    assert set(sealed.files) == FILES | {
        name for name in sealed.files if "nbprod_loader_" in name or "nbprod_restoring_" in name
    }
    assert (
        package.size_bytes
        == sum(file.stat().st_size for file in Path(package.folder).rglob("*") if file.is_file())
        - (Path(package.folder) / "manifest.json").stat().st_size
    )
    assert (package.task, package.format, package.target) == ("classification", "skops", "class")
    assert package.metrics == {"roc_auc": 0.81}


def test_the_same_run_gives_the_same_package_and_one_row(packages, stage):
    run = stage()
    assert packages.build(run) == packages.build(run.id)
    assert len(packages.list()) == 1


def test_a_changed_copy_of_the_same_package_is_noticed_when_built_again(packages, stage):
    run = stage()
    package = packages.build(run)
    (Path(package.folder) / "README.md").write_text("other")
    with pytest.raises(PackageError, match=r"README\.md"):
        packages.build(run)


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("binary", ["prediction", "probability"]),
        ("three", ["prediction", "probability_high", "probability_low", "probability_mid"]),
        ("regression", ["prediction"]),
    ],
)
def test_a_loaded_package_predicts_what_the_notebook_predicted(packages, stage, fitted, task, columns):
    run = stage(task)
    loaded = packages.load(packages.build(run).digest)
    rows = pd.read_parquet(Path(run.folder) / "files/model/reference.parquet")

    made = loaded.predict(rows[rows.columns[::-1]])

    assert list(made.columns) == columns
    pd.testing.assert_frame_equal(made, rows[columns], rtol=1e-12, atol=1e-12)
    by_pipeline = loaded.predict_by_pipeline(loaded.check(rows).frame)
    pd.testing.assert_frame_equal(by_pipeline, rows[columns], rtol=1e-12, atol=1e-12)
    assert made["prediction"].dtype == by_pipeline["prediction"].dtype
    asked = fitted[task].predict(rows[list(loaded.schema.names)])
    if task == "regression":
        np.testing.assert_allclose(made["prediction"], asked, rtol=1e-12)
    else:
        np.testing.assert_array_equal(made["prediction"], asked)


def test_predictions_keep_the_index_of_the_rows(shared_packages, built):
    loaded = shared_packages.load(built())
    rows = loaded.reference().head(3).set_axis([7, 8, 9])
    assert list(loaded.predict(rows).index) == [7, 8, 9]
    assert list(loaded.predict(rows.head(0)).columns) == ["prediction", "probability"]


def test_rows_of_another_kind_are_refused_by_column(shared_packages, built):
    loaded = shared_packages.load(built())
    with pytest.raises(SchemaError, match=r"hour holds text"):
        loaded.predict([{"load": 1.0, "hour": "7", "place": "north", "kind": "a", "holiday": True}])


def test_the_digits_at_the_start_of_a_digest_are_enough(shared_packages, built):
    package = built()
    assert shared_packages.get(package.digest[:8]) == package
    with pytest.raises(NotFoundError, match="at least its first 6"):
        shared_packages.get(package.digest[:5])
    with pytest.raises(NotFoundError, match="no package"):
        shared_packages.get("f" * 64)


def test_what_is_sealed_says_where_it_came_from(built):
    package = built()
    folder = Path(package.folder)
    about = json.loads((folder / "nbprod.json").read_text())
    assert about["run_id"] == "20261120T094413Z-train-0000"
    assert about["parameters"] == {"data": "electricity", "seed": 7}
    assert about["data"] == {"data": "f" * 64}
    installed = json.loads((folder / "environment.json").read_text())
    assert installed["installed"]["scikit-learn"]
    pins = (folder / "requirements.txt").read_text().splitlines()
    assert {pin.partition("==")[0] for pin in pins} == {"numpy", "pandas", "scikit-learn", "scipy", "skops"}


def test_the_card_has_front_matter_and_escapes_names(built):
    text = (Path(built().folder) / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["pipeline_tag"] == "tabular-classification"
    assert "| hour | integer | no | 0 to 23 |" in text
    assert "| place | category | no | north, south, west |" in text
    assert "roc\\_auc" in text


def test_the_profile_is_that_of_the_reference_by_day(packages, stage):
    moments = pd.Series(pd.date_range("2026-01-01", periods=200, freq="h", tz="UTC"), name="at")
    loaded = packages.load(packages.build(stage(time=moments)))
    profile = loaded.profile()
    assert profile == Profile.of(loaded.reference(), time="at")
    assert profile.rows == 200
    assert len(profile.blocks) == 9
    assert {"load", "class", "prediction", "probability", "at"} <= profile.columns.keys()
    assert loaded.schema.time == "at"
    assert not any("at" in warning.split() for warning in loaded.check(loaded.reference()).warnings)


def test_private_columns_leave_no_value_behind(store, stage):
    """The reference lacks them, golden rows hold placeholders, the schema shows no range, and it still predicts."""
    packages = Packages(store, private=["place"])  # named private after the run
    run = stage(private=["load", "kind"])
    package = packages.build(run)
    loaded = packages.load(package)

    assert {"place", "load", "kind"}.isdisjoint(loaded.reference().columns)
    inputs, expected = loaded.golden()
    assert set(inputs["place"]) == {""}
    assert set(inputs["load"]) == {0.0}
    pd.testing.assert_frame_equal(loaded.predict(inputs), expected)
    real = [{"load": None, "hour": 3, "place": "north", "kind": "b", "holiday": True}]
    assert loaded.check(real).warnings == ()
    assert loaded.check(real).frame["kind"].tolist() == ["b"]
    for path in Path(package.folder).rglob("*"):
        if path.is_file() and path.suffix != ".skops":
            assert b"north" not in path.read_bytes(), path.name


def test_a_run_that_failed_gives_no_package(packages, stage):
    with pytest.raises(RefusedError, match="is failed"):
        packages.build(stage(status=RunStatus.FAILED))


def test_a_run_without_a_model_says_how_to_save_one(packages, stage):
    run = stage()
    (Path(run.folder) / "files/model/model.json").unlink()
    with pytest.raises(NotFoundError, match=r"nbprod\.save_model"):
        packages.build(run)


def test_a_model_that_no_longer_gives_what_was_recorded_is_refused(packages, stage, tmp_path):
    run = stage()
    recorded = Path(run.folder) / "files/model/reference.parquet"
    pd.read_parquet(recorded).assign(prediction="UP", probability=0.75).to_parquet(recorded, index=False)
    with pytest.raises(PackageError, match=r"(prediction|probability) differs by up to"):
        packages.build(run)
    assert packages.list() == []
    assert not (tmp_path / "files" / "packages").exists()


def test_predictions_of_another_model_are_no_claim_about_this_one(packages, stage):
    earlier = pd.DataFrame({"prediction": ["UP"] * 200, "probability": [0.75] * 200})
    assert packages.build(stage(predictions=earlier)) in packages.list()


def test_types_beyond_the_list_need_the_readers_word(store, packages, stage, fitted):
    """Saving refuses what building refuses; the workspace's word reaches the notebook in run.json."""
    odd = make_pipeline(FunctionTransformer(copy.copy), fitted["binary"])
    name = "copy.copy"
    with pytest.raises(UntrustedTypesError, match="copy"):
        stage(model=odd, number=1)
    run = stage(model=odd, number=2, trusted=[name])
    with pytest.raises(UntrustedTypesError, match="copy"):
        packages.build(run)
    trusting = Packages(store, trusted=[name])
    package = trusting.build(run)
    with pytest.raises(UntrustedTypesError):
        load_package(package.folder)
    assert load_package(package.folder, trusted=[name]).metadata["model"].startswith("Pipeline")


def test_it_shows_itself(shared_packages, built):
    package = built()
    loaded = shared_packages.load(package)
    assert (
        repr(loaded) == f"<LoadedPackage {package.digest[:12]} {loaded.metadata['model']}, classification of 'class'>"
    )
    assert "RandomForestClassifier" in repr(loaded)
    assert "probability" in loaded._repr_html_()


def test_packages_differ_in_what_is_told(packages, stage, fitted):
    first = packages.build(stage())
    second = packages.build(stage("regression", number=1, metrics={"mae": 2.0}))
    found = packages.compare(first, second)
    assert found.metrics == {"mae": (None, 2.0), "roc_auc": (0.81, None)}
    assert found.facts["target"] == ("class", "demand")
    assert found.columns == ()
    assert "demand" in found._repr_html_()


def test_a_package_needs_no_workspace(shared_packages, built, tmp_path):
    package = built()
    elsewhere = shared_packages.export(package, tmp_path / "elsewhere")
    assert verify_folder(elsewhere).digest == package.digest
    assert load_package(elsewhere, digest=package.digest).digest == package.digest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_flipped_bit_anywhere_in_a_real_package_is_refused_by_name(packages, stage, tmp_path, data):
    runs = tmp_path / "runs"
    package = packages.list()[0] if runs.exists() else packages.build(stage())
    names = sorted(path for path in Path(package.folder).rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(names), label="file")
    content = path.read_bytes()
    bit = data.draw(st.integers(0, len(content) * 8 - 1), label="bit")
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    try:
        with pytest.raises(PackageError, match=re.escape(path.name)):
            packages.load(package)
    finally:
        path.write_bytes(content)


def test_the_schema_speaks_of_all_rows_not_of_the_sample_that_is_kept(packages, stage):
    """A rare missing value, extreme or category among the inputs is known, however many rows there were."""
    frame = make_rows(5000, seed=4).assign(hour=lambda rows: rows["hour"].clip(1, 22))
    frame.loc[7, ["hour", "place"]] = [23, "moon"]
    frame["load"] = frame["load"].fillna(0)
    frame.loc[9, "load"] = np.nan
    loaded = packages.load(packages.build(stage(inputs=frame, reference=labelled(make_rows(100, seed=5)))))
    assert loaded.schema.column("hour").high == 23
    assert loaded.schema.column("place").categories == ("moon", "north", "south", "west")
    assert loaded.schema.column("load").nullable


def labelled(frame):
    return frame.assign(**{"class": targets(frame, "binary")})


def test_how_much_the_model_relies_on_each_column_is_sealed_with_it(packages, stage):
    package = packages.build(stage())
    found = json.loads((Path(package.folder) / "reliance.json").read_text())

    assert set(found) == {"load", "hour", "place", "kind", "holiday"}
    assert sum(value for value in found.values() if value is not None) == pytest.approx(1, abs=0.001)
    assert max(found, key=lambda name: found[name] or 0) == "load"
    assert found["holiday"] == 0  # the pipeline drops it
