"""Every kind of part has a compiled form that gives what the pipeline gives, or a reason why it has none."""

import warnings

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from nbprod.compiled.compiling import NotCompiledError, compile_model
from nbprod.errors import SchemaError
from nbprod.training import make_estimator
from nbprod.training.preprocessing import make_pipeline as make_training_pipeline
from tests.unit.compiled.conftest import NUMBERS, hold, make_target, predictor_of, records, schema_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of convergence and of values never seen, which are the point

FILLED = SimpleImputer()


def usual(numbers=None, categories=None, more=()):
    numbers = numbers or make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    categories = categories or OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer(
        [("n", numbers, NUMBERS), ("c", categories, ["place", "side"]), *more], sparse_threshold=0
    )


def logistic():
    return LogisticRegression(max_iter=200)


PREPARATIONS = {
    "median, marked": {"numbers": SimpleImputer(strategy="median", add_indicator=True)},
    "constant, clipped": {
        "numbers": make_pipeline(SimpleImputer(strategy="constant", fill_value=-1), MinMaxScaler(clip=True))
    },
    "most frequent": {
        "numbers": make_pipeline(SimpleImputer(strategy="most_frequent", keep_empty_features=True), RobustScaler())
    },
    "rows of length one": {"numbers": make_pipeline(FILLED, MaxAbsScaler(), Normalizer())},
    "l1": {"numbers": make_pipeline(FILLED, Normalizer("l1"))},
    "power": {"numbers": make_pipeline(FILLED, PowerTransformer())},
    "quantiles": {"numbers": make_pipeline(FILLED, QuantileTransformer(n_quantiles=20))},
    "bins": {"numbers": make_pipeline(FILLED, KBinsDiscretizer(4, strategy="uniform"))},
    "bins as numbers": {"numbers": make_pipeline(FILLED, KBinsDiscretizer(3, encode="ordinal", strategy="uniform"))},
    "products": {"numbers": make_pipeline(FILLED, StandardScaler(), PolynomialFeatures(2))},
    "union": {
        "numbers": make_pipeline(
            FILLED,
            FeatureUnion([("s", StandardScaler()), ("m", MinMaxScaler())], transformer_weights={"m": 2.0}),
        )
    },
    "selected": {"numbers": make_pipeline(FILLED, StandardScaler(), SelectKBest(k=2))},
    "components": {"numbers": make_pipeline(FILLED, StandardScaler(), PCA(2, whiten=True))},
    "above": {"numbers": make_pipeline(FILLED, Binarizer(threshold=0.3))},
    "marks beside": {"numbers": FeatureUnion([("i", SimpleImputer()), ("m", MissingIndicator(features="all"))])},
    "drop first": {"categories": OneHotEncoder(drop="first", handle_unknown="ignore")},
    "drop if binary, rare": {
        "categories": OneHotEncoder(drop="if_binary", handle_unknown="infrequent_if_exist", min_frequency=30)
    },
    "most categories": {"categories": OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2)},
    "drop with rare": {
        "categories": OneHotEncoder(drop="first", handle_unknown="infrequent_if_exist", max_categories=2)
    },
    "ordinal": {
        "categories": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    },
    "ordinal, rare": {
        "categories": OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, min_frequency=30
        )
    },
    "mean of the target": {"categories": TargetEncoder(random_state=0)},
    "filled text": {
        "categories": make_pipeline(
            SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")
        )
    },
    "numbers as categories": {"more": [("k", OneHotEncoder(handle_unknown="ignore"), ["hour", "holiday"])]},
    "as they are": {"more": [("k", "passthrough", ["hour", "holiday"]), ("d", "drop", ["at"])]},
    "functions": {
        "more": [("k", FunctionTransformer(np.log1p), ["size"]), ("s", FunctionTransformer(np.sqrt), ["size"])]
    },
}


@pytest.mark.parametrize("name", PREPARATIONS)
def test_preparation_is_the_same_for_one_row_and_for_many(frame, name):
    hold(make_pipeline(usual(**PREPARATIONS[name]), logistic()), frame, "binary")


CLASSIFIERS = {
    "logistic": logistic(),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "huber": SGDClassifier(loss="modified_huber", random_state=0),
    "ridge": RidgeClassifier(),
    "svc": LinearSVC(),
    "lda": LinearDiscriminantAnalysis(),
    "bayes": GaussianNB(),
    "neurons": MLPClassifier((6, 4), max_iter=10, activation="tanh", random_state=0),
    "dummy": DummyClassifier(),
    "tree": DecisionTreeClassifier(max_depth=5),
    "forest": RandomForestClassifier(6, random_state=0),
    "small forest": RandomForestClassifier(6, max_depth=4, random_state=0),
    "extra": ExtraTreesClassifier(5, random_state=0),
    "gradient": GradientBoostingClassifier(n_estimators=6),
    "exponential": GradientBoostingClassifier(n_estimators=4, loss="exponential"),
    "hist": HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    "ada": AdaBoostClassifier(n_estimators=4),
    "bagging": BaggingClassifier(logistic(), 3, max_features=0.5, random_state=0),
    "sigmoid": CalibratedClassifierCV(LinearSVC(), cv=2),
    "isotonic": CalibratedClassifierCV(GaussianNB(), method="isotonic", ensemble=False, cv=2),
    "soft votes": VotingClassifier([("l", logistic()), ("t", DecisionTreeClassifier(max_depth=3))], voting="soft", weights=[2, 1]),
    "hard votes": VotingClassifier([("l", logistic()), ("t", DecisionTreeClassifier(max_depth=3)), ("n", GaussianNB())]),
    "stack": StackingClassifier([("l", LinearSVC()), ("t", DecisionTreeClassifier(max_depth=3))], passthrough=True, cv=2),
    "search": GridSearchCV(RidgeClassifier(), {"alpha": [0.1, 1]}, cv=2),
}  # fmt: skip


