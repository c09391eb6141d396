"""What is open as a file that people fill in, and such a file read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from nbprod.datasets import open_dataset
from nbprod.datasets.writing import write_parquet
from nbprod.disk import write_file
from nbprod.domain.review import ReviewItem
from nbprod.errors import SchemaError, SettingsError

__all__ = ["check_kind", "read_answers", "write_items"]

OWN = ("prediction_id", "at", "outcome", "reviewer")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  #: what spreadsheets take for more than text, and the mark against it


def check_kind(path: Path) -> None:
    """Refuse a file of another kind.

    Raises
    ------
    SettingsError
        Its name ends in something else.
    """
    if path.suffix not in {".csv", ".parquet"}:
        raise SettingsError(f"{path.name} is neither CSV nor Parquet", hint="Name it open.csv or open.parquet.")


def write_items(items: Sequence[ReviewItem], path: Path, reviewer: str) -> None:
    """Write what is to be looked at, whole or not at all; inputs named as our columns get ``input_`` before.

    In CSV a text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    names = list(dict.fromkeys(name for item in items for name in item.inputs))
    columns = {name: f"input_{name}" if name in OWN else name for name in names}
    rows = [
        {
            "prediction_id": item.prediction_id,
            "at": item.at,
            **{columns[name]: item.inputs.get(name) for name in names},
            "outcome": None,
            "reviewer": reviewer,
        }
        for item in items
    ]
    header = ["prediction_id", "at", *columns.values(), "outcome", "reviewer"]
    if path.suffix == ".parquet":
        table = pa.table({name: pa.array([row[name] for row in rows]) for name in header})
        place = header.index("outcome")
        write_parquet(table.set_column(place, "outcome", pa.nulls(len(rows), pa.string())), path)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(row[name]) for name in header] for row in rows)
    write_file(path, text.getvalue())


def read_answers(path: Path | str, reviewer: str) -> tuple[dict[str, dict[str, Any]], int]:
    """By reviewer and prediction what was answered, and how many rows have no answer.

    Raises
    ------
    SchemaError
        There is no column ``prediction_id`` or ``outcome``, or an id is missing or given twice by one person.
    """
    dataset = open_dataset(str(path), allow_empty=True)
    names = dataset.schema.names
    if missing := [name for name in ("prediction_id", "outcome") if name not in names]:
        raise SchemaError(
            f"{missing[0]}: this column is missing", columns=missing, hint=f"Columns found: {', '.join(names)}."
        )
    read = [name for name in ("prediction_id", "outcome", "reviewer") if name in names]
    rows = dataset.as_text(read).table(read).to_pylist()
    answers: dict[str, dict[str, Any]] = {}
    blank = 0
    for row in rows:
        if row["outcome"] is None or not str(row["outcome"]).strip():
            blank += 1
            continue
        who = _read(row.get("reviewer")) or reviewer
        name = _read(row["prediction_id"])
        if not name or name in answers.setdefault(who, {}):
            raise SchemaError("prediction_id: one is missing or given twice", columns=["prediction_id"])
        answers[who][name] = _read(row["outcome"])
    return answers, blank


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _read(value: Any) -> str:
    text = "" if value is None else str(value)
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text
