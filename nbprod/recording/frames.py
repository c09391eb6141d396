"""pandas values as JSON and back: moments by their integer, tables as Arrow bytes, with dtypes and index.

What comes back is compared with what went in before it is kept, so a table is kept exactly or refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from nbprod.recording.blobs import Blobs
from nbprod.recording.plain import decode_zone, encode_zone, is_unicode

__all__ = ["Inner", "decode_pandas", "encode_pandas"]

ENDING = ".arrow"


@dataclass(frozen=True, kw_only=True)
class Inner:
    """How the values inside of a table (objects, labels, names) become JSON and come back."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def encode_pandas(value: Any, blobs: Blobs, inner: Inner) -> dict[str, Any]:
    """A pandas scalar, series or frame as JSON.

    Raises
    ------
    TypeError
        The value is of another kind, or has a column that Arrow does not know.
    ValueError
        A column or an index would not come back as it is.
    """
    if value is pd.NaT:
        return {"type": "NaT"}
    if value is pd.NA:
        return {"type": "NA"}
    if type(value) is pd.Timestamp:
        zone = encode_zone(value.tzinfo)
        return {"type": "Timestamp", "value": str(value.asm8.view("i8")), "unit": value.unit, "zone": zone}
    if type(value) is pd.Timedelta:
        return {"type": "Timedelta", "value": str(value.asm8.view("i8")), "unit": value.unit}
    if type(value) is pd.Series:
        frame = value.to_frame("values")
        return {"type": "series", "name": inner.encode(value.name), **_encode_frame(frame, blobs, inner)}
    if type(value) is pd.DataFrame:
        return {"type": "frame", **_encode_frame(value, blobs, inner)}
    raise TypeError(f"a value of the type {type(value).__module__}.{type(value).__qualname__}")


def decode_pandas(node: Mapping[str, Any], blobs: Blobs, inner: Inner) -> Any:
    """The scalar, the series or the frame again."""
    kind = node["type"]
    if kind in {"NaT", "NA"}:
        return pd.NaT if kind == "NaT" else pd.NA
    if kind == "Timestamp":
        moment = pd.Timestamp(int(node["value"]), unit=node["unit"]).as_unit(node["unit"])
        zone = decode_zone(node["zone"])
        return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)
    if kind == "Timedelta":
        return pd.Timedelta(int(node["value"]), unit=node["unit"]).as_unit(node["unit"])
    if kind == "series":
        values = _decode_frame(node, blobs, inner)["values"]
        values.name = inner.decode(node["name"])
        return values
    if kind == "frame":
        return _decode_frame(node, blobs, inner)
    raise ValueError(f"{kind!r} is not a kind of a recorded value")


def _encode_frame(frame: pd.DataFrame, blobs: Blobs, inner: Inner) -> dict[str, Any]:
    columns = {f"c{number}": frame.iloc[:, number] for number in range(frame.shape[1])}
    index: dict[str, Any] = {"names": [inner.encode(name) for name in frame.index.names]}
    if type(frame.index) is pd.RangeIndex:
        index["range"] = [frame.index.start, frame.index.stop, frame.index.step]
    else:
        index["levels"] = frame.index.nlevels if isinstance(frame.index, pd.MultiIndex) else 0
        index["freq"] = getattr(frame.index, "freqstr", None) if not isinstance(frame.index, pd.PeriodIndex) else None
        for level in range(frame.index.nlevels):
            columns[f"i{level}"] = frame.index.get_level_values(level).to_series(index=pd.RangeIndex(len(frame)))
    tables, encodings = {}, {}
    for name, column in columns.items():
        label = name if name[0] == "i" else frame.columns[int(name[1:])]
        tables[name], encodings[name] = _to_arrow(column, label, inner)
    layout = {
        "rows": len(frame),
        "columns": _encode_labels(frame.columns, inner),
        "index": index,
        "objects": {name: encoding for name, encoding in encodings.items() if encoding is not None},
    }
    content = _write(tables)
    _compare(frame, _rebuild(layout, content, inner), inner)
    return {"layout": layout, **blobs.keep(content, ENDING)}


def _to_arrow(column: pd.Series[Any], label: object, inner: Inner) -> tuple[pa.Table, str | None]:
    """One column as a table of its own, with pandas' note on its dtype, and how its objects are told."""
    plain = column.reset_index(drop=True).rename("v")
    encoding = None
    if plain.dtype == object:
        plain, encoding = _objects_as_text(plain, inner)
    try:
        return pa.Table.from_pandas(plain.to_frame(), preserve_index=False), encoding
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(f"a table whose column {label!r} of {column.dtype} Arrow does not know ({error})") from error


def _objects_as_text(column: pd.Series[Any], inner: Inner) -> tuple[pd.Series[Any], str]:
    """Texts as they are, with their one kind of missing value; any other objects each as JSON."""
    others = [value for value in column if type(value) is not str or not is_unicode(value)]
    if all(value is None for value in others):
        return column, "none"
    if all(type(value) is float and value != value for value in others):  # noqa: PLR0124 — NaN
        return column.where(column.notna(), None), "nan"
    return pd.Series([json.dumps(inner.encode(value)) for value in column], dtype=object, name="v"), "json"


