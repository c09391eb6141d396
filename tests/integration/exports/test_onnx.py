"""ONNX files are held against their packages by a session of their own, not by the certificate's code."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline as pipeline_of
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from nbprod.domain.schema import Schema
from nbprod.errors import RefusedError
from nbprod.training import make_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def run(path, frame):
    """What a device does: one input a column, whatever type the file says."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(string)": object, "tensor(int64)": np.int64}
    given = {
        one.name: frame[[one.name]].astype(object).to_numpy().astype(kinds[one.type]) for one in session.get_inputs()
    }
    return session.run(None, given)


@pytest.mark.parametrize("data", ["electricity", "gaps"])
@pytest.mark.parametrize("name", ["logreg", "hgb", "forest"])
def test_the_template_s_models_answer_the_same_as_onnx(
    exports, trained, shared_packages, electricity, gaps, tmp_path, name, data
):
    """On rows the certificate has not seen: those the model was trained on."""
    version = trained(name, data)
    path = tmp_path / "model.onnx"

    certificate = exports.onnx(version.ref, path)

    frame = (electricity if data == "electricity" else gaps)[0].head(1200)
    expected = shared_packages.load(version.package).predict(frame)
    labels, probabilities = run(path, frame)
    assert (labels == expected["prediction"].to_numpy()).mean() >= 0.999
    assert np.quantile(np.abs(probabilities[:, 1] - expected["probability"].to_numpy()), 0.999) < 1e-4
    assert certificate.passed
    assert certificate.rows >= 1200
    assert 0 < certificate.ms_a_row < certificate.package_ms_a_row
    made = {"extreme"} | ({"missing", "unseen"} if data == "gaps" else set())
    made |= {"threshold"} if name != "logreg" else set()
    assert made <= certificate.edges.keys()
    assert all(told["rows"] > 0 and not told["refused"] for told in certificate.edges.values())
    assert not any(told["beyond"] + told["flips"] for kind, told in certificate.edges.items() if kind != "threshold")


def test_a_category_never_seen_is_answered_as_the_package_answers_it(
    exports, trained, shared_packages, gaps, tmp_path
):
    """Also where the encoder would put it with the infrequent ones, of which there are none."""
    version = trained("logreg", "gaps")
    exports.onnx(version.ref, tmp_path / "model.onnx")
    rows = gaps[0].head(20).assign(place="nowhere")

    _, probabilities = run(tmp_path / "model.onnx", rows)

    expected = shared_packages.load(version.package).predict(rows)["probability"]
    assert probabilities[:, 1] == pytest.approx(expected.to_numpy(), abs=1e-5)


def test_an_edge_that_is_answered_otherwise_fails_the_certificate(exports, trained, tmp_path):
    """One made row is enough, unless it lies on a threshold, where the rounding to 32 bits decides."""
    found = exports.onnx(trained("logreg", "gaps").ref, tmp_path / "model.onnx")
    wrong = {"rows": 9, "beyond": 1, "flips": 0, "refused": 0}

    assert not replace(found, edges={"unseen": wrong}).passed
    assert replace(found, edges={"threshold": wrong}).passed
    assert "1 of 9 rows unseen differ" in replace(found, edges={"unseen": wrong}).sentence


@pytest.mark.parametrize(
    ("imputer", "told"),
    [
        (SimpleImputer(missing_values=-1), "takes -1 for missing"),
        (SimpleImputer(strategy="most_frequent", add_indicator=True), "marks what was missing"),
    ],
)
def test_an_imputer_without_a_form_is_refused_in_words(exports, register, gaps, tmp_path, imputer, told):
    frame, target = gaps
    columns = ["hour"] if imputer.missing_values == -1 else ["place"]
    steps = [imputer] if columns == ["hour"] else [imputer, OneHotEncoder(handle_unknown="ignore")]
    if columns == ["place"]:
        frame = frame.assign(place=frame["place"].where(frame["load"] < 1.5, None))
    model = pipeline_of(*steps, LogisticRegression()).fit(frame[columns], target)
    version = register("imputer", model, frame[columns], target)

    with pytest.raises(RefusedError, match=told):
        exports.onnx(version, tmp_path / "model.onnx")


