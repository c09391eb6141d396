"""Compiles XGBoost and LightGBM by the dumps they make of themselves; nothing of them is imported here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nbprod.compiled.compiling.building import Answers, Block, Builder, NotCompiledError, floats, numbers_only, once
from nbprod.compiled.compiling.growing import Grown, forest_step
from nbprod.compiled.compiling.linear import Estimate, scored

__all__ = ["BOOSTERS"]

# what is behind the sums: the name of a function, or none
LINKS = {
    "binary:logistic": "binary",
    "count:poisson": "exp",
    "multi:softmax": "softmax",
    "multi:softprob": "softmax",
    "reg:absoluteerror": None,
    "reg:gamma": "exp",
    "reg:logistic": "sigmoid",
    "reg:pseudohubererror": None,
    "reg:squarederror": None,
    "reg:tweedie": "exp",
    # of LightGBM
    "binary": "binary",
    "fair": None,
    "gamma": "exp",
    "huber": None,
    "mape": None,
    "multiclass": "softmax",
    "poisson": "exp",
    "quantile": None,
    "regression": None,
    "regression_l1": None,
    "tweedie": "exp",
}


def xgboost(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Trees that compare and add up numbers of 32 bits; below a threshold goes left."""
    numbers_only(block, where)
    if getattr(part, "missing", np.nan) == getattr(part, "missing", np.nan):
        raise NotCompiledError(where, f"missing={part.missing!r} marks missing values")
    learner = json.loads(part.get_booster().save_raw("json"))["learner"]
    objective, boosting = learner["objective"]["name"], learner["gradient_booster"]
    if boosting["name"] != "gbtree":
        raise NotCompiledError(where, f"booster={boosting['name']!r} has no compiled form")
    model, columns = boosting["model"], max(1, int(learner["learner_model_param"]["num_class"]))
    rounds = getattr(part, "best_iteration", None)  # defined where training stopped early
    used = model["trees"] if rounds is None else model["trees"][: model["iteration_indptr"][rounds + 1]]
    trees = [_xgboost_tree(tree, where) for tree in used]
    base = _base(learner["learner_model_param"]["base_score"], objective, columns)

    def sums() -> int:
        builder.is_single = True
        given = builder.made("finite", builder.made("single", block), missing=True)
        outputs = [int(one) for one in model["tree_info"][: len(trees)]]
        return forest_step(builder, given, trees, where, outputs=outputs, base=base, single=True)

    return _linked(builder, part, once(sums), objective, where, slope=1.0)


def _base(text: str, objective: str, columns: int) -> np.ndarray:
    """What the sums begin with, in the scale of the sums."""
    score = np.array([float(one) for one in text.strip("[]").split(",")], dtype=np.float32)
    if LINKS.get(objective) in {"binary", "sigmoid"}:
        score = -np.log(np.float32(1.0) / score - np.float32(1.0))
    elif LINKS.get(objective) == "exp":
        score = np.log(score)
    return np.broadcast_to(score.astype(np.float64), (columns,)).copy()


def _xgboost_tree(tree: dict[str, Any], where: str) -> Grown:
    if any(tree.get("split_type", ())):
        raise NotCompiledError(where, "its splits by sets of categories have no compiled form")
    left = np.array(tree["left_children"], dtype=np.int64)
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    with np.errstate(under="ignore"):
        below = np.nextafter(conditions, np.float32(-np.inf))  # not above this is below the threshold
    return Grown(
        feature=np.array(tree["split_indices"], dtype=np.int64),
        threshold=below.astype(np.float64),
        left=left,
        right=np.array(tree["right_children"], dtype=np.int64),
        missing_left=np.array(tree["default_left"], dtype=np.uint8),
        values=conditions.astype(np.float64)[:, None],
    )


def lightgbm(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Trees that compare and add up numbers of 64 bits."""
    numbers_only(block, where)
    dumped = part.booster_.dump_model()
    name, *options = dumped.get("objective", "").split(" ")
    columns = int(dumped["num_tree_per_iteration"])
    trees = [_lightgbm_tree(tree["tree_structure"], where) for tree in dumped["tree_info"]]
    divisor = len(trees) // columns if dumped.get("average_output") else 1
    slope = float(next((one.partition(":")[2] for one in options if one.startswith("sigmoid:")), 1.0))
    if "sqrt" in options:
        raise NotCompiledError(where, "reg_sqrt has no compiled form")

    def sums() -> int:
        outputs = list(range(columns)) * (len(trees) // columns)
        return forest_step(builder, block, trees, where, outputs=outputs, base=np.zeros(columns), divisor=divisor)

    return _linked(builder, part, once(sums), name, where, slope=slope)


def _lightgbm_tree(root: dict[str, Any], where: str) -> Grown:
    feature, threshold, left, right, missing_left, values = [], [], [], [], [], []
    waiting = [root]
    for node in waiting:  # grows while it is read
        is_leaf = "leaf_value" in node
        feature.append(0 if is_leaf else int(node["split_feature"]))
        values.append(float(node["leaf_value"]) if is_leaf else 0.0)
        left.append(-1 if is_leaf else len(waiting))
        right.append(-1 if is_leaf else len(waiting) + 1)
        if is_leaf:
            threshold.append(0.0)
            missing_left.append(0)
            continue
        if node["decision_type"] != "<=":
            raise NotCompiledError(where, "its splits by sets of categories have no compiled form")
        if node["missing_type"] == "Zero":
            raise NotCompiledError(where, "it takes zeros as missing values")
        threshold.append(float(node["threshold"]))
        # a model that has seen no missing value takes one as zero
        as_zero = threshold[-1] >= 0.0
        missing_left.append(int(node["default_left"] if node["missing_type"] == "NaN" else as_zero))
        waiting += (node["left_child"], node["right_child"])
    return Grown(
        feature=np.array(feature),
        threshold=floats(threshold),
        left=np.array(left),
        right=np.array(right),
        missing_left=np.array(missing_left, dtype=np.uint8),
        values=floats(values)[:, None],
    )


def _linked(builder: Builder, part: Any, score: Any, objective: str, where: str, *, slope: float) -> Answers:
    if objective not in LINKS:
        raise NotCompiledError(where, f"the objective {objective!r} has no compiled form")
    link = LINKS[objective]
    if hasattr(part, "classes_"):
        if link not in {"binary", "softmax"}:
            raise NotCompiledError(where, f"the objective {objective!r} gives no probabilities")
        if slope != 1.0:
            raw = score
            score = once(lambda: builder.add("multiply", raw(), values=np.array([slope])))
        return scored(builder, score, "softmax", many=link == "softmax", classes=part.classes_)
    if link in {"binary", "softmax"}:
        raise NotCompiledError(where, f"a regressor with the objective {objective!r} has no compiled form")
    return Answers(value=once(lambda: builder.add("apply", score(), function=link) if link else score()))


#: By the package and the name of the class.
BOOSTERS: dict[str, Estimate] = {
    "lightgbm:LGBMClassifier": lightgbm,
    "lightgbm:LGBMRegressor": lightgbm,
    "xgboost:XGBClassifier": xgboost,
    "xgboost:XGBRFClassifier": xgboost,
    "xgboost:XGBRFRegressor": xgboost,
    "xgboost:XGBRegressor": xgboost,
}
