"""XGBoost, LightGBM and CatBoost in packages: saved, built, blessed, loaded by MLflow, compared."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from nbprod import formats
from nbprod.errors import EnvironmentProblem
from nbprod.packages import load_package
from tests.integration.packages.test_fresh_process import by_mlflow
from tests.unit.packages.conftest import make_rows, targets

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, about each other's newest versions

ROWS = make_rows(300)
HELD_OUT = make_rows(200, seed=11)
LABELS = targets(ROWS, "binary")
WITH_CATEGORIES = ["load", "hour", "kind"]


class Of:
    """Makes small estimators of one library."""

    @staticmethod
    def xgboost(**more):
        return xgboost.XGBClassifier(n_estimators=4, max_depth=3, enable_categorical=True, **more)

    @staticmethod
    def lightgbm(**more):
        return lightgbm.LGBMClassifier(n_estimators=4, min_child_samples=5, verbose=-1, **more)

    @staticmethod
    def catboost(**more):
        return catboost.CatBoostClassifier(iterations=4, verbose=0, allow_writing_files=False, **more)


def answer(labels, library):
    """XGBoost takes classes as numbers from 0."""
    return (labels == "UP").astype(int) if library == "xgboost" else labels


def prepared():
    return ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), ["place", "kind"])], remainder="passthrough"
    )


LIBRARIES = {"xgboost": "ubj", "lightgbm": "txt", "catboost": "cbm"}
NESTED = {
    "pipeline": lambda one: make_pipeline(prepared(), one),
    "voting": lambda one: VotingClassifier([("a", make_pipeline(prepared(), one))], voting="soft"),
    "stacking": lambda one: StackingClassifier([("a", make_pipeline(prepared(), one))], LogisticRegression(), cv=2),
    "calibrated": lambda one: CalibratedClassifierCV(make_pipeline(prepared(), one), cv=2),
    "one against the rest": lambda one: make_pipeline(prepared(), OneVsRestClassifier(one)),
}


def written(model, folder):
    """What saving writes, and what another process reads."""
    chosen = formats.get(formats.format_of(model))
    chosen.write(model, folder)
    return formats.read_written(chosen.name, folder)[1]


def assert_equal_answers(model, again, rows):
    np.testing.assert_array_equal(model.predict_proba(rows), again.predict_proba(rows))


def assert_equal(model, again, rows):
    """To the last bit, and with everything scikit-learn asks a fitted estimator for."""
    for method in ("predict", "predict_proba"):
        if hasattr(model, method):
            before, after = getattr(model, method)(rows), getattr(again, method)(rows)
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype
    for name in ("classes_", "n_features_in_", "feature_names_in_", "feature_importances_", "best_iteration_"):
        known = getattr(model, name, None)
        if known is not None:
            np.testing.assert_array_equal(known, getattr(again, name), err_msg=name)
    assert repr(again.get_params()) == repr(model.get_params())


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_estimator_alone_is_a_format_of_its_own(library, tmp_path):
    """With pandas categories, in the library's own dump, and nothing to execute beside it."""
    more = {"cat_features": ["kind"]} if library == "catboost" else {}
    model = getattr(Of, library)(**more).fit(ROWS[WITH_CATEGORIES], answer(LABELS, library))
    again = written(model, tmp_path)

    assert formats.format_of(model) == library
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.skops", f"trees-0.{LIBRARIES[library]}"]
    assert_equal(model, again, HELD_OUT[WITH_CATEGORIES])


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("library", LIBRARIES)
def test_an_estimator_inside_another_comes_back_equal(library, nested, tmp_path):
    model = NESTED[nested](getattr(Of, library)()).fit(ROWS, answer(LABELS, library))
    assert formats.format_of(model) == "skops"
    assert_equal(model, written(model, tmp_path), HELD_OUT)


def test_several_libraries_in_one_model(tmp_path):
    parts = [(library, make_pipeline(prepared(), getattr(Of, library)())) for library in LIBRARIES]
    model = VotingClassifier(parts, voting="soft").fit(ROWS, LABELS)
    assert_equal(model, written(model, tmp_path), HELD_OUT)
    assert {path.suffix for path in tmp_path.iterdir()} == {".skops", ".ubj", ".txt", ".cbm"}


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_the_best_of_a_search_comes_back(library, tmp_path):
    model = GridSearchCV(getattr(Of, library)(), {"max_depth": [2, 3]}, cv=2, scoring="roc_auc")
    model.fit(ROWS[WITH_CATEGORIES], answer(LABELS, library))
    assert_equal(model, written(model, tmp_path), HELD_OUT[WITH_CATEGORIES])


@pytest.mark.parametrize("library", LIBRARIES)
def test_training_that_stopped_early_predicts_by_its_best_iteration(library, tmp_path):
    rows, truth = ROWS[["load", "hour"]], answer(LABELS, library)
    given = {"eval_set": [(rows.iloc[:80], truth.iloc[:80])]}
    stops = {
        "xgboost": lambda: xgboost.XGBClassifier(n_estimators=200, learning_rate=1.0, early_stopping_rounds=2),
        "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=200, learning_rate=1.0, verbose=-1),
        "catboost": lambda: catboost.CatBoostClassifier(
            iterations=200, learning_rate=1.0, early_stopping_rounds=2, verbose=0, allow_writing_files=False
        ),
    }
    if library == "lightgbm":
        given["callbacks"] = [lightgbm.early_stopping(2, verbose=False)]
    extra = {"verbose": False} if library == "xgboost" else {}
    model = stops[library]().fit(rows.iloc[80:], truth.iloc[80:], **given, **extra)
    again = written(model, tmp_path)
    assert_equal(model, again, HELD_OUT[["load", "hour"]])
    if library == "xgboost":
        called_back = xgboost.XGBClassifier(n_estimators=9, callbacks=[xgboost.callback.EarlyStopping(rounds=2)])
        called_back.fit(rows, truth, **given, **extra)
        (tmp_path / "called-back").mkdir()
        assert_equal_answers(called_back, written(called_back, tmp_path / "called-back"), rows)
        assert again.best_iteration == model.best_iteration < 199


