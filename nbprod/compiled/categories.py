"""Operations on categories, moments and text: what turns them into columns of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbprod.compiled.arithmetic import log
from nbprod.compiled.columns import Coded, is_missing
from nbprod.compiled.numbers import Run
from nbprod.errors import SchemaError

__all__ = ["CATEGORY_OPERATIONS", "moment_parts"]

Params = Mapping[str, Any]
MINUTE = 60_000_000.0  # microseconds
WORD = re.compile(r"(?u)\b\w\w+\b")


def lookup(params: Params, many: bool) -> Run:  # noqa: FBT001
    """For each column the row of its table that belongs to the value.

    The last two rows of a table are for missing and for unknown values; ``refuse`` says whether these are errors.
    """
    tables: list[np.ndarray] = params["tables"]
    names, refuse = params["names"], params["refuse"]
    positions = [{value: code for code, value in enumerate(values)} for values in params["values"]]
    if many:

        def of_many(xs: list[Any]) -> list[Any]:
            made: list[Any] = []
            for x, known, table, name, refused in zip(xs, positions, tables, names, refuse, strict=True):
                codes = _codes_of(x, known)
                _check(codes, len(known), name, refused)
                made.extend(np.ascontiguousarray(table[:, k])[codes] for k in range(table.shape[1]))
            return made

        return of_many
    rows = [[tuple(row) for row in table.tolist()] for table in tables]
    parts = list(zip(positions, rows, names, refuse, strict=True))

    def of_one(xs: list[Any]) -> list[Any]:
        made: list[Any] = []
        for x, (known, table, name, refused) in zip(xs, parts, strict=True):
            code = known.get(x)
            if code is None:
                missing = is_missing(x)
                if refused[0 if missing else 1]:
                    raise _refusal(name, missing=missing)
                code = -2 if missing else -1
            made += table[code]
        return made

    return of_one


def _codes_of(x: Any, known: Mapping[Any, int]) -> np.ndarray:
    """Positions in a table whose last two rows are for missing and unknown values."""
    missing, unknown = len(known), len(known) + 1
    if isinstance(x, Coded):
        of_values = [missing if value is None else known.get(value, unknown) for value in x.values]
        return x.spread(np.array(of_values, dtype=np.int64)) if of_values else np.zeros(0, dtype=np.int64)
    values = np.array([float(value) for value in known if isinstance(value, int | float)])
    codes = np.array([code for value, code in known.items() if isinstance(value, int | float)], dtype=np.int64)
    if not len(values):
        return np.where(x != x, missing, unknown)  # noqa: PLR0124 — NaN
    order = np.argsort(values)
    values, codes = values[order], codes[order]
    at = np.minimum(np.searchsorted(values, x), len(values) - 1)
    return np.where(values[at] == x, codes[at], np.where(x != x, missing, unknown))  # noqa: PLR0124 — NaN


def _check(codes: np.ndarray, known: int, name: str, refused: list[bool]) -> None:
    for number, is_refused in enumerate(refused):
        if is_refused and (codes == known + number).any():
            raise _refusal(name, missing=number == 0)


def _refusal(name: str, *, missing: bool) -> SchemaError:
    what = "is missing in a row" if missing else "has a value that was never seen"
    return SchemaError(
        f"{name} {what}, which the model refuses.",
        columns=[name],
        hint="Train with handle_unknown='ignore' if such values should be predicted.",
    )


def fill_text(params: Params, many: bool) -> Run:  # noqa: FBT001
    """A value for each missing one."""
    values = params["values"]
    if many:
        return lambda xs: [_filled(x, value) for x, value in zip(xs, values, strict=True)]
    return lambda xs: [value if is_missing(x) else x for x, value in zip(xs, values, strict=True)]


def _filled(x: Any, value: Any) -> Any:
    if isinstance(x, Coded):
        return Coded(tuple(value if is_missing(one) else one for one in x.values), x.codes)
    return np.where(x != x, value, x)  # noqa: PLR0124 — NaN


def moments(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """Year, month, day, weekday (Monday is 0), hour and minute of each moment."""
    if many:
        return lambda xs: [part for x in xs for part in _parts_of(x)]
    return lambda xs: [part for x in xs for part in moment_parts(x)]


def moment_parts(microseconds: float) -> list[float]:
    """The six parts of a moment after 1970 or before; the calendar is Gregorian throughout.

    The date comes from the count of days by eras of 400 years (H. Hinnant, *chrono-compatible low-level date
    algorithms*).
    """
    if microseconds != microseconds:  # noqa: PLR0124 — NaN
        return [math.nan] * 6
    minutes = microseconds // MINUTE
    days = minutes // 1440.0
    minute_of_day = minutes - days * 1440.0
    shifted = days + 719468.0
    era = shifted // 146097.0
    day_of_era = shifted - era * 146097.0
    year_of_era = (day_of_era - day_of_era // 1460.0 + day_of_era // 36524.0 - day_of_era // 146096.0) // 365.0
    day_of_year = day_of_era - (365.0 * year_of_era + year_of_era // 4.0 - year_of_era // 100.0)
    month = (5.0 * day_of_year + 2.0) // 153.0
    day = day_of_year - (153.0 * month + 2.0) // 5.0 + 1.0
    month = month + 3.0 if month < 10.0 else month - 9.0
    year = year_of_era + era * 400.0 + (1.0 if month <= 2.0 else 0.0)
    hour = minute_of_day // 60.0
    return [year, month, day, (days + 3.0) % 7.0, hour, minute_of_day - hour * 60.0]


def _parts_of(microseconds: np.ndarray) -> list[np.ndarray]:
    moments_ = np.where(np.isnan(microseconds), 0.0, microseconds).astype("datetime64[us]")
    days = moments_.astype("datetime64[D]")
    months = moments_.astype("datetime64[M]")
    years = moments_.astype("datetime64[Y]")
    minutes = (moments_.astype("datetime64[m]") - days).astype(np.int64)
    parts = [
        years.astype(np.int64) + 1970,
        (months - years).astype(np.int64) + 1,
        (days - months).astype(np.int64) + 1,
        (days.astype(np.int64) + 3) % 7,
        minutes // 60,
        minutes % 60,
    ]
    return [np.where(np.isnan(microseconds), np.nan, part) for part in parts]


def words(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Counts of the words of one column of text, weighted as TF-IDF where there are weights."""
    vocabulary: dict[str, int] = {word: position for position, word in enumerate(params["words"])}
    weights = params["idf"].tolist() if params["idf"] is not None else None
    sublinear, norm, lower, binary = params["sublinear"], params["norm"], params["lower"], params["binary"]

    def of_text(text: str) -> dict[int, float]:
        counts: dict[int, float] = {}
        for word in WORD.findall(text.lower() if lower else text):
            position = vocabulary.get(word)
            if position is not None:
                counts[position] = 1.0 if binary else counts.get(position, 0.0) + 1.0
        length = 0.0
        for position in sorted(counts):  # the order the sums are made in
            value = log(counts[position]) + 1.0 if sublinear else counts[position]
            if weights is not None:
                value = value * weights[position]
            counts[position] = value
            length += value * value if norm == "l2" else abs(value)
        if norm and length > 0.0:
            length = math.sqrt(length) if norm == "l2" else length
            return {position: value / length for position, value in counts.items()}
        return counts

    if not many:

        def of_one(xs: list[Any]) -> list[Any]:
            row = [0.0] * len(vocabulary)
            for position, value in of_text(xs[0]).items():
                row[position] = value
            return row

        return of_one

    def of_many(xs: list[Any]) -> list[Any]:
        table = np.zeros((len(vocabulary), len(xs[0].values)))
        for number, text in enumerate(xs[0].values):
            for position, value in of_text(text).items():
                table[position, number] = value
        return [row[xs[0].codes] for row in table]

    return of_many


