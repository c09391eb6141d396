"""Rows made to find where a compiled model and its pipeline might part: missing, unseen, extreme, on thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nbprod.compiled.plan import Plan, Step
from nbprod.domain.schema import Column, ColumnKind, Schema

__all__ = ["edge_rows", "thresholds"]

THRESHOLDS = 12  #: of each column, spread over all of them
UNSEEN = "\N{SNOWMAN} never seen"
MOMENTS = (
    datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2000, 2, 29, 23, 59, tzinfo=UTC),
    datetime(2100, 3, 1, tzinfo=UTC),
)
_Way = tuple[int, float, float]  # an input, and what takes a number back to it: times a, plus b


def edge_rows(
    rows: Sequence[Mapping[str, Any]], schema: Schema, plan: Plan | None, *, step: type[np.floating[Any]] = np.float64
) -> dict[str, list[dict[str, Any]]]:
    """Variants of usual rows, by kind of edge.

    Parameters
    ----------
    rows
        Usual ones, at least one.
    schema
        What may vary.
    plan
        Whose thresholds are to be met, if there is one.
    step
        The type whose next numbers stand beside a threshold.

    Returns
    -------
    dict
        Rows of the kinds ``missing``, ``unseen``, ``extreme`` and ``threshold``; a kind may have none.
    """
    made: dict[str, list[dict[str, Any]]] = {"missing": [], "unseen": [], "extreme": [], "threshold": []}
    nullable = [column.name for column in schema.columns if column.nullable]
    if nullable:
        made["missing"].append({**rows[0], **dict.fromkeys(nullable)})
    at = thresholds(plan) if plan is not None else {}
    count = 0
    for column in schema.columns:
        for kind, values in (
            ("missing", [None] if column.nullable else []),
            ("unseen", _unseen(column)),
            ("extreme", _extreme(column)),
            ("threshold", _beside(column, at.get(column.name, []), step)),
        ):
            for value in values:
                made[kind].append({**rows[count % len(rows)], column.name: value})
                count += 1
    return made


def _unseen(column: Column) -> list[Any]:
    if column.kind is ColumnKind.TEXT:
        return ["", UNSEEN]
    if column.kind is not ColumnKind.CATEGORY:
        return []
    if all(isinstance(value, str) for value in column.categories):
        return [UNSEEN]
    return [type(column.categories[-1])(float(max(column.categories)) + 1)]


def _extreme(column: Column) -> list[Any]:
    if column.kind is ColumnKind.DATETIME:
        zoned = "," in column.dtype
        return [moment if zoned else moment.replace(tzinfo=None) for moment in MOMENTS]
    if not column.is_numeric or column.low is None or column.high is None:
        return []
    span = (column.high - column.low) or abs(column.high) or 1.0
    values = [0.0, column.low, column.high, column.low - span, column.high + span]
    values += [column.low - 1e6 * span, column.high + 1e6 * span]
    return list(_fitting(column, values))


def _beside(column: Column, values: Sequence[float], step: type[np.floating[Any]]) -> list[Any]:
    """Each threshold, and the numbers next to it."""
    around = [
        float(beside)
        for value in values
        for number in [step(value)]
        for beside in (np.nextafter(number, step(-math.inf)), number, np.nextafter(number, step(math.inf)))
    ]
    return list(_fitting(column, around)) if column.is_numeric else []


def _fitting(column: Column, values: Sequence[float]) -> Iterator[Any]:
    """Numbers as the column holds them; whole ones on both sides where it is of whole numbers."""
    if column.kind is ColumnKind.NUMBER:
        yield from (float(value) for value in values)
        return
    low, high = (0, math.inf) if column.dtype.startswith("uint") else (-math.inf, math.inf)
    width = int("".join(digit for digit in column.dtype if digit.isdigit()) or 64) - (low != 0)
    low, high = max(low, -(2.0 ** (width - 2))), min(high, 2.0 ** (width - 2))
    yield from sorted(
        {int(whole) for value in values for whole in (math.floor(value), math.ceil(value)) if low <= whole <= high}
    )


def thresholds(plan: Plan, most: int = THRESHOLDS) -> dict[str, list[float]]:
    """By input: numbers at which a tree splits or a bin ends, taken back through scaling."""
    ways: list[list[_Way | None]] = [[(number, 1.0, 0.0) for number in range(len(plan.inputs))]]
    found: dict[str, set[float]] = {}
    for step in plan.steps:
        given = [way for register in step.inputs for way in ways[register]]
        for position, values in _splits(step):
            way = given[position] if position < len(given) else None
            if way is not None:
                number, times, plus = way
                found.setdefault(plan.inputs[number].name, set()).update(
                    value for value in (values * times + plus).tolist() if math.isfinite(value)
                )
        ways.append(_through(step, given))
    chosen = {}
    for name, met in found.items():
        ordered = sorted(met)
        places = np.linspace(0, len(ordered) - 1, min(most, len(ordered))).astype(int)
        chosen[name] = [ordered[place] for place in places.tolist()]
    return chosen


def _splits(step: Step) -> Iterator[tuple[int, np.ndarray]]:
    if step.op == "trees":
        feature, threshold = step.params["feature"], step.params["threshold"]
        for position in np.unique(feature[feature >= 0]).tolist():
            yield position, np.unique(threshold[feature == position])
    elif step.op == "bins":
        yield from enumerate(step.params["edges"])


def _through(step: Step, given: list[_Way | None]) -> list[_Way | None]:
    """Where the columns a step makes come from, as far as they can be taken back."""
    params = step.params
    match step.op:
        case "take":
            return [given[position] if position < len(given) else None for position in params["columns"]]
        case "join" | "fill" | "fill_equal" | "single" | "finite" | "clip":
            return given
        case "members":
            return [*given, *[None] * len(params["columns"])]
        case "standardise":
            return _moved(given, params["scale"], params["mean"])
        case "shift":
            return _moved(given, np.ones(len(params["values"])), params["values"])
        case "add":
            return _moved(given, np.ones(len(params["values"])), -params["values"])
        case "divide":
            return _moved(given, params["values"], np.zeros(len(params["values"])))
        case "multiply":
            return _moved(
                given,
                1.0 / np.where(params["values"] == 0.0, np.nan, params["values"]),
                np.zeros(len(params["values"])),
            )
        case "lookup":
            return [None] * sum(table.shape[1] for table in params["tables"])
        case "marks":
            return [None] * len(params["columns"])
        case "moments":
            return [None] * (6 * len(given))
        case "words":
            return [None] * len(params["words"])
        case "bins":
            return [None] * sum(table.shape[1] for table in params["tables"])
        case "products":
            return [given[term[0]] if len(term) == 1 and term[0] < len(given) else None for term in params["terms"]]
        case "linear":
            return [None] * len(params["weights"])
        case _:
            return [None] * len(given)


def _moved(given: list[_Way | None], scale: np.ndarray, middle: np.ndarray) -> list[_Way | None]:
    if len(given) != len(scale):  # behind an operation that makes columns of its own
        return [None] * len(scale)
    return [
        None if way is None else (way[0], way[1] * float(times), way[1] * float(plus) + way[2])
        for way, times, plus in zip(given, scale, middle, strict=True)
    ]