REGRESSIONS = {
    "xgboost": lambda: xgboost.XGBRegressor(n_estimators=4, booster="dart", rate_drop=0.2),
    "xgboost random forest": lambda: xgboost.XGBRFRegressor(n_estimators=4),
    "xgboost linear": lambda: xgboost.XGBRegressor(n_estimators=4, booster="gblinear"),
    "lightgbm": lambda: lightgbm.LGBMRegressor(n_estimators=4, objective="quantile", alpha=0.9, verbose=-1),
    "catboost": lambda: catboost.CatBoostRegressor(
        iterations=4, loss_function="Quantile:alpha=0.9", verbose=0, allow_writing_files=False
    ),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regressions_come_back_equal(name, tmp_path):
    numbers = ROWS[["load", "hour"]].fillna(0)
    demand = targets(ROWS, "regression")
    alone = REGRESSIONS[name]().fit(numbers, demand)
    (tmp_path / "alone").mkdir()
    assert_equal(alone, written(alone, tmp_path / "alone"), numbers)
    model = TransformedTargetRegressor(REGRESSIONS[name](), func=np.arcsinh, inverse_func=np.sinh).fit(
        numbers, demand
    )
    assert_equal(model, written(model, tmp_path), numbers)


def test_several_classes_of_words_keep_their_order(tmp_path):
    words = targets(ROWS, "three")
    for library in ("lightgbm", "catboost"):
        model = getattr(Of, library)().fit(ROWS[["load", "hour"]], words)
        (tmp_path / library).mkdir()
        again = written(model, tmp_path / library)
        assert list(again.classes_) == ["high", "low", "mid"]
        assert_equal(model, again, HELD_OUT[["load", "hour"]])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_package_of_a_booster_is_like_any_other(library, packages, stage, tmp_path):
    """Built, blessed in a fresh process, read by MLflow without nbprod, and compared; pinned to what reads it."""
    model = make_pipeline(
        ColumnTransformer([("words", OrdinalEncoder(), ["place", "kind"])], remainder="passthrough"),
        getattr(Of, library)(),
    )
    truth = answer(LABELS, library)
    model.fit(ROWS, truth)
    package = packages.build(stage(model=model, target=answer(targets(HELD_OUT, "binary"), library)))
    alone = getattr(Of, library)().fit(ROWS[["load", "hour"]], truth)
    other = packages.build(
        stage(
            model=alone, number=1, inputs=HELD_OUT[["load", "hour"]],
            target=answer(targets(HELD_OUT, "binary"), library),
        )
    )  # fmt: skip

    assert (package.format, other.format) == ("skops", library)
    assert packages.bless(package).largest_difference == 0
    assert packages.bless(other).largest_difference == 0
    loaded = packages.load(package)
    shares = model.predict_proba(HELD_OUT)[:, 1]
    by_pipeline = loaded.predict_by_pipeline(loaded.check(HELD_OUT).frame)
    np.testing.assert_array_equal(by_pipeline["probability"], shares)
    np.testing.assert_allclose(loaded.predict(HELD_OUT)["probability"], shares, atol=1e-6)  # compiled, or not
    assert (loaded.compiled is None) == (library == "catboost")
    assert any(library in line for line in loaded.sealed.read("requirements.txt").decode().splitlines())
    assert packages.compare(package, other).facts["model"][0].startswith("Pipeline")

    rows = HELD_OUT.astype({"kind": "str"})
    rows.to_parquet(tmp_path / "rows.parquet", index=False)
    made = by_mlflow(tmp_path / "rows.parquet", package.folder)
    pd.testing.assert_frame_equal(pd.DataFrame(made[0]), loaded.predict(HELD_OUT), check_dtype=False)
    packages.verify(package)
    assert not list(Path(package.folder).rglob("*.pyc"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_reader_without_the_library_is_told_the_extra(library, tmp_path, monkeypatch):
    model = getattr(Of, library)().fit(ROWS[["load", "hour"]], answer(LABELS, library))
    formats.get(library).write(model, tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == library else find(name, *a))
    with pytest.raises(EnvironmentProblem, match=f"needs {library}, which is not installed") as caught:
        formats.read_written(library, tmp_path)
    assert f"nbprod[{library}]" in caught.value.hint


def test_loading_a_package_of_trees_imports_no_other_library(packages, stage):
    """One of LightGBM needs neither of the other two."""
    model = Of.lightgbm().fit(ROWS[["load", "hour"]], LABELS)
    package = packages.build(
        stage(model=model, inputs=HELD_OUT[["load", "hour"]], target=targets(HELD_OUT, "binary"))
    )
    code = (
        "import json, sys; from nbprod.packages import load_package; "
        f"load_package({package.folder!r}); print(json.dumps([n for n in ('xgboost', 'catboost') if n in sys.modules]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout.splitlines()[-1]) == []
    assert load_package(package.folder).metadata["format"] == "lightgbm"
