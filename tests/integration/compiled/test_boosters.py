"""XGBoost and LightGBM are compiled from their own dumps; XGBoost adds up 32 bits, so it agrees to about seven digits."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from nbprod.compiled.compiling import NotCompiledError
from tests.integration.compiled.test_compiling import usual
from tests.unit.compiled.conftest import hold, make_target, predictor_of, schema_of

pytestmark = pytest.mark.filterwarnings("ignore")
GAPPY = {"numbers": "passthrough"}


@pytest.mark.parametrize("task", ["binary", "three", "regression"])
def test_xgboost(frame, task):
    xgboost = pytest.importorskip("xgboost")
    settings = {"n_estimators": 8, "max_depth": 4, "n_jobs": 1}
    model = xgboost.XGBRegressor(**settings) if task == "regression" else xgboost.XGBClassifier(**settings)
    predictor = hold(make_pipeline(usual(**GAPPY), model), frame, task, tolerance=1e-6, codes=task != "regression")
    assert predictor.model.plan.is_single


@pytest.mark.parametrize("objective", ["count:poisson", "reg:gamma", "reg:tweedie", "reg:absoluteerror"])
def test_objectives_of_xgboost(frame, objective):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=5, objective=objective, n_jobs=1)
    hold(make_pipeline(usual(**GAPPY), model), frame, "regression", tolerance=1e-6)


@pytest.mark.parametrize("task", ["binary", "three", "regression"])
def test_lightgbm(frame, task):
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"n_estimators": 8, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
    model = lightgbm.LGBMRegressor(**settings) if task == "regression" else lightgbm.LGBMClassifier(**settings)
    hold(make_pipeline(usual(**GAPPY), model), frame, task)
    hold(make_pipeline(usual(), model), frame, task)  # that has seen no missing value


@pytest.mark.parametrize(
    "options", [{"objective": "poisson"}, {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}]
)
def test_objectives_of_lightgbm(frame, options):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=5, n_jobs=1, verbose=-1, **options)
    hold(make_pipeline(usual(**GAPPY), model), frame, "regression")


def test_what_has_no_compiled_form_is_named(frame):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=3, zero_as_missing=True, min_child_samples=5, n_jobs=1, verbose=-1)
    with pytest.raises(NotCompiledError, match="zeros as missing"):
        hold(make_pipeline(usual(**GAPPY), model), frame, "regression")


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_training_that_stopped_early_predicts_by_its_best_iteration(frame, library):
    boosters = pytest.importorskip(library)
    rows = frame[["load", "price", "size"]]
    target = make_target(frame, "regression")
    held_out = [(rows.head(60), target.head(60))]
    if library == "xgboost":
        model = boosters.XGBRegressor(n_estimators=200, learning_rate=1.0, early_stopping_rounds=2, n_jobs=1)
        model.fit(rows, target, eval_set=[(rows.head(60), 5 - target.head(60))], verbose=False)
    else:
        model = boosters.LGBMRegressor(n_estimators=200, learning_rate=1.0, verbose=-1, n_jobs=1)
        stop = boosters.early_stopping(2, verbose=False)
        model.fit(rows, target, eval_set=held_out, eval_metric=_worse, callbacks=[stop])
    predictor = predictor_of(model, schema_of(model, rows, target, "regression"))
    used = len(predictor.model.plan.steps[-1].params["roots"])
    assert used < 200
    np.testing.assert_allclose(predictor.predict_columns(rows)["prediction"], model.predict(rows), rtol=1e-5)


def _worse(truth, predicted):
    """A score that soon stops getting better."""
    return "distance", float(np.abs(5 - truth - predicted).mean()), False
