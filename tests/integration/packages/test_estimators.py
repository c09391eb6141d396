"""Every public estimator of scikit-learn comes back equal from a package's format, or is refused with the reason."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 — makes two of them public
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

from nbprod import formats
from nbprod.errors import PackageError

ROWS = 60
RANDOM = np.random.default_rng(0)
NUMBERS = np.abs(RANDOM.normal(size=(ROWS, 4)))
TWO = RANDOM.integers(0, 2, ROWS)
TARGETS = {
    "classes": TWO,
    "numbers": np.abs(RANDOM.normal(size=ROWS)),
    "two columns of classes": np.c_[TWO, 1 - TWO],
    "two columns of numbers": NUMBERS[:, :2],
    "none": None,
}
TEXTS = [f"a word {number % 7} and {number % 3} more" for number in range(ROWS)]
OTHER_INPUTS = {
    "CountVectorizer": TEXTS,
    "TfidfVectorizer": TEXTS,
    "HashingVectorizer": TEXTS,
    "DictVectorizer": [{"a": 1.0, "b": number} for number in range(ROWS)],
    "FeatureHasher": [{"a": 1.0, "b": number} for number in range(ROWS)],
    "IsotonicRegression": NUMBERS[:, 0],
    "KernelCenterer": NUMBERS @ NUMBERS.T,
    "PatchExtractor": RANDOM.random((2, 20, 20)),
    "SparseCoder": NUMBERS[:, :3],
    "LabelBinarizer": TWO,
    "LabelEncoder": TWO,
    "MultiLabelBinarizer": [[1, 2], [2]] * 30,
}
IMPOSSIBLE = {
    "Birch": "Objects of type Birch are not supported"
}  # its tree refers to itself; skops has no form for it
SETTINGS = {"DummyClassifier": {"strategy": "prior"}, "TSNE": {"max_iter": 250}}


def instance(name, kind):
    if name == "FrozenEstimator":
        return FrozenEstimator(LogisticRegression().fit(NUMBERS, TWO))
    made = next(iter(_construct_instances(kind)))
    return made.set_params(**SETTINGS.get(name, {}))


def fitted(name, kind):
    """The estimator on the first target it takes."""
    inputs = OTHER_INPUTS.get(name, NUMBERS)
    targets = dict(TARGETS)
    if name.endswith("Regressor"):
        targets = {"numbers": TARGETS["numbers"], **targets}
    problems = []
    for each in targets.values():
        model = instance(name, kind)
        try:
            return (model.fit(inputs) if each is None else model.fit(inputs, each)), inputs
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            problems.append(error)
    raise AssertionError(f"{name} was not fitted: {problems}")


def answers(model, inputs):
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, method):
            made = getattr(model, method)(inputs)
            for part in made if isinstance(made, list) else [made]:
                yield method, np.asarray(part.tocsr().data if hasattr(part, "tocsr") else part)


@pytest.mark.parametrize(("name", "kind"), all_estimators(), ids=[name for name, _ in all_estimators()])
@pytest.mark.filterwarnings("ignore")
def test_a_public_estimator_comes_back_equal_or_is_refused_with_the_reason(name, kind, tmp_path):
    """Written and read as saving a model does, by the list for verified packages alone."""
    model, inputs = fitted(name, kind)
    if name in IMPOSSIBLE:
        with pytest.raises(PackageError, match=IMPOSSIBLE[name]):
            formats.get("skops").write(model, tmp_path)
        return

    formats.get("skops").write(model, tmp_path)
    _, again = formats.read_written("skops", tmp_path)

    assert type(again) is type(model)
    for (method, before), (_, after) in zip(answers(model, inputs), answers(again, inputs), strict=True):
        assert before.dtype == after.dtype, method
        if before.dtype.kind == "f":  # BLAS adds in another order when memory lies otherwise
            np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-12, err_msg=method)
        else:
            np.testing.assert_array_equal(after, before, err_msg=method)


SEARCHES = {
    "a scorer by name": lambda: GridSearchCV(Ridge(), {"alpha": [1, 2]}, scoring="neg_mean_absolute_error", cv=2),
    "several scorers": lambda: GridSearchCV(
        Ridge(), {"alpha": [1, 2]}, scoring=["r2", "neg_max_error"], refit="r2", cv=2
    ),
    "a scorer made of a metric": lambda: GridSearchCV(
        LogisticRegression(), {"C": [1, 2]}, scoring=make_scorer(fbeta_score, beta=2), cv=TimeSeriesSplit(2)
    ),
    "distributions": lambda: RandomizedSearchCV(
        Ridge(), {"alpha": stats.loguniform(0.1, 1), "max_iter": stats.randint(10, 90)}, n_iter=2, cv=2
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_comes_back_whatever_it_judged_by(name, tmp_path):
    model = SEARCHES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(NUMBERS, TWO)
    formats.get("skops").write(model, tmp_path)
    _, again = formats.read_written("skops", tmp_path)
    np.testing.assert_array_equal(model.predict(NUMBERS), again.predict(NUMBERS))
    assert repr(again.best_estimator_) == repr(model.best_estimator_)
    if name == "distributions":
        drawn = again.param_distributions["alpha"]
        assert (
            drawn.rvs(3, random_state=1).tolist()
            == model.param_distributions["alpha"].rvs(3, random_state=1).tolist()
        )


KERNELS = {
    "sums and products": ConstantKernel(2.0) * Matern(nu=1.5)
    + WhiteKernel()
    + DotProduct() ** 2
    + RationalQuadratic(),
    "pairwise": PairwiseKernel(metric="rbf"),
    "periodic": ExpSineSquared(),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_gaussian_process_of_any_kernel_comes_back(name, tmp_path):
    model = GaussianProcessRegressor(KERNELS[name], alpha=1000.0, optimizer=None).fit(NUMBERS, NUMBERS[:, 0])
    formats.get("skops").write(model, tmp_path)
    _, again = formats.read_written("skops", tmp_path)
    for before, after in zip(
        model.predict(NUMBERS, return_std=True), again.predict(NUMBERS, return_std=True), strict=True
    ):
        np.testing.assert_allclose(after, before, rtol=1e-9)


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "canberra", "braycurtis", "minkowski", "hamming"])
def test_neighbours_by_any_distance_come_back(metric, tmp_path):
    model = KNeighborsClassifier(3, metric=metric, algorithm="ball_tree").fit(NUMBERS, TWO)
    formats.get("skops").write(model, tmp_path)
    _, again = formats.read_written("skops", tmp_path)
    np.testing.assert_array_equal(model.predict_proba(NUMBERS), again.predict_proba(NUMBERS))
