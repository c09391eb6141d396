"""A model stands beside a baseline and a simple one, and learning on is compared with learning anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import SchemaError, SettingsError
from nbprod.statistics.metrics import metric
from nbprod.training import (
    compare_models,
    continue_training,
    learning_curve,
    make_estimator,
    make_pipeline,
    prepare,
    split_rows,
    train_with_baselines,
)


def rows(count=300, seed=0, classes=(0, 1)):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": random.normal(size=count), "b": random.normal(size=count)})
    frame["y"] = np.asarray(classes)[(frame["a"] + 0.3 * random.normal(size=count) > 0).astype(int)]
    return prepare(frame, target="y", task="classification")


def test_every_model_is_scored_beside_the_baseline():
    split = split_rows(rows(), "random")
    models = train_with_baselines(make_estimator("tree", "classification", seed=0), split, name="tree")

    table = compare_models(models, split, metric("accuracy"), folds=3, resamples=100)

    assert list(table.index) == ["baseline", "simple", "tree"]
    assert table.loc["simple", "gain_low"] > 0
    assert (table["accuracy_low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["accuracy_high"]).all()
    assert table["accuracy_cv"].notna().all()


def test_learning_curve_of_a_time_split_keeps_the_latest_rows():
    split = split_rows(rows(200), "time", test_size=0.25)
    pipeline = make_pipeline(make_estimator("tree", "classification", seed=0), split.train.features)

    curve = learning_curve(pipeline, split, metric("accuracy"), shares=(0.2, 1.0))

    assert curve["rows"].tolist() == [30, 150]
    assert curve["held_back"].between(0.5, 1).all()


@pytest.mark.parametrize("name", ["hgb", "sgd", "logreg", "forest"])
def test_learning_on_changes_a_copy_and_keeps_the_preprocessing(name):
    old, new = rows(200, seed=1), rows(100, seed=2)
    earlier = make_pipeline(make_estimator(name, "classification", seed=0), old.features).fit(
        old.features, old.target
    )
    before = earlier.predict(new.features)

    later = continue_training(earlier, new)

    assert (earlier.predict(new.features) == before).all()
    assert later.score(new.features, new.target) > 0.85
    assert later[-1].get_params().get("warm_start", False) is False


def test_trees_are_added_when_an_ensemble_learns_on():
    old = rows(200)
    earlier = make_pipeline(make_estimator("forest", "classification", seed=0, n_estimators=10), old.features)
    later = continue_training(earlier.fit(old.features, old.target), rows(100, seed=2))

    assert len(later[-1].estimators_) == 15


def test_what_cannot_learn_on_says_so():
    old = rows(100)
    earlier = make_pipeline(make_estimator("knn", "classification"), old.features).fit(old.features, old.target)

    with pytest.raises(SettingsError, match="KNeighborsClassifier cannot learn on"):
        continue_training(earlier, old)


def test_a_class_the_earlier_model_does_not_know_is_refused():
    old = rows(100)
    earlier = make_pipeline(make_estimator("sgd", "classification"), old.features).fit(old.features, old.target)

    with pytest.raises(SchemaError, match="does not know the class 7"):
        continue_training(earlier, rows(100, classes=(0, 7)))
