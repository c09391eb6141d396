"""Estimators by short name or import path, refused early when they are none."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import yaml

from nbprod.domain.names import nearest
from nbprod.errors import SettingsError
from nbprod.training.task import Task

__all__ = ["make_estimator", "read_settings", "short_names"]


@dataclass(frozen=True, kw_only=True)
class _Short:
    """Where a short name leads for each task, and the settings it starts from."""

    classification: str | None = None
    regression: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


_SHORT = {
    "dummy": _Short(classification="sklearn.dummy.DummyClassifier", regression="sklearn.dummy.DummyRegressor"),
    "logreg": _Short(classification="sklearn.linear_model.LogisticRegression", settings={"max_iter": 1000}),
    "linear": _Short(regression="sklearn.linear_model.LinearRegression"),
    "ridge": _Short(classification="sklearn.linear_model.RidgeClassifier", regression="sklearn.linear_model.Ridge"),
    "lasso": _Short(regression="sklearn.linear_model.Lasso"),
    "sgd": _Short(
        classification="sklearn.linear_model.SGDClassifier", regression="sklearn.linear_model.SGDRegressor"
    ),
    "tree": _Short(
        classification="sklearn.tree.DecisionTreeClassifier",
        regression="sklearn.tree.DecisionTreeRegressor",
        settings={"max_depth": 6},
    ),
    "forest": _Short(
        classification="sklearn.ensemble.RandomForestClassifier",
        regression="sklearn.ensemble.RandomForestRegressor",
        settings={"min_samples_leaf": 2},
    ),
    "extra_trees": _Short(
        classification="sklearn.ensemble.ExtraTreesClassifier",
        regression="sklearn.ensemble.ExtraTreesRegressor",
        settings={"min_samples_leaf": 2},
    ),
    # the columns in front of it have been made numbers
    "hgb": _Short(
        classification="sklearn.ensemble.HistGradientBoostingClassifier",
        regression="sklearn.ensemble.HistGradientBoostingRegressor",
        settings={"categorical_features": None},
    ),
    "knn": _Short(
        classification="sklearn.neighbors.KNeighborsClassifier", regression="sklearn.neighbors.KNeighborsRegressor"
    ),
    "nb": _Short(classification="sklearn.naive_bayes.GaussianNB"),
    "mlp": _Short(
        classification="sklearn.neural_network.MLPClassifier", regression="sklearn.neural_network.MLPRegressor"
    ),
}
EXTRAS = ("catboost", "lightgbm", "xgboost")  #: libraries that nbprod installs by an extra of their name
#: Settings that hold for one task alone.
_TASK_SETTINGS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("dummy", "classification"): {"strategy": "prior"},
    ("sgd", "classification"): {"loss": "log_loss"},
}


def short_names(task: Task) -> list[str]:
    """The short names that exist for a task, sorted."""
    return sorted(name for name, short in _SHORT.items() if getattr(short, task))


def make_estimator(name: str, task: Task, *, seed: int | None = None, **params: Any) -> Any:
    """Make an unfitted estimator.

    Parameters
    ----------
    name
        A short name (``logreg``, ``linear``, ``ridge``, ``hgb``, ``forest``, ``extra_trees``, ``knn``, ``sgd``, …)
        or the import path of a class with the scikit-learn interface, ``package.module.Class``.
    task
        Chooses between the classifier and the regressor of a short name.
    seed
        Given as ``random_state`` to estimators that have one.
    params
        Settings of the estimator, over the ones the short name starts from.

    Raises
    ------
    SettingsError
        The name leads nowhere, to another task or to no estimator, or a setting does not exist.
    """
    path, settings = _resolve(name, task)
    made = _imported(path, name)
    known = _settings_of(made)
    wrong = [] if known is None else [setting for setting in params if setting not in known]
    if known is not None and wrong:
        raise SettingsError(f"{name} has no setting {wrong[0]!r}", hint=nearest(wrong[0], known))
    settings |= params
    if seed is not None and known is not None and "random_state" in known:
        settings.setdefault("random_state", seed)
    try:
        estimator = made(**settings)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{name} cannot be made with these settings: {error}", hint="See its documentation."
        ) from error
    _check_task(estimator, name, task)
    return estimator


def read_settings(lines: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` settings; values are YAML: numbers, true, null and [lists] are what they say.

    Raises
    ------
    SettingsError
        A line is not ``name=value``.

    Examples
    --------
    >>> read_settings(["max_iter=200", "penalty=l2", "warm_start=true"])
    {'max_iter': 200, 'penalty': 'l2', 'warm_start': True}
    """
    settings: dict[str, Any] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{line!r} is not a setting", hint="Write name=value, for instance max_iter=200.")
        try:
            settings[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SettingsError(f"the value of {line!r} cannot be read", hint="Quote text with odd signs.") from error
    return settings


def _resolve(name: str, task: Task) -> tuple[str, dict[str, Any]]:
    if "." in name:
        return name, {}
    short = _SHORT.get(name)
    if short is None:
        raise SettingsError(
            f"{name!r} is not a model", hint=f"{nearest(name, short_names(task))} Or give package.module.Class."
        )
    path: str | None = getattr(short, task)
    if path is None:
        raise SettingsError(f"{name!r} does not do {task}", hint=f"These do: {', '.join(short_names(task))}.")
    return path, {**short.settings, **_TASK_SETTINGS.get((name, task), {})}


def _imported(path: str, name: str) -> Any:
    module, _, attribute = path.rpartition(".")
    try:
        made = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{name!r} cannot be imported: {error}",
            hint=f"pip install 'nbprod[{error.name}]'"
            if error.name in EXTRAS
            else "Install its package, or check the path package.module.Class.",
        ) from error
    except AttributeError as error:
        raise SettingsError(
            f"{module} has no {attribute!r}",
            hint=nearest(attribute, [n for n in dir(import_module(module)) if n[0].isupper()]),
        ) from error
    if not inspect.isclass(made) or not all(hasattr(made, method) for method in ("fit", "predict", "get_params")):
        raise SettingsError(
            f"{name!r} is not an estimator with the scikit-learn interface",
            hint="It must be a class with fit, predict and get_params.",
        )
    return made


def _settings_of(made: Any) -> list[str] | None:
    """The settings of an estimator class; ``None`` when it takes any."""
    parameters = inspect.signature(made).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _check_task(estimator: Any, name: str, task: Task) -> None:
    from sklearn.base import is_classifier, is_regressor  # heavy, and only here

    fits = is_classifier(estimator) if task == "classification" else is_regressor(estimator)
    other = is_regressor(estimator) if task == "classification" else is_classifier(estimator)
    if other and not fits:
        raise SettingsError(f"{name} does not do {task}", hint=f"These do: {', '.join(short_names(task))}.")