def test_the_file_says_what_it_is_and_its_certificate_lies_beside(exports, trained, tmp_path):
    version = trained("logreg", "gaps")
    exports.onnx(version.ref, tmp_path / "model.onnx")

    said = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).get_modelmeta().custom_metadata_map
    written = json.loads((tmp_path / "model.certificate.json").read_text())

    assert said["nbprod.package"] == written["package"] == version.package
    assert said["nbprod.model"] == version.ref
    assert Schema.from_json(said["nbprod.schema"]).names == ("load", "hour", "price", "place", "holiday")
    assert written["passed"] is True
    assert {"skl2onnx", "onnxruntime"} <= written["versions"].keys()


def test_a_regression_gives_its_numbers(exports, register, gaps, shared_packages, tmp_path):
    from sklearn.linear_model import Ridge

    frame, _ = gaps
    target = pd.Series(frame["price"] * 100 + frame["hour"], name="demand")
    version = register("demand", make_pipeline(Ridge(), frame).fit(frame, target), frame, target)

    certificate = exports.onnx(version, tmp_path / "model.onnx")

    (numbers,) = run(tmp_path / "model.onnx", frame.head(50))
    expected = shared_packages.load(version.package).predict(frame.head(50))["prediction"]
    assert numbers.ravel() == pytest.approx(expected.to_numpy(), rel=1e-4)
    assert certificate.label_flips == 0


@pytest.mark.parametrize(
    ("estimator", "told"),
    [(DummyClassifier(), "no form in ONNX"), (KNeighborsClassifier(5), "answers otherwise than its package")],
    ids=["not convertible", "other answers"],
)
def test_what_cannot_be_an_onnx_file_is_refused_and_leaves_none(exports, register, gaps, tmp_path, estimator, told):
    """Neighbours at equal distance are chosen in another order, so their shares differ: the certificate says so."""
    frame, target = gaps
    frame = frame.assign(load=frame["load"].round(), price=frame["price"].round())
    name = type(estimator).__name__.lower()[:20]
    version = register(name, make_pipeline(estimator, frame).fit(frame, target), frame, target)

    with pytest.raises(RefusedError, match=told):
        exports.onnx(version, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_moments_are_refused_by_name(exports, register, gaps, tmp_path):
    frame, target = gaps
    frame = frame.assign(at=pd.date_range("2026-01-01", periods=len(frame), freq="h"))
    version = register("moments", make_pipeline(DummyClassifier(), frame).fit(frame, target), frame, target)

    with pytest.raises(RefusedError, match="takes at"):
        exports.onnx(version, tmp_path / "model.onnx")


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_a_column_that_was_empty_when_it_was_learned_is_left_out_there_too(exports, register, gaps, tmp_path):

    frame, target = gaps
    numbers = frame[["load", "price"]].assign(empty=np.nan)[["empty", "load", "price"]]
    model = pipeline_of(SimpleImputer(add_indicator=True), LogisticRegression()).fit(numbers, target)
    version = register("empty", model, numbers, target)

    assert exports.onnx(version, tmp_path / "model.onnx").label_flips == 0


def test_bins_convert_or_are_refused_but_never_differ(exports, register, gaps, shared_packages, tmp_path):

    frame, target = gaps
    model = pipeline_of(KBinsDiscretizer(4), LogisticRegression()).fit(frame[["hour", "price"]], target)
    version = register("bins", model, frame[["hour", "price"]], target)

    try:
        exports.onnx(version, tmp_path / "model.onnx")
    except RefusedError:
        return
    labels = run(tmp_path / "model.onnx", frame)[0]
    expected = shared_packages.load(version.package).predict(frame[["hour", "price"]])["prediction"]
    assert (labels == expected.to_numpy()).mean() >= 0.999
