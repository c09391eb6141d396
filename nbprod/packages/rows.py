"""Rows against a schema: in the form the model takes them, or a sentence for each column that does not match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from nbprod.domain.names import nearest
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import SchemaError

__all__ = ["CheckedRows", "check_rows"]

TEXT_DTYPE = "str" if int(pd.__version__.split(".", 1)[0]) >= 3 else "object"  # "str" turns None into "None" before 3
MOST_WHOLE = 2.0**63
WORDS = {  # what pandas calls the values it finds
    "boolean": "true or false",
    "floating": "numbers",
    "integer": "whole numbers",
    "mixed": "values of several types",
    "mixed-integer": "values of several types",
    "string": "text",
}
EXPECTED = {
    ColumnKind.NUMBER: "numbers",
    ColumnKind.INTEGER: "whole numbers",
    ColumnKind.BOOLEAN: "true or false",
    ColumnKind.TEXT: "text",
    ColumnKind.DATETIME: "moments",
}


@dataclass(frozen=True, kw_only=True)
class CheckedRows:
    """Rows as the model takes them, and what is odd about them without being wrong."""

    frame: pd.DataFrame  #: the schema's columns, in its order, with its dtypes
    warnings: tuple[str, ...] = ()  #: unseen categories, values out of range, columns the model does not take


def check_rows(rows: pd.DataFrame | Sequence[Mapping[str, Any]], schema: Schema) -> CheckedRows:
    """Give the rows the form the model takes, or say column by column why they cannot have it.

    Whole numbers widen to floating-point ones; text is never read as a number. Values never seen and values out of
    range are warnings: the model may cope, and a monitor counts them.

    Raises
    ------
    SchemaError
        A column is missing, has another type, or has missing values where there were none.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else _frame(rows, schema)
    given = [str(name) for name in frame.columns]
    doubled = sorted({name for name in given if given.count(name) > 1})
    if doubled:
        raise SchemaError(f"Columns occur more than once: {', '.join(doubled)}", columns=doubled)
    faults: dict[str, str] = {}
    remarks: list[str] = []
    columns: dict[str, pd.Series[Any]] = {}
    unknown = [name for name in given if name not in {*schema.names, schema.target, schema.time}]
    for column in schema.columns:
        if column.name not in given:
            faults[column.name] = f"{column.name} is missing. {_suggestion(column.name, unknown)}".strip()
            continue
        try:
            columns[column.name] = _convert(frame[column.name], column)
        except SchemaError as error:
            faults[column.name] = error.message
            continue
        remarks += _remarks(columns[column.name], column)
    if faults:
        raise SchemaError(
            "\n".join(faults.values()),
            columns=list(faults),
            hint="Give the rows as they were when the model was trained; package.schema shows its columns.",
        )
    if unknown:
        remarks.append(f"The model does not take {', '.join(sorted(unknown))}; left out.")
    made = pd.DataFrame(columns, index=frame.index)
    return CheckedRows(frame=made, warnings=tuple(remarks))


def _frame(rows: Sequence[Mapping[str, Any]], schema: Schema) -> pd.DataFrame:
    if isinstance(rows, (str, bytes, Mapping)) or not all(isinstance(row, Mapping) for row in rows):
        raise SchemaError(
            "Rows must be a data frame or a list of mappings from column to value",
            hint='For instance [{"hour": 7, "place": "north"}].',
        )
    return pd.DataFrame.from_records(list(rows), columns=None if rows else list(schema.names))


def _suggestion(missing: str, unknown: Sequence[str]) -> str:
    found = nearest(missing, unknown) if unknown else ""
    return found.split("?", 1)[0] + "?" if found.startswith("Did you mean") else ""


