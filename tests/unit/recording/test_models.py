import copy
import json

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from nbprod import formats
from nbprod.domain.record import RECORD_TYPE
from nbprod.errors import DataError, PackageError, SettingsError, UntrustedTypesError
from nbprod.recording import save_model

ROWS = 3000
INPUTS = pd.DataFrame({"a": np.linspace(-1, 1, ROWS), "b": np.arange(ROWS) % 7}, index=range(5, ROWS + 5))
CLASS = pd.Series(np.where(INPUTS["a"] > 0, "UP", "DOWN"), name="class", index=INPUTS.index)
MODEL = LogisticRegression().fit(INPUTS, CLASS)


@pytest.fixture
def read(run_folder):
    folder = run_folder / "files" / "model"
    return lambda name: (
        json.loads((folder / name).read_text()) if name.endswith("json") else pd.read_parquet(folder / name)
    )


def test_a_model_is_kept_with_the_rows_a_package_needs(run_folder, read, outputs):
    save_model(MODEL, inputs=INPUTS, target=CLASS)
    folder = run_folder / "files" / "model"
    assert sorted(path.name for path in folder.iterdir()) == [
        "inputs.parquet",
        "model.json",
        "model.skops",
        "reference.parquet",
        "target.parquet",
    ]
    inputs, target, reference = (read(f"{name}.parquet") for name in ("inputs", "target", "reference"))
    assert (len(inputs), len(target), len(reference)) == (2000, 2000, ROWS)
    assert (inputs["a"].iloc[0], inputs["a"].iloc[-1]) == (-1, 1), "the sample spans the rows"
    assert list(reference.columns) == ["a", "b", "class", "prediction", "probability"]
    assert (reference["prediction"] == MODEL.predict(INPUTS)).all()
    assert (reference["probability"] == MODEL.predict_proba(INPUTS)[:, 1]).all()
    info = read("model.json")
    assert (info["task"], info["target"], info["classes"], info["time"]) == (
        "classification",
        "class",
        ["DOWN", "UP"],
        None,
    )
    assert info["features"] == [{"name": "a", "dtype": "float64"}, {"name": "b", "dtype": "int64"}]
    assert info["estimator"] == "sklearn.linear_model._logistic.LogisticRegression"
    loaded = formats.get("skops").read(folder)
    assert (loaded.predict_proba(INPUTS) == MODEL.predict_proba(INPUTS)).all()


def test_the_record_says_what_was_saved(run_folder, read, read_back, outputs):
    save_model(MODEL, inputs=INPUTS, target=CLASS, metrics={"accuracy": 0.9})
    records = read_back(run_folder)
    assert records.models == {"model": read("model.json")}
    assert records.metrics == {"accuracy": 0.9}
    assert "Model model" in outputs[0]["data"]["text/plain"]


def test_saving_again_replaces_the_model_whole(run_folder, read, outputs):
    save_model(MODEL, inputs=INPUTS, target=CLASS)
    save_model(LinearRegression().fit(INPUTS, INPUTS["b"]), inputs=INPUTS, target=INPUTS["b"].rename("load"))
    assert (read("model.json")["task"], read("model.json")["target"]) == ("regression", "load")
    assert list(read("reference.parquet").columns) == ["a", "b", "load", "prediction"]
    assert [path.name for path in (run_folder / "files").iterdir()] == ["model"]


def test_a_model_of_several_classes_has_a_probability_for_each(run_folder, read, outputs):
    model = DecisionTreeClassifier(max_depth=3).fit(INPUTS, INPUTS["b"])
    save_model(model, inputs=INPUTS, target=INPUTS["b"].rename("day"))
    assert list(read("reference.parquet").columns)[3:] == ["prediction", *(f"probability_{day}" for day in range(7))]
    assert read("model.json")["classes"] == list(range(7))