def members(params: Params, many: bool) -> Run:  # noqa: FBT001
    """The columns, and after them for each set of codes 0 where a column's code is in it, else 1."""
    columns = [int(one) for one in params["columns"]]
    tables: np.ndarray = params["tables"]  # one row a set: a number for each code, the last for missing and unknown
    last = tables.shape[1] - 1
    if many:

        def of_many(xs: list[Any]) -> list[Any]:
            codes = {column: _member_codes(xs[column], last) for column in set(columns)}
            return [*xs, *(table[codes[column]] for column, table in zip(columns, tables, strict=True))]

        return of_many
    rows = tables.tolist()

    def of_one(xs: list[Any]) -> list[Any]:
        made = list(xs)
        for column, row in zip(columns, rows, strict=True):
            x = xs[column]
            made.append(row[int(x)] if 0.0 <= x < last else row[last])
        return made

    return of_one


def _member_codes(x: np.ndarray, last: int) -> np.ndarray:
    inside = (x >= 0.0) & (x < last)
    return np.where(inside, np.where(inside, x, 0.0).astype(np.int64), last)


#: By name, for plans.
CATEGORY_OPERATIONS: dict[str, Callable[[Params, bool], Run]] = {
    "fill_text": fill_text,
    "lookup": lookup,
    "members": members,
    "moments": moments,
    "words": words,
}