@pytest.mark.parametrize("task", ["binary", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_give_the_pipelines_labels_and_probabilities(frame, name, task):
    if (name, task) == ("exponential", "three"):
        pytest.skip("of two classes alone")
    hold(make_pipeline(usual(), CLASSIFIERS[name]), frame, task)


REGRESSORS = {
    "linear": LinearRegression(),
    "net": ElasticNet(0.01),
    "poisson": PoissonRegressor(),
    "gamma": GammaRegressor(),
    "tweedie": TweedieRegressor(power=1.5),
    "dummy": DummyRegressor(),
    "forest": RandomForestRegressor(5, random_state=0),
    "gradient": GradientBoostingRegressor(n_estimators=5),
    "hist": HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5),
    "hist poisson": HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5, loss="poisson"),
    "hist large": HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=None, min_samples_leaf=1),
    "votes": VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))], weights=[1, 3]),
    "stack": StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))], passthrough=True, cv=2),
    "of logarithms": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
    "of a scaled target": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_give_the_pipelines_numbers(frame, name):
    hold(make_pipeline(usual(), REGRESSORS[name]), frame, "regression")


def test_boosting_of_raw_columns_keeps_its_missing_values_and_categories(frame):
    """Natively: splits on missing values, on sets of categories, and more leaves than a word has bits."""
    raw = frame[["load", "price", "size", "hour", "holiday"]]
    for options in ({}, {"categorical_features": ["hour"]}, {"max_leaf_nodes": 100, "min_samples_leaf": 1}):
        model = HistGradientBoostingClassifier(**{"max_iter": 5, "min_samples_leaf": 4, **options})
        predictor = hold(_with_place(model), raw.assign(place=frame["place"]), "binary")
        assert predictor.model.plan.steps


def _with_place(model):
    columns = ["load", "price", "size", "hour", "holiday"]
    kept = ColumnTransformer([("raw", "passthrough", columns)], verbose_feature_names_out=False)
    kept.set_output(transform="pandas")
    return make_pipeline(kept, model)


@pytest.mark.parametrize(
    ("name", "task"),
    [("hgb", "classification"), ("logreg", "classification"), ("forest", "regression"), ("ridge", "regression"),
     ("nb", "classification"), ("sgd", "classification"), ("extra_trees", "classification")],
)  # fmt: skip
def test_the_pipelines_of_the_training_template_compile(frame, name, task):
    """With moments, text and gappy booleans, as `training` makes them."""
    gappy = frame.assign(holiday=frame["holiday"].astype(object).where(frame["load"].notna(), None))
    estimator = make_estimator(name, task, seed=1, **({"max_iter": 5} if name == "hgb" else {}))
    hold(make_training_pipeline(estimator, gappy), gappy, "regression" if task == "regression" else "binary")


def test_a_threshold_of_its_own_decides_the_label(frame):
    predictor = hold(make_pipeline(usual(), FixedThresholdClassifier(logistic(), threshold=0.3)), frame, "binary")
    rows = [predictor.predict(predictor.check(row).values) for row in records(frame.head(60))]
    assert any(0.3 <= row["probability"] < 0.5 and row["prediction"] == "UP" for row in rows)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (KNeighborsClassifier(), "keeps the training rows"),
        (DummyClassifier(strategy="uniform"), "at random"),
        (make_pipeline(FunctionTransformer(make_target.__class__), logistic()), "code"),
    ],
)
def test_what_cannot_be_compiled_is_named_with_the_reason(frame, part, reason):
    model = make_pipeline(usual(), part)
    target = make_target(frame, "binary")
    if "Function" in str(part):
        part.steps[0][1].func = _own
    model.fit(frame, target)
    with pytest.raises(NotCompiledError, match=reason):
        compile_model(model, schema_of(model, frame, target, "binary"))


def _own(values):
    return values * 2


def test_a_refused_category_is_refused_by_name(frame):
    model = make_pipeline(usual(categories=OneHotEncoder(handle_unknown="error")), logistic())
    target = make_target(frame, "binary")
    predictor = predictor_of(model.fit(frame, target), schema_of(model, frame, target, "binary"))
    row = {**records(frame.head(1))[0], "side": "above"}

    checked = predictor.check(row)
    assert checked.unseen == ["side"]
    with pytest.raises(SchemaError, match=r"side has a value that was never seen"):
        predictor.predict(checked.values)
    with pytest.raises(SchemaError, match="side"):
        predictor.predict_columns(frame.head(2).assign(side="above"))


def test_values_of_private_columns_stay_out_of_the_plan(frame):
    model = make_pipeline(usual(), logistic())
    target = make_target(frame, "binary")
    model.fit(frame, target)
    with warnings.catch_warnings(), pytest.raises(NotCompiledError, match="place is private"):
        compile_model(model, schema_of(model, frame, target, "binary"), private=["place"])