def test_moments_are_kept_beside_the_inputs(run_folder, read, outputs):
    at = pd.Series(pd.date_range("2026", periods=ROWS, freq="h", tz="UTC"), name="at")
    save_model(MODEL, inputs=INPUTS, target=CLASS, time=at)
    assert read("model.json")["time"] == "at"
    assert (read("reference.parquet")["at"] == at).all()
    save_model(MODEL, inputs=INPUTS, target=CLASS, time="b")
    assert read("model.json")["time"] == "b"


def test_other_rows_may_be_the_reference(run_folder, read, outputs):
    other = INPUTS.assign(**{"class": CLASS, "at": 1, "extra": 2}).iloc[:10]
    save_model(MODEL, inputs=INPUTS, target=CLASS, reference=other, time="at")
    reference = read("reference.parquet")
    assert list(reference.columns) == ["a", "b", "at", "class", "prediction", "probability"]
    assert len(reference) == 10
    assert len(read("inputs.parquet")) == 2000


def test_known_predictions_are_not_asked_for_again(run_folder, read, outputs):
    known = pd.DataFrame({"prediction": CLASS, "probability": 0.5})
    save_model(MODEL, inputs=INPUTS, target=CLASS, predictions=known)
    assert (read("reference.parquet")["probability"] == 0.5).all()


def test_arrays_get_names_and_the_model_still_gets_arrays(run_folder, read, outputs):
    model = LogisticRegression().fit(INPUTS.to_numpy(), CLASS.to_numpy())
    save_model(model, inputs=INPUTS.to_numpy(), target=list(CLASS))
    assert list(read("reference.parquet").columns) == ["x0", "x1", "target", "prediction", "probability"]


def test_private_values_reach_no_file(run_folder, read, outputs):
    """A private input keeps its place and its type, so that the model can be asked; its values are gone."""
    inputs = INPUTS.assign(customer=np.arange(ROWS) + 10_000)
    model = DecisionTreeClassifier(max_depth=3).fit(inputs, CLASS)
    save_model(model, inputs=inputs, target=CLASS, time=pd.Series(inputs["customer"], name="customer"))
    for name in ("inputs.parquet", "reference.parquet"):
        assert (read(name)["customer"] == 0).all()
        assert read(name)["customer"].dtype == inputs["customer"].dtype
    assert read("model.json")["private"] == ["customer"]
    assert (read("reference.parquet")["prediction"] == model.predict(inputs)).all(), (
        "the predictions are the true ones"
    )
    assert "10042" not in json.dumps([output["data"][RECORD_TYPE] for output in outputs])
    with pytest.raises(DataError, match="The target 'customer' is named private"):
        save_model(model, inputs=INPUTS, target=inputs["customer"])


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(["x", "y"]),
        [True, False],
        ["x", "y"],
        pd.date_range("2026", periods=2, tz="Europe/Paris"),
        [1.5, 2.5],
        pd.array([1, None], dtype="Int64"),
    ],
)
def test_a_private_value_of_any_type_is_blanked(column):
    from nbprod.recording.rows import mask_private

    frame = pd.DataFrame({"customer": column, "x": [1, 2]})
    hidden = mask_private(frame, frozenset({"customer", "other"}))
    assert len(set(hidden["customer"])) == 1
    assert set(hidden["customer"]) & set(frame["customer"]) <= {False}
    assert_frame_equal(hidden[["x"]], frame[["x"]])


