"""Compiles trees and what is made of many: forests and boosting of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbprod.compiled.compiling.building import (
    Answers,
    Block,
    Builder,
    NotCompiledError,
    numbered,
    numbers_only,
    once,
)
from nbprod.compiled.compiling.linear import LINKS, Estimate, linked, scored

__all__ = ["TREES", "Grown", "forest_step"]

MOST_NODES = 5_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Grown:
    """One fitted tree: arrays by node, the root first."""

    feature: np.ndarray  #: of inner nodes
    threshold: np.ndarray
    left: np.ndarray  #: below zero at a leaf
    right: np.ndarray
    missing_left: np.ndarray
    values: np.ndarray  #: by node and output


def forest_step(
    builder: Builder,
    block: Block,
    trees: Sequence[Grown],
    where: str,
    *,
    outputs: Sequence[int],
    base: Any,
    divisor: float = 1.0,
    single: bool = False,
) -> int:
    """Add the step that sums trees up.

    Parameters
    ----------
    builder, block
        What the trees read.
    trees
        In the order of the sums.
    where
        The place in the pipeline.
    outputs
        By tree: the output its first value is added to.
    base
        What the sums begin with.
    divisor
        What they are divided by.
    single
        Whether the sums are made in 32 bits.
    """
    if sum(len(tree.left) for tree in trees) > MOST_NODES:
        raise NotCompiledError(where, f"its trees have more than {MOST_NODES:,} nodes")
    laid = [_laid_out(tree) for tree in trees]
    node_offsets = np.cumsum([0, *(len(tree.left) for tree in laid)])
    leaf_offsets = np.cumsum([0, *(len(tree.values) for tree in laid)])
    left = [
        np.where(tree.feature < 0, tree.left + leaves, tree.left + nodes)
        for tree, nodes, leaves in zip(laid, node_offsets, leaf_offsets, strict=False)
    ]
    return builder.made(
        "trees",
        block,
        numbered(len(base)),
        feature=np.concatenate([tree.feature for tree in laid]).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in laid]).astype(np.float64),
        left=np.concatenate(left).astype(np.int32),
        missing_left=np.concatenate([tree.missing_left for tree in laid]).astype(np.uint8),
        roots=node_offsets[:-1].astype(np.int32),
        values=np.concatenate([tree.values for tree in laid]).astype(np.float64),
        output=np.array(outputs, dtype=np.int32),
        base=np.array(base, dtype=np.float64),
        divisor=float(divisor),
        single=single,
    ).register


def _laid_out(tree: Grown) -> Grown:
    """The same tree with siblings side by side, parents before children, and leaves counted from left to right."""
    order = [0]
    place = [0] * len(tree.left)
    left, right = tree.left.tolist(), tree.right.tolist()
    for node in order:  # grows while it is read
        if left[node] >= 0:
            place[left[node]], place[right[node]] = len(order), len(order) + 1
            order += (left[node], right[node])
    leaves: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        if left[node] >= 0:
            stack += (right[node], left[node])
        else:
            place_of_leaf = len(leaves)
            leaves.append(node)
            left[node] = -1 - place_of_leaf
    chosen = np.array(order)
    is_leaf = tree.left[chosen] < 0
    children = [-1 - left[node] if left[node] < 0 else place[left[node]] for node in order]
    return Grown(
        feature=np.where(is_leaf, -1, tree.feature[chosen]),
        threshold=np.where(is_leaf, 0.0, tree.threshold[chosen]),
        left=np.array(children),
        right=np.zeros(0),
        missing_left=np.where(is_leaf, 0, tree.missing_left[chosen]),
        values=tree.values[leaves],
    )


def _grown(tree: Any, values: np.ndarray) -> Grown:
    return Grown(
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=np.asarray(getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))),
        values=values,
    )


def _as_singles(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """Trees of scikit-learn compare numbers of 32 bits."""
    numbers_only(block, where)
    may_miss = bool(part.__sklearn_tags__().input_tags.allow_nan)
    return builder.made("finite", builder.made("single", block), missing=may_miss)


def forest(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """One tree, or the mean of many."""
    members = getattr(part, "estimators_", [part])
    if part.n_outputs_ > 1:
        raise NotCompiledError(where, "it predicts several outputs")
    if getattr(part, "criterion", "") == "absolute_error" and not hasattr(members[0], "tree_"):
        raise NotCompiledError(where, "it holds no trees")
    trees = [_grown(member.tree_, member.tree_.value[:, 0, :]) for member in members]
    outputs = trees[0].values.shape[1]

    def sums() -> int:
        given = _as_singles(builder, members[0], block, where)
        return forest_step(
            builder, given, trees, where, outputs=[0] * len(trees), base=np.zeros(outputs), divisor=len(trees)
        )

    made = once(sums)
    if not hasattr(part, "classes_"):
        return Answers(value=made)
    return Answers(
        probabilities=made, label=once(lambda: builder.add("largest", made())), classes=tuple(part.classes_)
    )


def gradient_boosting(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Boosting of small trees."""
    stages = part.estimators_
    columns = stages.shape[1]
    if part.init_ != "zero" and type(part.init_).__name__ not in {"DummyClassifier", "DummyRegressor"}:
        raise NotCompiledError(where, f"it begins with a {type(part.init_).__name__}")
    base = part._raw_predict_init(np.zeros((1, part.n_features_in_), dtype=np.float32))[0]  # noqa: SLF001
    trees = [_grown(tree.tree_, tree.tree_.value[:, 0, :] * part.learning_rate) for tree in stages.ravel()]

    def sums() -> int:
        given = _as_singles(builder, part, block, where)
        return forest_step(
            builder, given, trees, where, outputs=list(range(columns)) * len(stages), base=np.array(base)
        )

    return _boosted(builder, part, once(sums), columns, where, equal=True)


