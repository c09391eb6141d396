"""View-encoded text and bytes, which few Arrow functions understand, in the plain encoding."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["without_views"]

_PLAIN = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}


def _plain(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return pa.dictionary(type_.index_type, _plain(type_.value_type), type_.ordered)
    return _PLAIN.get(str(type_), type_)


def without_views(data: pa.Schema | pa.RecordBatch) -> pa.Schema | pa.RecordBatch:
    """The same schema or batch, its view columns (as polars hands them out) in the plain encoding."""
    schema = data if isinstance(data, pa.Schema) else data.schema
    fields = [field.with_type(_plain(field.type)) for field in schema]
    plain = pa.schema(fields, metadata=schema.metadata)
    if plain.equals(schema) or isinstance(data, pa.Schema):
        return plain if isinstance(data, pa.Schema) else data
    columns = [
        column if column.type == field.type else _cast(column, field.type)
        for column, field in zip(data.columns, fields, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=plain)


def _cast(column: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(type_):
        return pa.DictionaryArray.from_arrays(
            column.indices, column.dictionary.cast(type_.value_type), ordered=type_.ordered
        )
    return column.cast(type_)