def test_by_hand_nothing_is_written_and_everything_checked(tmp_path, monkeypatch, by_hand, outputs):
    monkeypatch.chdir(tmp_path)
    save_model(MODEL, inputs=INPUTS, target=CLASS)
    assert "not kept: this notebook is run by hand" in outputs[0]["data"]["text/plain"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="inputs has 3,000 rows and target has 3"):
        save_model(MODEL, inputs=INPUTS, target=[1, 2, 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": INPUTS.iloc[:0], "target": []}, "inputs is empty"),
        ({"inputs": INPUTS["a"]}, "inputs has 1 dimensions"),
        ({"inputs": INPUTS.rename(columns={"a": 1})}, "must have names of text; these do not: 1"),
        ({"inputs": INPUTS.rename(columns={"a": "b"})}, "columns more than once: b"),
        ({"inputs": INPUTS.rename(columns={"a": "class"})}, "inputs holds the target 'class'"),
        ({"inputs": INPUTS.rename(columns={"a": "prediction"})}, "which predictions use"),
        ({"inputs": INPUTS[["b"]]}, "The model cannot predict these inputs: ValueError"),
        ({"model": LogisticRegression()}, "The model cannot predict these inputs: NotFittedError"),
        ({"model": object()}, "A object has no predict"),
        ({"task": "ranking"}, "'ranking' is no task"),
        ({"time": "att"}, "There is no column 'att' to order rows by"),
        ({"time": [1]}, "3,000 rows and 1 moments"),
        ({"predictions": [1]}, r"3,000 rows and prediction has the shape \(1,\)"),
        ({"predictions": pd.DataFrame({"p": [1]})}, "predictions has no column 'prediction'"),
        ({"reference": INPUTS}, "reference has no column 'class'"),
        (
            {
                "inputs": INPUTS.assign(m=[1, "a"] * 1500),
                "predictions": CLASS,
                "model": LinearRegression().fit(INPUTS, INPUTS["b"]),
            },
            "Column m holds mixed-integer values",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_and_nothing_is_left(run_folder, outputs, change, message):
    with pytest.raises(DataError, match=message):
        save_model(**{"model": MODEL, "inputs": INPUTS, "target": CLASS, **change})
    assert outputs == []
    assert not (run_folder / "files" / "model").exists()
    assert list((run_folder / "files").glob(".*")) == []


def test_a_failed_save_leaves_the_earlier_model(run_folder, read, outputs):
    save_model(MODEL, inputs=INPUTS, target=CLASS)

    unwritable = make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()).fit(INPUTS, CLASS)
    with pytest.raises(PackageError):
        save_model(unwritable, inputs=INPUTS, target=CLASS)
    assert read("model.json")["estimator"].endswith("LogisticRegression")
    assert len(read("reference.parquet")) == ROWS
    assert [path.name for path in (run_folder / "files").iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["../x", "A b", ""])
def test_a_name_becomes_a_folder_and_is_checked(run_folder, name):
    with pytest.raises(SettingsError, match="cannot be a name of a model"):
        save_model(MODEL, inputs=INPUTS, target=CLASS, name=name)


@pytest.mark.parametrize(
    "target", [INPUTS[["a", "b"]], INPUTS[["a", "b"]].to_numpy(), INPUTS[["a", "b"]].to_numpy().tolist()]
)
def test_more_than_one_target_is_refused_in_words(run_folder, outputs, target):
    model = LinearRegression().fit(INPUTS, INPUTS[["a", "b"]])
    with pytest.raises(DataError, match=r"target has 2 columns.*predicts one") as caught:
        save_model(model, inputs=INPUTS, target=target)
    assert "a model for each column" in caught.value.hint
    with pytest.raises(DataError, match="predicts 2 targets at once"):
        save_model(model, inputs=INPUTS, target=INPUTS["a"].rename("load"))


def test_a_target_of_one_column_may_have_two_dimensions(run_folder, read, outputs):
    save_model(MODEL, inputs=INPUTS, target=CLASS.to_numpy().reshape(-1, 1))
    assert (read("target.parquet")["target"] == CLASS.iloc[0]).any()


def test_what_no_reader_trusts_is_refused_by_hand_too(by_hand, outputs):
    """Before anything is kept anywhere: the check is that of building a package."""
    model = make_pipeline(FunctionTransformer(copy.copy), LogisticRegression()).fit(INPUTS, CLASS)
    with pytest.raises(UntrustedTypesError, match=r"copy\.copy"):
        save_model(model, inputs=INPUTS, target=CLASS)
    assert outputs == []


def test_a_model_that_answers_at_random_is_refused(run_folder, outputs):
    model = DummyClassifier(strategy="uniform").fit(INPUTS, CLASS)
    with pytest.raises(PackageError, match="other answers"):
        save_model(model, inputs=INPUTS, target=CLASS)
    assert not (run_folder / "files" / "model").exists()