def _objects(texts: list[Any], encoding: str, inner: Inner) -> list[Any]:
    if encoding == "json":
        return [inner.decode(json.loads(text)) for text in texts]
    missing = math.nan if encoding == "nan" else None
    return [missing if text is None else text for text in texts]


def _write(tables: Mapping[str, pa.Table]) -> bytes:
    fields, arrays = [], []
    for name, table in tables.items():
        note = {b"pandas": table.schema.metadata[b"pandas"]}
        fields.append(pa.field(name, table.schema.field(0).type, metadata=note))
        chunks = table.column(0).chunks  # of no rows, only the chunk itself still knows its categories
        arrays.append(chunks[0] if len(chunks) == 1 else table.column(0).combine_chunks())
    schema = pa.schema(fields)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


def _decode_frame(node: Mapping[str, Any], blobs: Blobs, inner: Inner) -> pd.DataFrame:
    return _rebuild(node["layout"], blobs.fetch(node, ENDING), inner)


def _rebuild(layout: Mapping[str, Any], content: bytes, inner: Inner) -> pd.DataFrame:
    table = pa.ipc.open_stream(pa.py_buffer(content)).read_all()
    columns = {}
    for field in table.schema:
        column = table.column(field.name)
        if encoding := layout["objects"].get(field.name):
            columns[field.name] = pd.Series(_objects(column.to_pylist(), encoding, inner), dtype=object)
        else:
            one = pa.table([column], schema=pa.schema([field.with_name("v")], metadata=field.metadata))
            columns[field.name] = one.to_pandas()["v"]
    index_layout = layout["index"]
    names = [inner.decode(name) for name in index_layout["names"]]
    index: pd.Index[Any]
    if "range" in index_layout:
        start, stop, step = index_layout["range"]
        index = pd.RangeIndex(start, stop, step, name=names[0])
    elif index_layout["levels"]:
        levels = [columns.pop(f"i{level}") for level in range(index_layout["levels"])]
        index = pd.MultiIndex.from_arrays([pd.Index(level, dtype=level.dtype) for level in levels])
        index.names = names
    else:
        level = columns.pop("i0")
        index = pd.Index(level, dtype=level.dtype)
        index.names = names
        if index_layout["freq"] is not None:
            index.freq = index_layout["freq"]  # type: ignore[attr-defined]
    for values in columns.values():  # as series: pandas guesses other types for bare objects
        values.index = index
    frame = pd.DataFrame({int(name[1:]): values for name, values in columns.items()}, index=index)
    frame.columns = _decode_labels(layout["columns"], inner)
    return frame


def _encode_labels(labels: pd.Index[Any], inner: Inner) -> dict[str, Any]:
    encoded: dict[str, Any] = {"names": [inner.encode(name) for name in labels.names]}
    if type(labels) is pd.RangeIndex:
        return {**encoded, "range": [labels.start, labels.stop, labels.step]}
    encoded["labels"] = [inner.encode(label) for label in labels]
    encoded["dtype"] = None if isinstance(labels, pd.MultiIndex) else str(labels.dtype)
    return encoded


def _decode_labels(encoded: Mapping[str, Any], inner: Inner) -> pd.Index[Any]:
    names = [inner.decode(name) for name in encoded["names"]]
    if "range" in encoded:
        start, stop, step = encoded["range"]
        return pd.RangeIndex(start, stop, step, name=names[0])
    labels = [inner.decode(label) for label in encoded["labels"]]
    if encoded["dtype"] is None:
        return pd.MultiIndex.from_tuples(labels, names=names)
    return pd.Index(labels, dtype=encoded["dtype"], name=names[0], tupleize_cols=False)


def _compare(before: pd.DataFrame, after: pd.DataFrame, inner: Inner) -> None:
    """Refuse a table that would not come back as it is."""
    if not _same_index(before.columns, after.columns, inner):
        raise ValueError("the labels of its columns do not come back as they are; rename them to plain texts")
    if not _same_index(before.index, after.index, inner):
        raise ValueError("its index does not come back as it is; reset_index() makes it a column")
    for number, label in enumerate(before.columns):
        left, right = before.iloc[:, number], after.iloc[:, number]
        if left.dtype != right.dtype or not _same_values(left, right, inner):
            raise ValueError(f"its column {label!r} of {left.dtype} does not come back as it is; convert it")


def _same_index(left: pd.Index[Any], right: pd.Index[Any], inner: Inner) -> bool:
    if type(left) is not type(right) or list(left.names) != list(right.names):
        return False
    levels = ((one.get_level_values(level).to_series() for one in (left, right)) for level in range(left.nlevels))
    return all(one.dtype == other.dtype and _same_values(one, other, inner) for one, other in levels)


def _same_values(left: pd.Series[Any], right: pd.Series[Any], inner: Inner) -> bool:
    if left.dtype != object:
        return left.reset_index(drop=True).equals(right.reset_index(drop=True))
    return all(
        one is other or (type(one) is type(other) and inner.encode(one) == inner.encode(other))
        for one, other in zip(left, right, strict=True)
    )
