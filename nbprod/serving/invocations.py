"""MLflow's scoring protocol, so that its clients move over without a change: the four JSON forms, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.serving.requests import FormError, read_json

__all__ = ["FORMS", "read_invocation"]

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
EXPECTED = f"one of {', '.join(FORMS)}"


def read_invocation(body: bytes, media: str, schema: Schema) -> list[dict[str, Any]]:
    """Rows of a body.

    Raises
    ------
    BodyError
        It is no strict JSON, or no CSV.
    FormError
        It has none of the forms.
    """
    if media == "text/csv":
        return _from_csv(body, schema)
    asked = read_json(body)
    if not isinstance(asked, dict):
        raise FormError("", EXPECTED)
    given = [name for name in FORMS if name in asked]
    if len(given) != 1 or (asked.keys() - {*FORMS, "params"}):
        raise FormError(given[-1] if given else "", EXPECTED)
    (form,) = given
    data = asked[form]
    if form == "dataframe_split":
        return _from_split(data)
    if form == "dataframe_records":
        return _rows(data, form)
    if isinstance(data, list) and data and not isinstance(data[0], dict):
        return _from_lists(data, form, schema.names)
    return _rows(data, form) if isinstance(data, list) else _from_columns(data, form)


def _from_split(data: Any) -> list[dict[str, Any]]:
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        raise FormError("dataframe_split", "an object with columns and data")
    names = data.get("columns")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormError("dataframe_split", "columns: a list of names")
    if len(set(names)) < len(names):
        raise FormError("dataframe_split", "each column once")
    return _from_lists(data["data"], "dataframe_split", names)


def _from_lists(data: Sequence[Any], form: str, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for number, values in enumerate(data):
        if not isinstance(values, list) or len(values) != len(names):
            raise FormError(form, f"a list of {len(names)} values, one a column", row=number)
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def _rows(data: Any, form: str) -> list[dict[str, Any]]:
    if not isinstance(data, list):
        raise FormError(form, "a list of rows")
    for number, row in enumerate(data):
        if not isinstance(row, dict):
            raise FormError(form, "an object from column to value", row=number)
    return data


def _from_columns(data: Any, form: str) -> list[dict[str, Any]]:
    if not isinstance(data, Mapping) or not all(isinstance(values, list) for values in data.values()):
        raise FormError(form, "a list of rows, or an object from column to a list of values")
    if len({len(values) for values in data.values()}) > 1:
        raise FormError(form, "columns of the same number of values")
    return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]


def _from_csv(body: bytes, schema: Schema) -> list[dict[str, Any]]:
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise FormError("", "CSV in UTF-8 with a line of names") from None
    if not lines or len(set(lines[0])) < len(lines[0]):
        raise FormError("", "CSV whose first line names each column once")
    kinds = {column.name: column for column in schema.columns}
    rows = []
    for number, values in enumerate(line for line in lines[1:] if line):
        if len(values) != len(lines[0]):
            raise FormError("", f"{len(lines[0])} values, one a column", row=number)
        rows.append({name: _value(text, kinds.get(name)) for name, text in zip(lines[0], values, strict=True)})
    return rows


def _value(text: str, column: Column | None) -> Any:
    """A cell as its column's kind; what cannot be one stays text, and the check of the rows says so."""
    if text == "":
        return None
    if column is None:
        return text
    if column.kind is ColumnKind.BOOLEAN:
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
    is_number = column.is_numeric or (
        column.kind is ColumnKind.CATEGORY and column.categories and not isinstance(column.categories[0], str)
    )
    if is_number:
        try:
            return int(text)
        except ValueError:
            try:
                return float(text)
            except ValueError:
                return text
    return text
