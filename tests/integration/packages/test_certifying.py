"""A package proves that its compiled model is its pipeline, and uses it nowhere else."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from nbprod.compiled import open_compiled
from nbprod.compiled.certificate import CERTIFICATE, Certificate
from nbprod.datasets.schema import infer_schema
from nbprod.errors import SchemaError
from nbprod.packages import load_package, verify_folder
from nbprod.packages.certifying import compiled_files
from nbprod.packages.sealing import MANIFEST, seal_folder


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x": rng.normal(size=80), "z": rng.normal(size=80)})
    return frame, pd.Series(np.where(frame["x"] + frame["z"] > 0, "UP", "DOWN"), name="class")


def certificate_of(model, table):
    frame, target = table
    model.fit(frame, target)
    schema = infer_schema(
        frame, target="class", task="classification", classes=list(model.classes_), probabilistic=True, time=None, private=frozenset()
    )  # fmt: skip
    return Certificate.from_json(compiled_files(model, schema, {"golden": frame.head(20)})[CERTIFICATE])


def test_the_certificate_tells_what_was_compared_and_is_on_the_card(shared_packages, built):
    package = built()
    certificate = shared_packages.certificate(package)
    card = (shared_packages.folder(package) / "README.md").read_text()

    assert certificate.passed
    assert certificate.label_flips == 0
    assert certificate.largest_difference <= 1e-12
    assert {"golden", "reference", "missing", "unseen", "extreme", "threshold"} == set(certificate.rows)
    assert min(certificate.rows.values()) > 0
    assert set(certificate.one_row_us) == set(certificate.many_rows_us) == {"compiled", "pipeline"}
    assert certificate.one_row_us["compiled"] < certificate.one_row_us["pipeline"]
    assert "How it is served" in card
    assert "on a split" not in card
    assert certificate.sentence.split(" on ")[0] in card
    assert "compiled model" in shared_packages.load(package)._repr_html_()


def test_a_loaded_package_predicts_by_its_compiled_model_and_keeps_comparing(shared_packages, built):
    loaded = shared_packages.load(built())
    loaded.compiled.parity.share = 0.5
    inputs, expected = loaded.golden()

    made = loaded.predict(inputs)
    pd.testing.assert_frame_equal(made, expected, rtol=1e-12, atol=1e-12)
    counts = loaded.compiled.parity.counts()
    assert (counts["rows"], counts["compared"], counts["differing"]) == (len(inputs), len(inputs) // 2, 0)

    loaded.model = None  # nothing but the compiled model can answer now
    loaded.compiled.parity.share = 0.0
    pd.testing.assert_frame_equal(loaded.predict(inputs), made)


def test_a_few_mappings_are_answered_without_the_pipeline_and_wrong_ones_as_ever(shared_packages, built):
    loaded = shared_packages.load(built())
    row = {"load": 0.5, "hour": 7, "place": "north", "kind": "a", "holiday": True}
    by_pipeline = loaded.predict_by_pipeline(loaded.check([row]).frame)
    loaded.compiled.parity.share = 0.0
    loaded.model = None

    pd.testing.assert_frame_equal(loaded.predict([row]), by_pipeline, rtol=1e-12, atol=1e-12)
    with pytest.raises(SchemaError, match="hour holds text"):
        loaded.predict([{**row, "hour": "7"}])


def test_a_difference_in_use_ends_the_use_of_the_compiled_model(shared_packages, built):
    loaded = shared_packages.load(built("regression"))
    inputs, expected = loaded.golden()
    loaded.compiled.parity.compare({"prediction": 1.0}, {"prediction": 2.0})
    assert not loaded.compiled.usable
    pd.testing.assert_frame_equal(loaded.predict(inputs), expected)
    assert loaded.compiled.parity.rows == 0


def test_the_predictor_opens_from_verified_bytes_alone(shared_packages, built):
    folder = shared_packages.folder(built("three"))
    predictor = open_compiled(verify_folder(folder).read)
    made, problems = predictor.predict_rows(
        [{"load": 0.3, "hour": 3, "place": "west", "kind": "a", "holiday": True}, {"load": 1}]
    )
    assert set(made[0]) == {"prediction", "probability_high", "probability_low", "probability_mid"}
    assert made[1] is None
    assert {(p.row, p.problem) for p in problems} == {(1, "missing")}


def test_a_package_made_before_still_loads(shared_packages, built, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(shared_packages.folder(built()), folder)
    shutil.rmtree(folder / "compiled")
    (folder / MANIFEST).unlink()
    seal_folder(folder)

    loaded = load_package(folder)
    assert loaded.compiled is None
    inputs, expected = loaded.golden()
    pd.testing.assert_frame_equal(loaded.predict(inputs), expected)
    assert "before models were compiled" in loaded._repr_html_()


def test_a_compiled_model_of_a_later_release_leaves_the_pipeline_serving(shared_packages, built, tmp_path):
    folder = tmp_path / "later"
    shutil.copytree(shared_packages.folder(built()), folder)
    plan = json.loads((folder / "compiled/plan.json").read_bytes())
    (folder / "compiled/plan.json").write_text(json.dumps({**plan, "format": 99}))
    (folder / MANIFEST).unlink()
    seal_folder(folder)
    with pytest.warns(UserWarning, match="format 99"):
        assert load_package(folder).compiled is None


def test_what_has_no_compiled_form_says_so(table):
    certificate = certificate_of(make_pipeline(KNeighborsClassifier()), table)
    assert not certificate.compiled
    assert "keeps the training rows" in certificate.sentence
    assert "kneighborsclassifier" in certificate.sentence


class Moody(LogisticRegression):
    """Answers otherwise than its coefficients say."""

    def predict_proba(self, X):  # noqa: N803 — scikit-learn's interface
        return super().predict_proba(X) * 0.5 + 0.25


Moody.__module__ = "sklearn.linear_model"
Moody.__name__ = Moody.__qualname__ = "LogisticRegression"


def test_a_model_that_answers_otherwise_than_its_parts_fails_the_comparison(table):
    """The certificate is made of answers, not of names."""
    certificate = certificate_of(make_pipeline(Moody()), table)
    assert certificate.compiled
    assert not certificate.passed
    assert "differs by up to" in certificate.sentence
    assert certificate.largest_difference > 0.01


def test_rows_that_both_refuse_agree(table):
    """The root of a number below zero is none, and a logistic regression refuses it, compiled or not."""
    frame, target = table
    model = make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression())
    certificate = certificate_of(model, (frame.abs(), target))
    assert certificate.passed
    assert certificate.refused_alike > 0


def test_large_trees_keep_the_pipeline_where_it_is_faster(table):
    from nbprod.packages.certifying import _timed

    certificate = certificate_of(RandomForestClassifier(3, random_state=0), table)
    slow = _timed(certificate, {"compiled": 100.0, "pipeline": 5000.0}, {"compiled": 50.0, "pipeline": 10.0})
    assert slow.fast_up_to == 123
    assert slow.uses_compiled(123)
    assert not slow.uses_compiled(124)
    assert _timed(
        certificate, {"compiled": 100.0, "pipeline": 5000.0}, {"compiled": 5.0, "pipeline": 10.0}
    ).uses_compiled(10**9)
