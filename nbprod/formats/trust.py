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


def _in(module: str, names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in names.split())


TREES = (
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
PREPARATION = (
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.utils._bunch.Bunch",
    "sklearn.metrics.pairwise.linear_kernel",
    # what a fitted SplineTransformer holds
    "scipy.interpolate._bsplines.BSpline",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    # components of SparseRandomProjection
    "scipy.sparse._csr.csr_matrix",
    # scores of SelectKBest and its kin
    *_in("sklearn.feature_selection._mutual_info", "mutual_info_classif mutual_info_regression"),
    *_in("sklearn.feature_selection._univariate_selection", "chi2 f_classif f_oneway f_regression r_regression"),
)
#: Types by which columns are selected, and functions that make one number of several.
NUMPY = (
    "builtins.object",
    *_in("numpy", "character dtype floating generic inexact integer number signedinteger unsignedinteger"),
    *_in("numpy", "amax amin max mean median min nanmax nanmean nanmedian nanmin std sum var"),
)
CALIBRATION = _in("sklearn.calibration", "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling")
MULTICLASS = ("sklearn.multiclass._ConstantPredictor",)
LOSSES = _in(
    "sklearn._loss.loss",
    "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss HalfPoissonLoss "
    "HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss",
) + _in("sklearn._loss.link", "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit")
GAUSSIAN_PROCESSES = (
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    *_in(
        "sklearn.gaussian_process.kernels",
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter Matern PairwiseKernel "
        "Product RBF RationalQuadratic Sum WhiteKernel",
    ),
)
#: All but ``PyFuncDistance``, which calls any function.
DISTANCES = _in(
    "sklearn.metrics._dist_metrics",
    "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 DiceDistance64 EuclideanDistance64 "
    "HammingDistance64 HaversineDistance64 JaccardDistance64 MahalanobisDistance64 ManhattanDistance64 "
    "MinkowskiDistance64 RogersTanimotoDistance64 RussellRaoDistance64 SEuclideanDistance64 SokalSneathDistance64 "
    "EuclideanDistance32 ManhattanDistance32 MinkowskiDistance32",
)
NEIGHBOURS = (
    *_in("sklearn.neighbors._ball_tree", "BallTree BallTree32 BallTree64"),
    *_in("sklearn.neighbors._kd_tree", "KDTree KDTree32 KDTree64"),
    *_in("sklearn.cluster._bisect_k_means", "_BisectingTree"),
    *_in("sklearn.cluster._kmeans", "_kmeans_single_elkan _kmeans_single_lloyd"),
)
OPTIMIZERS = _in("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer SGDOptimizer")
SEARCH = (
    *_in("sklearn.model_selection._search_successive_halving", "HalvingGridSearchCV HalvingRandomSearchCV"),
    *_in(
        "sklearn.model_selection._split",
        "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut PredefinedSplit "
        "RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold StratifiedKFold "
        "StratifiedShuffleSplit TimeSeriesSplit _CVIterableWrapper",
    ),
    *_in("sklearn.metrics._scorer", "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer"),
    *_in("sklearn.utils._metadata_requests", "MetadataRequest MethodMetadataRequest"),
    # what scorers call
    *_in(
        "sklearn.metrics._classification",
        "accuracy_score balanced_accuracy_score brier_score_loss cohen_kappa_score d2_brier_score d2_log_loss_score "
        "f1_score fbeta_score hamming_loss hinge_loss jaccard_score log_loss matthews_corrcoef "
        "precision_score recall_score zero_one_loss",
    ),
    *_in(
        "sklearn.metrics._ranking",
        "average_precision_score coverage_error dcg_score label_ranking_average_precision_score label_ranking_loss "
        "ndcg_score roc_auc_score top_k_accuracy_score",
    ),
    *_in(
        "sklearn.metrics._regression",
        "d2_absolute_error_score d2_pinball_score d2_tweedie_score explained_variance_score max_error "
        "mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss "
        "mean_poisson_deviance mean_squared_error mean_squared_log_error mean_tweedie_deviance median_absolute_error "
        "r2_score root_mean_squared_error root_mean_squared_log_error",
    ),
    *_in("sklearn.metrics._scorer", "negative_likelihood_ratio positive_likelihood_ratio"),
    *_in(
        "sklearn.metrics.cluster._supervised",
        "adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score homogeneity_score "
        "mutual_info_score normalized_mutual_info_score rand_score v_measure_score",
    ),
)
#: Estimators of other libraries without their trees, which these libraries read themselves.
BOOSTERS = (
    "collections.OrderedDict",  # LightGBM's record of its scores
    *_in("lightgbm.sklearn", "LGBMClassifier LGBMRegressor LGBMRanker"),
    *_in("xgboost.sklearn", "XGBClassifier XGBRFClassifier XGBRFRegressor XGBRanker XGBRegressor"),
    "xgboost.callback.EarlyStopping",
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
    *NUMPY,
    *CALIBRATION,
    *MULTICLASS,
    *LOSSES,
    *GAUSSIAN_PROCESSES,
    *DISTANCES,
    *NEIGHBOURS,
    *OPTIMIZERS,
    *SEARCH,
    *BOOSTERS,
    *OWN,
)
