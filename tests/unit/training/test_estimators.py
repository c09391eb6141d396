"""Short names and import paths make estimators; everything else is refused with what to do next."""

from __future__ import annotations

import sys

import pytest
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier

from nbprod.errors import SettingsError
from nbprod.training.estimators import make_estimator, read_settings, short_names


def test_short_name_chooses_by_task():
    made = make_estimator("hgb", "classification", seed=7, max_iter=20)

    assert type(made) is HistGradientBoostingClassifier
    assert (made.random_state, made.max_iter, made.categorical_features) == (7, 20, None)


def test_import_path_makes_any_estimator():
    made = make_estimator("sklearn.ensemble.GradientBoostingRegressor", "regression", seed=3, n_estimators=5)

    assert type(made) is GradientBoostingRegressor
    assert (made.random_state, made.n_estimators) == (3, 5)


def test_short_names_exist_for_both_tasks():
    assert {"logreg", "hgb", "forest", "extra_trees", "knn", "sgd"} <= set(short_names("classification"))
    assert {"linear", "ridge", "hgb", "forest", "extra_trees", "knn", "sgd"} <= set(short_names("regression"))


@pytest.mark.parametrize(
    ("name", "task", "settings", "says"),
    [
        ("hbg", "regression", {}, "Did you mean hgb"),
        ("linear", "classification", {}, "does not do classification"),
        ("sklearn.linear_model.Ridge", "classification", {}, "does not do classification"),
        ("sklearn.linear_model.Rigde", "regression", {}, "Did you mean Ridge"),
        ("nowhere.at.All", "regression", {}, "cannot be imported"),
        ("pathlib.Path", "regression", {}, "not an estimator"),
        ("os.system", "regression", {}, "not an estimator"),
        ("hgb", "regression", {"max_itre": 3}, "Did you mean max_iter"),
    ],
)
def test_what_is_no_estimator_is_refused(name, task, settings, says):
    with pytest.raises(SettingsError) as caught:
        make_estimator(name, task, **settings)

    assert says in str(caught.value)


def test_settings_are_read_as_what_they_say():
    read = read_settings(["alpha=0.5", "warm_start=true", "class_weight=balanced", "layers=[3, 4]", "depth=null"])

    assert read == {"alpha": 0.5, "warm_start": True, "class_weight": "balanced", "layers": [3, 4], "depth": None}


@pytest.mark.parametrize("line", ["alpha", "=3", "a b=3", "x=[1"])
def test_what_is_no_setting_is_refused(line):
    with pytest.raises(SettingsError, match=r"not a setting|cannot be read"):
        read_settings([line])


def test_a_missing_booster_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(SettingsError, match="cannot be imported") as caught:
        make_estimator("lightgbm.LGBMClassifier", "classification")
    assert "nbprod[lightgbm]" in caught.value.hint
