"""A content hash over all cells, streamed, that does not depend on chunking or on the encoding of a column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbprod.errors import DataError

__all__ = ["fingerprint_batches"]

_Hasher = Any  # hashlib's objects have no public class


def fingerprint_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    """SHA-256, in hex, over column names, logical types and every cell in row order.

    Encodings of one logical type (plain, large, view and dictionary text; seconds to microseconds) give one value, so
    a frame keeps its fingerprint through Parquet. A missing number and NaN are the same.

    Each column is hashed in streams of its own (validity, values, lengths), which makes the result independent of
    where batches end.
    """
    fields = [(field.name, _logical(field.type)) for field in schema]
    streams: list[dict[str, _Hasher]] = [{} for _ in fields]
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        for (name, type_), column, stream in zip(fields, batch.columns, streams, strict=True):
            try:
                _feed(_plain(column, type_), stream, "")
            except (pa.ArrowException, NotImplementedError) as error:
                raise DataError(
                    f"column {name!r} ({column.type}) has no fingerprint: {error}",
                    hint="Convert it to numbers or text, or leave it out.",
                ) from error
    total = hashlib.sha256(f"nbprod-fingerprint-1 {rows}".encode())
    for (name, type_), stream in zip(fields, streams, strict=True):
        total.update(repr((name, str(type_))).encode())
        for path in sorted(stream):
            total.update(path.encode() + b"\0" + stream[path].digest())
    return total.hexdigest()


def _logical(type_: pa.DataType) -> pa.DataType:
    """The one type that stands for all encodings of it."""
    if isinstance(type_, pa.BaseExtensionType):
        return _logical(type_.storage_type)
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return _logical(type_.value_type)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.large_string()
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_):
        return pa.large_binary()
    if pa.types.is_timestamp(type_) and type_.unit in {"s", "ms"}:
        return pa.timestamp("us", tz=type_.tz)
    if pa.types.is_duration(type_) and type_.unit in {"s", "ms"}:
        return pa.duration("us")
    return type_


def _plain(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array if array.type == type_ else array.cast(type_)


def _stream(streams: dict[str, _Hasher], path: str) -> _Hasher:
    if path not in streams:
        streams[path] = hashlib.sha256()
    return streams[path]


def _feed(array: pa.Array, streams: dict[str, _Hasher], path: str) -> None:
    type_ = array.type
    if pa.types.is_floating(type_):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, type_), array)
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.uint8)
    _stream(streams, path + "?").update(valid)
    if pa.types.is_null(type_):
        return
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        array = array if array.null_count == 0 else array.fill_null([])
        _stream(streams, path + "#").update(pc.list_value_length(array).cast(pa.int64()).to_numpy().data)
        _feed(_plain(array.flatten(), _logical(type_.value_type)), streams, path + "[]")
    elif pa.types.is_fixed_size_list(type_):
        _feed(_plain(array.flatten(), _logical(type_.value_type)), streams, path + "[]")
    elif pa.types.is_struct(type_):
        for position, field in enumerate(type_):
            _feed(_plain(array.field(position), _logical(field.type)), streams, f"{path}.{field.name}")
    elif pa.types.is_map(type_):
        _feed(array.cast(pa.list_(pa.struct([type_.key_field, type_.item_field]))), streams, path)
    elif pa.types.is_large_string(type_) or pa.types.is_large_binary(type_):
        array = array.fill_null(b"" if pa.types.is_large_binary(type_) else "")
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        _stream(streams, path + "#").update(np.diff(ends).data)
        if len(array) and data is not None:
            _stream(streams, path + "=").update(memoryview(data)[ends[0] : ends[-1]])
    else:
        _stream(streams, path + "=").update(_fixed_width(array))


def _fixed_width(array: pa.Array) -> memoryview:
    if pa.types.is_boolean(array.type):
        return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.uint8).data
    width = array.type.bit_width // 8
    data = memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
    if array.null_count == 0:
        return data
    # what lies under a missing cell is not defined; zero it
    cells = np.frombuffer(data, dtype=np.uint8).reshape(len(array), width).copy()
    cells[~np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=bool)] = 0
    return cells.data.cast("B") if cells.size else memoryview(b"")
