"""What a column of any type holds: numbers, moments, categories or free text, as plain arrays."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nbprod.errors import DataError

__all__ = ["ColumnType", "codes_and_keys", "kind_of", "numbers", "text_lengths", "type_name"]

Floats = NDArray[np.float64]


class ColumnType(StrEnum):
    """How a column is profiled."""

    NUMBER = "number"
    MOMENT = "moment"  #: dates and times, in seconds since 1970 UTC
    DURATION = "duration"  #: in seconds, and times of day
    CATEGORY = "category"
    TEXT = "text"  #: hardly a value twice; its length in characters is profiled
    EMPTY = "empty"  #: no value at all, hence no type

    @property
    def is_numeric(self) -> bool:
        """Whether values lie on a line."""
        return self not in {ColumnType.CATEGORY, ColumnType.EMPTY}


def kind_of(name: str, type_: pa.DataType) -> ColumnType:
    """The kind of an Arrow type; text is a category until its values say otherwise.

    Raises
    ------
    DataError
        Nothing here can profile the type (lists, maps, calendar intervals).
    """
    if isinstance(type_, pa.BaseExtensionType):
        return kind_of(name, type_.storage_type)
    if pa.types.is_run_end_encoded(type_):
        return kind_of(name, type_.value_type)
    if pa.types.is_null(type_):
        return ColumnType.EMPTY
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return ColumnType.NUMBER
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return ColumnType.MOMENT
    if pa.types.is_duration(type_) or pa.types.is_time(type_):
        return ColumnType.DURATION
    if pa.types.is_dictionary(type_):
        inner = kind_of(name, type_.value_type)
        return inner if inner is ColumnType.EMPTY else ColumnType.CATEGORY
    if pa.types.is_boolean(type_) or _is_text(type_) or _is_bytes(type_) or pa.types.is_struct(type_):
        return ColumnType.CATEGORY
    raise DataError(
        f"column {name!r} holds {type_}, which has no profile",
        hint="Give its elements columns of their own, or leave it out with columns=.",
    )


def type_name(type_: pa.DataType) -> str:
    """The type of the values, whatever their encoding."""
    if isinstance(type_, pa.BaseExtensionType):
        return type_name(type_.storage_type)
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return type_name(type_.value_type)
    return "string" if _is_text(type_) else str(type_)


def numbers(array: pa.Array) -> Floats:
    """The values of a numeric, moment or duration column as float64, NaN where missing; times in seconds."""
    array = _storage(array)
    type_ = array.type
    if pa.types.is_decimal(type_) or pa.types.is_float16(type_):
        array = array.cast(pa.float64())
    elif pa.types.is_date(type_):
        array = array.cast(pa.timestamp("s" if pa.types.is_date32(type_) else "ms"))
    elif pa.types.is_time(type_):
        array = array.cast(pa.time64("us")).cast(pa.int64()).cast(pa.duration("us"))
    type_ = array.type
    if pa.types.is_timestamp(type_) or pa.types.is_duration(type_):
        per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[type_.unit]
        return _float64(array.cast(pa.int64())) / per_second
    return _float64(array)


def text_lengths(array: pa.Array) -> Floats:
    """Characters of each text (bytes of binary values), NaN where missing."""
    array = _decoded(_storage(array))
    length = pc.binary_length(array) if _is_bytes(array.type) else pc.utf8_length(array)
    return _float64(length)


def codes_and_keys(array: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """The position of each value in a list of distinct keys (-1 where missing), and the keys as text."""
    array = _storage(array)
    if pa.types.is_struct(array.type):
        # rare (intervals); their text is the key
        array = pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_dictionary(array.type) and len(array.dictionary) > len(array):
        array = array.dictionary_decode()  # most of its values belong to other rows
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = _float64(array.indices.cast(pa.int64()).fill_null(-1)).astype(np.int64)
    values = _storage(array.dictionary)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    keys = [_key(value) for value in values.to_pylist()]
    if None in keys:  # a missing value inside the dictionary
        codes = np.where(np.isin(codes, [code for code, key in enumerate(keys) if key is None]), -1, codes)
    return codes, [key if key is not None else "" for key in keys]


def _key(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.hex() if isinstance(value, bytes) else str(value)


def _storage(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):  # combining copies, even a single chunk
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _decoded(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _float64(array: pa.Array) -> Floats:
    values = array.to_numpy(zero_copy_only=False)
    return values if values.dtype == np.float64 else values.astype(np.float64)


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)


def _is_bytes(type_: pa.DataType) -> bool:
    return pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_)