def hist_gradient_boosting(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Boosting of trees over bins, with missing values and categories."""
    if part._preprocessor is not None:  # noqa: SLF001 — encodes categories and puts them first
        block = builder.transform(builder, part._preprocessor, block, where)  # noqa: SLF001
    numbers_only(block, where)
    columns = part.n_trees_per_iteration_
    members = _Members(len(block))
    known, position = part._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001
    stages = part._predictors  # noqa: SLF001
    trees = [_from_bins(predictor, members, known, position) for stage in stages for predictor in stage]

    def sums() -> int:
        given = members.added(builder, block)
        outputs = list(range(columns)) * (len(trees) // columns)
        base = np.broadcast_to(np.ravel(part._baseline_prediction), (columns,)).copy()  # noqa: SLF001
        return forest_step(builder, given, trees, where, outputs=outputs, base=base)

    return _boosted(builder, part, once(sums), columns, where, equal=False)


class _Members:
    """Splits by sets of categories, as further columns that are 0 or 1."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._known: dict[tuple[int, bytes], int] = {}
        self._columns: list[int] = []
        self._tables: list[np.ndarray] = []

    def column(self, feature: int, table: np.ndarray) -> int:
        """The position of the column that is 0 for codes that go left; the table's last place is for all others."""
        key = (feature, table.tobytes())
        if key not in self._known:
            self._known[key] = self._width + len(self._columns)
            self._columns.append(feature)
            self._tables.append(table)
        return self._known[key]

    def added(self, builder: Builder, block: Block) -> Block:
        """The block with these columns behind its own."""
        if not self._columns:
            return block
        fields = [*block.fields, *numbered(len(self._columns), "set ")]
        return builder.made("members", block, fields, columns=self._columns, tables=np.array(self._tables))


def _from_bins(predictor: Any, members: _Members, known: np.ndarray, position: np.ndarray) -> Grown:
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    feature = nodes["feature_idx"].astype(np.int64)
    threshold = nodes["num_threshold"].astype(np.float64)
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf):
        goes_left = _bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        is_known = _bits(known[position[feature[node]]])
        other = bool(nodes["missing_go_to_left"][node])
        table = np.append(np.where(goes_left | is_known, goes_left, other), other)
        feature[node] = members.column(int(feature[node]), np.where(table, 0.0, 1.0))
        threshold[node] = 0.5
    return Grown(
        feature=feature,
        threshold=threshold,
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        right=nodes["right"].astype(np.int64),
        missing_left=nodes["missing_go_to_left"],
        values=nodes["value"].astype(np.float64)[:, None],
    )


def _bits(words: np.ndarray) -> np.ndarray:
    """The 256 bits of eight words."""
    return np.unpackbits(np.ascontiguousarray(words, dtype="<u4").view(np.uint8), bitorder="little").astype(bool)


def _boosted(builder: Builder, part: Any, score: Any, columns: int, where: str, *, equal: bool) -> Answers:
    loss = part._loss  # noqa: SLF001 — which link its scores stand behind
    if hasattr(part, "classes_"):
        name = type(loss).__name__
        if name not in {"ExponentialLoss", "HalfBinomialLoss", "HalfMultinomialLoss"}:
            raise NotCompiledError(where, f"the loss {name} has no compiled form")
        scores = score
        if name == "ExponentialLoss":  # its scores are half of the logarithm of the odds
            score = once(lambda: builder.add("multiply", scores(), values=np.array([2.0])))
        answers = scored(builder, score, "softmax", many=columns > 1, classes=part.classes_)
        if columns == 1 and equal:
            label = once(lambda: builder.add("above", score(), equal=True))
            return Answers(
                decision=answers.decision, probabilities=answers.probabilities, label=label, classes=answers.classes
            )
        return answers
    link = type(loss.link).__name__
    if link not in LINKS:
        raise NotCompiledError(where, f"the link {link} has no compiled form")
    # GradientBoostingRegressor has identity links alone
    return Answers(value=once(lambda: linked(builder, score(), link)))


FORESTS = (
    "DecisionTreeClassifier",
    "DecisionTreeRegressor",
    "ExtraTreeClassifier",
    "ExtraTreeRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "RandomForestClassifier",
    "RandomForestRegressor",
)

#: By the name of the class.
TREES: dict[str, Estimate] = {
    **dict.fromkeys(FORESTS, forest),
    "GradientBoostingClassifier": gradient_boosting,
    "GradientBoostingRegressor": gradient_boosting,
    "HistGradientBoostingClassifier": hist_gradient_boosting,
    "HistGradientBoostingRegressor": hist_gradient_boosting,
}
