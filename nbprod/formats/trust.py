"""The types a skops file of a verified package may hold beyond those skops trusts in any file.

skops itself trusts public scikit-learn estimators, numpy and scipy arrays and Python containers. It leaves out what
this list names because a *crafted* file can misuse it: child indices in a ``Tree`` are not checked when it predicts,
so a forged one can end the process. A package whose bytes were verified against its digest is not forged by anybody
who could not have replaced its code too, so these names are honoured for verified packages, and for nothing else.

Rules for a new name: it is a class that holds data, or a pure function of numbers; it reaches no file, no network, no
import and no other callable of the file's choosing. ``functools.partial`` will never be here.
"""

from __future__ import annotations

__all__ = ["VERIFIED_TYPES"]

TREES = (
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
PREPARATION = (
    "numpy.dtype",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.utils._bunch.Bunch",
    # what a fitted SplineTransformer holds
    "scipy.interpolate._bsplines.BSpline",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    # scores of SelectKBest and its kin
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
)
CALIBRATION = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
)
LOSSES = tuple(
    f"sklearn._loss.loss.{name}"
    for name in (
        "AbsoluteError",
        "ExponentialLoss",
        "HalfBinomialLoss",
        "HalfGammaLoss",
        "HalfMultinomialLoss",
        "HalfPoissonLoss",
        "HalfSquaredError",
        "HalfTweedieLoss",
        "HalfTweedieLossIdentity",
        "HuberLoss",
        "PinballLoss",
    )
) + tuple(
    f"sklearn._loss.link.{name}"
    for name in ("HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit")
)
NEIGHBOURS = (
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
)
OPTIMIZERS = (
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
SEARCH = (
    *(
        f"sklearn.model_selection._split.{name}"
        for name in (
            "GroupKFold",
            "KFold",
            "RepeatedKFold",
            "RepeatedStratifiedKFold",
            "ShuffleSplit",
            "StratifiedGroupKFold",
            "StratifiedKFold",
            "StratifiedShuffleSplit",
            "TimeSeriesSplit",
        )
    ),
    "sklearn.metrics._classification.balanced_accuracy_score",
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
)

#: Our own parts of pipelines: they turn columns into numbers, and nothing else.
OWN = (
    "nbprod.training.parts.BooleanNumbers",
    "nbprod.training.parts.DatetimeParts",
    "nbprod.training.parts.FilledText",
)

#: Honoured for a package whose bytes were verified, and for nothing else.
VERIFIED_TYPES: tuple[str, ...] = (
    *TREES,
    *PREPARATION,
    *CALIBRATION,
    *LOSSES,
    *NEIGHBOURS,
    *OPTIMIZERS,
    *SEARCH,
    *OWN,
)
