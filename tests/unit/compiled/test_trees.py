"""Both ways through trees find the leaf that comparing from the root down finds, at thresholds and beside them too."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbprod.compiled import trees
from nbprod.compiled.trees import Forest, _Masks, _Walk
from nbprod.errors import PackageError

THRESHOLDS = [-1.5, 0.0, 0.25, 3.0, math.inf]
VALUES = st.sampled_from(
    [*THRESHOLDS, *(float(np.nextafter(t, -9.0)) for t in THRESHOLDS[:4]), 1e300, -math.inf, math.nan]
)


@st.composite
def forests(draw):
    """Random trees over three features, laid out as a plan has them."""
    feature, threshold, left, missing, roots, leaf = [], [], [], [], [], 0

    def add(node, depth):
        nonlocal leaf
        if depth < 4 and draw(st.booleans()):
            child = len(feature)
            for column in (feature, threshold, left, missing):
                column += [0, 0]
            feature[node], threshold[node] = draw(st.integers(0, 2)), draw(st.sampled_from(THRESHOLDS))
            left[node], missing[node] = child, draw(st.booleans())
            add(child, depth + 1)
            add(child + 1, depth + 1)
        else:
            feature[node], threshold[node], left[node] = -1, 0.0, leaf
            leaf += 1

    for _ in range(draw(st.integers(1, 4))):
        roots.append(len(feature))
        for column in (feature, threshold, left, missing):
            column.append(0)
        add(roots[-1], 0)
    return Forest(
        feature=np.array(feature, dtype=np.int32), threshold=np.array(threshold, dtype=float), left=np.array(left, dtype=np.int32),
        missing_left=np.array(missing, dtype=np.uint8), roots=np.array(roots, dtype=np.int32), values=np.arange(leaf)[:, None] * 1.0,
        output=np.zeros(len(roots), dtype=np.int32), base=np.zeros(1), divisor=1.0, single=False,
    )  # fmt: skip


def leaves_from_the_root(forest, row):
    found = []
    for root in forest.roots.tolist():
        node = root
        while forest.feature[node] >= 0:
            x = row[forest.feature[node]]
            goes_left = bool(forest.missing_left[node]) if math.isnan(x) else x <= forest.threshold[node]
            node = int(forest.left[node]) + (not goes_left)
        found.append(int(forest.left[node]))
    return found


@settings(deadline=None, max_examples=150)
@given(forest=forests(), rows=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=5))
def test_masks_and_walks_find_the_leaf(forest, rows):
    expected = [leaves_from_the_root(forest, row) for row in rows]
    for finder in (_Masks.of(forest), _Walk(forest)):
        assert [finder.of_one(list(row)).tolist() for row in rows] == expected
        assert finder.of_many(np.array(rows).T).T.tolist() == expected


@pytest.mark.parametrize("left", [[0, 0, 1], [2, 0, 1], [1, 0, 7]])
def test_trees_that_lead_in_circles_or_nowhere_are_refused(left):
    params = {
        "feature": np.array([0, -1, -1]), "threshold": np.zeros(3), "left": np.array(left), "missing_left": np.zeros(3),
        "roots": np.array([0]), "values": np.zeros((2, 1)), "output": np.array([0]), "base": np.zeros(1), "divisor": 1.0, "single": False,
    }  # fmt: skip
    with pytest.raises(PackageError, match="lead nowhere"):
        trees.trees(params, False)


@pytest.mark.parametrize("leaves", [31, 32, 33, 63, 64, 65])
def test_trees_of_any_number_of_leaves_agree(leaves):
    """A chain that splits off one leaf after the other, up to and beyond the bits of a word."""
    # every inner node: its left child is a leaf, its right child the next inner node; the last right child is a leaf
    feature, threshold, left = [0], [0.0], [1]
    for k in range(leaves - 1):
        last = k == leaves - 2
        feature += [-1, -1 if last else 0]
        threshold += [0.0, 0.0 if last else float(k + 1)]
        left += [k, k + 1 if last else 2 * k + 3]
    params = {
        "feature": np.array(feature), "threshold": np.array(threshold), "left": np.array(left),
        "missing_left": np.ones(len(left), dtype=np.uint8), "roots": np.array([0]), "values": np.arange(leaves)[:, None] * 1.0,
        "output": np.array([0]), "base": np.zeros(1), "divisor": 1.0, "single": False,
    }  # fmt: skip
    at = [-1.0, 0.0, 0.5, 30.0, 30.5, 31.0, 31.5, 62.0, 62.5, 63.0, 70.0]
    expected = [float(min(max(0, math.ceil(x)), leaves - 1)) for x in at]
    assert [trees.trees(params, False)([x])[0] for x in at] == expected
    assert trees.trees(params, True)([np.array(at)])[0].tolist() == expected
