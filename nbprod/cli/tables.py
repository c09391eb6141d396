"""Arrow tables as files of three kinds, each visible whole or not at all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from nbprod.cli.output import print_json
from nbprod.datasets import write_parquet
from nbprod.disk import write_file
from nbprod.domain.plain import plain
from nbprod.visible import in_json

__all__ = ["write_table"]


def write_table(table: pa.Table, kind: str, path: Path) -> None:
    """Write a table as ``csv``, ``json`` (a list of records; ``-`` is stdout) or ``parquet``."""
    target = path.expanduser()
    if kind == "parquet":
        write_parquet(table, target)
    elif kind == "csv":
        buffer = io.BytesIO()
        csv.write_csv(table, buffer)
        write_file(target, buffer.getvalue())
    elif str(path) == "-":
        print_json(plain(table.to_pylist()))
    else:
        text = json.dumps(plain(table.to_pylist()), ensure_ascii=False, indent=1, allow_nan=False)
        write_file(target, in_json(text) + "\n")