def _convert(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    missing = values.isna()
    if missing.any() and not column.nullable:
        raise SchemaError(
            f"{column.name} has {int(missing.sum())} missing values; there were none when the model was saved.",
            columns=[column.name],
        )
    if missing.all():  # also when there are no rows
        return _missing(values, column)
    match column.kind:
        case ColumnKind.NUMBER | ColumnKind.INTEGER:
            return _numbers(values, column)
        case ColumnKind.BOOLEAN:
            return _booleans(values, column)
        case ColumnKind.DATETIME:
            return _moments(values, column)
        case _:
            return _texts(values, column)


def _missing(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.is_numeric:
        return pd.Series(np.nan, index=values.index, dtype=float)
    if column.kind is ColumnKind.DATETIME:
        return pd.Series(pd.NaT, index=values.index, dtype=_moment_dtype(column))
    return pd.Series([None] * len(values), index=values.index, dtype=_text_dtype(column))


def _numbers(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    inferred = types.infer_dtype(values, skipna=True)
    if inferred not in {"integer", "floating", "mixed-integer-float", "decimal", "empty"}:
        raise _wrong(values, column, inferred)
    if column.kind is ColumnKind.INTEGER and types.is_integer_dtype(values.dtype) and not values.isna().any():
        return _narrowed(values.astype("int64"), column)  # not through float, which has only 53 bits
    numbers = pd.Series(values.to_numpy(dtype=float, na_value=np.nan), index=values.index)
    if np.isinf(numbers).any():
        raise SchemaError(f"{column.name} holds infinite values.", columns=[column.name])
    if column.kind is ColumnKind.NUMBER:
        return _narrowed(numbers, column)
    if (numbers.abs() >= MOST_WHOLE).any():
        raise SchemaError(f"{column.name} holds whole numbers beyond 64 bits.", columns=[column.name])
    broken = numbers[numbers.notna() & (numbers != np.floor(numbers))]
    if len(broken):
        raise SchemaError(
            f"{column.name} holds {broken.iloc[0]:g}; whole numbers are expected.", columns=[column.name]
        )
    return numbers if numbers.isna().any() else _narrowed(numbers.astype("int64"), column)


def _narrowed(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    # a model trained on 32 bits computes in 32 bits, so it must be given them again
    dtype: Any = column.dtype
    if dtype in {"float16", "float32"}:
        return values.astype(dtype)
    if dtype in {"int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64"}:
        bounds = np.iinfo(dtype)
        return values.astype(dtype) if values.between(bounds.min, bounds.max).all() else values
    return values


def _booleans(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    inferred = types.infer_dtype(values, skipna=True)
    if inferred not in {"boolean", "empty"}:
        raise _wrong(values, column, inferred)
    return values.astype("object" if values.isna().any() else "bool")


def _texts(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    plain = values.astype(values.cat.categories.dtype) if isinstance(values.dtype, pd.CategoricalDtype) else values
    inferred = types.infer_dtype(plain, skipna=True)
    textual = all(isinstance(value, str) for value in column.categories)  # categories may be numbers too
    if column.dtype == "category" and not column.categories:  # a private column's are not known
        textual = inferred == "string"
    if inferred != "empty" and textual != (inferred == "string"):
        raise _wrong(plain, column, inferred)
    if column.dtype != "category":
        return plain.astype(_text_dtype(column))
    unseen = sorted(set(plain.dropna().unique()) - set(column.categories))
    return plain.astype(pd.CategoricalDtype([*column.categories, *unseen]))


def _moments(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    inferred = types.infer_dtype(values, skipna=True)
    if inferred not in {"datetime64", "datetime", "date", "string", "empty"}:
        raise _wrong(values, column, inferred)
    try:
        # JSON has no moments, so ISO 8601 text is one here
        moments = pd.to_datetime(values, utc=True, format="ISO8601" if inferred == "string" else None)
    except (ValueError, TypeError) as error:
        raise SchemaError(
            f"{column.name} holds text that is no ISO 8601 moment.",
            columns=[column.name],
        ) from error
    # pandas reads empty text as missing, and "now" as the present
    words = inferred == "string" and not values.dropna().astype(str).str.match(r"\d").all()
    if words or (moments.isna() & values.notna()).any():
        raise SchemaError(f"{column.name} holds text that is no ISO 8601 moment.", columns=[column.name])
    if "," not in column.dtype:  # trained without a zone: UTC is meant
        moments = moments.dt.tz_localize(None)
    return moments.astype(_moment_dtype(column))


def _moment_dtype(column: Column) -> Any:
    return column.dtype if column.dtype.startswith("datetime64") else "datetime64[us]"


def _text_dtype(column: Column) -> Any:
    if column.dtype == "category":
        return pd.CategoricalDtype(list(column.categories))
    return "object" if column.dtype == "object" or column.kind is ColumnKind.BOOLEAN else TEXT_DTYPE


def _wrong(values: pd.Series[Any], column: Column, inferred: str) -> SchemaError:
    textual = all(isinstance(value, str) for value in column.categories)
    expected = EXPECTED.get(column.kind, "text" if textual else "numbers")
    shown = f", for instance {str(values.dropna().iloc[0])[:40]!r}" if inferred == "string" else ""
    verb = "are" if expected in {"numbers", "whole numbers", "moments"} else "is"
    return SchemaError(
        f"{column.name} holds {WORDS.get(inferred, inferred)}{shown}; {expected} {verb} expected.",
        columns=[column.name],
    )


def _remarks(values: pd.Series[Any], column: Column) -> list[str]:
    if column.is_numeric and column.low is not None and column.high is not None:
        numbers = values.to_numpy(dtype=float)
        outside = int(((numbers < column.low) | (numbers > column.high)).sum())
        if outside:
            worst = np.nanmin(numbers) if np.nanmin(numbers) < column.low else np.nanmax(numbers)
            bounds = f"{column.low:g} to {column.high:g}"
            return [f"{column.name} is outside {bounds} in {outside} of {len(values)} rows, for instance {worst:g}."]
    if column.kind is ColumnKind.CATEGORY and column.categories:
        found = values.dropna()
        unseen = found[~found.isin(column.categories)]
        if len(unseen):
            shown = ", ".join(repr(value) for value in list(unseen.unique())[:3])
            return [f"{column.name} has values never seen in {len(unseen)} of {len(values)} rows: {shown}."]
    return []
