"""Open Inference Protocol v2 over HTTP: metadata from the package's schema, tensors as JSON or as raw bytes.

One tensor an input column, of as many values as there are rows. The binary form (``Inference-Header-Content-Length``)
is the extension that Triton's client uses by default: text values are their length in four bytes, then UTF-8.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbprod.domain.names import nearest
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.serving.answers import encode
from nbprod.serving.requests import FormError, read_json

__all__ = ["metadata", "read_tensors", "server_metadata", "write_tensors"]

DATATYPES = {
    ColumnKind.NUMBER: "FP64",
    ColumnKind.INTEGER: "INT64",
    ColumnKind.BOOLEAN: "BOOL",
    ColumnKind.CATEGORY: "BYTES",
    ColumnKind.TEXT: "BYTES",
    ColumnKind.DATETIME: "BYTES",
}
RAW = {
    "BOOL": np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
ONE = 'an object such as {"name": …, "datatype": …, "shape": […], "data": […]}'


def server_metadata(version: str) -> dict[str, Any]:
    """What ``GET /v2`` says."""
    return {"name": "nbprod", "version": version, "extensions": ["binary_tensor_data"]}


def metadata(name: str, version: int, schema: Schema) -> dict[str, Any]:
    """What ``GET /v2/models/NAME`` says: every input and output, with its type."""
    inputs = [{"name": column.name, "datatype": _datatype(column), "shape": [-1]} for column in schema.columns]
    outputs = [{"name": one, "datatype": _output_type(one, schema), "shape": [-1]} for one in _outputs(schema)]
    return {"name": name, "versions": [str(version)], "platform": "nbprod", "inputs": inputs, "outputs": outputs}


def read_tensors(
    body: bytes, header_length: int | None, schema: Schema
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of a request, and the request itself.

    Raises
    ------
    BodyError
        The body is no strict JSON.
    FormError
        It is no request of the protocol for this model.
    """
    if header_length is not None and not 0 <= header_length <= len(body):
        raise FormError("inference-header-content-length", "a number of bytes of the body")
    asked = read_json(body if header_length is None else body[:header_length])
    raw = b"" if header_length is None else body[header_length:]
    if not isinstance(asked, dict) or not isinstance(asked.get("inputs"), list):
        raise FormError("inputs", "a list of tensors")
    columns: dict[str, list[Any]] = {}
    for tensor in asked["inputs"]:
        name, values, raw = _column(tensor, raw, schema)
        if name in columns:
            raise FormError(name, "each input once")
        columns[name] = values
    if raw:
        raise FormError("inputs", "as many bytes as the tensors have")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise FormError("inputs", "tensors of the same number of values")
    count = lengths.pop() if lengths else 0
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)] if count else []
    _check_outputs(asked, schema)
    return rows, asked


def write_tensors(
    asked: Mapping[str, Any], name: str, version: int, columns: Mapping[str, Sequence[Any]], schema: Schema
) -> tuple[bytes, int | None]:
    """The answer, and the length of its JSON part where tensors are sent as bytes."""
    parameters = asked.get("parameters")
    everything = bool(isinstance(parameters, dict) and parameters.get("binary_data_output"))
    wanted = dict.fromkeys(columns, everything)
    if asked.get("outputs"):
        wanted = {
            one["name"]: bool((one.get("parameters") or {}).get("binary_data", everything))
            for one in asked["outputs"]
        }
    outputs, parts = [], []
    for one, is_binary in wanted.items():
        values = columns[one]
        tensor: dict[str, Any] = {
            "name": one,
            "datatype": _output_type(one, schema),
            "shape": [len(values)],
        }
        if is_binary:
            part = _to_raw(values, tensor["datatype"])
            tensor["parameters"] = {"binary_data_size": len(part)}
            parts.append(part)
        else:
            tensor["data"] = list(values)
        outputs.append(tensor)
    answer = {"model_name": name, "model_version": str(version), "outputs": outputs}
    if isinstance(asked.get("id"), str):
        answer["id"] = asked["id"]
    head = encode(answer)
    return (head + b"".join(parts), len(head)) if parts else (head, None)


def _column(tensor: Any, raw: bytes, schema: Schema) -> tuple[str, list[Any], bytes]:
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise FormError("inputs", ONE)
    name, datatype, shape = tensor["name"], tensor.get("datatype"), tensor.get("shape")
    if name not in schema.names:
        raise FormError(name, f"no such field. {nearest(name, schema.names)}".strip(), problem="unknown")
    if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in RAW):
        raise FormError(name, f"the datatype {_datatype(schema.column(name))}")
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise FormError(name, "a shape such as [1]")
    count = math.prod(shape)
    if count != shape[0]:
        raise FormError(name, "one value a row: a shape such as [3] or [3, 1]")
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None:
        if type(size) is not int or not 0 <= size <= len(raw):
            raise FormError(name, "as many bytes as binary_data_size says")
        values, raw = _from_raw(name, raw[:size], datatype), raw[size:]
    else:
        values = _flat(tensor.get("data"), name)
    if len(values) != count:
        raise FormError(name, f"{count} values, as its shape says")
    return name, [_as_field(value, schema.column(name)) for value in values], raw


def _flat(data: Any, name: str) -> list[Any]:
    if not isinstance(data, list):
        raise FormError(name, "a list of values")
    values: list[Any] = []
    for value in data:
        if isinstance(value, list):
            if any(isinstance(inner, list | dict) for inner in value):
                raise FormError(name, "one value a row")
            values += value
        elif isinstance(value, dict):
            raise FormError(name, "one value a row")
        else:
            values.append(value)
    return values


def _from_raw(name: str, raw: bytes, datatype: str) -> list[Any]:
    if datatype != "BYTES":
        kind = RAW[datatype]
        if len(raw) % kind.itemsize:
            raise FormError(name, f"whole values of {kind.itemsize} bytes")
        return np.frombuffer(raw, kind).tolist()
    values, place = [], 0
    while place < len(raw):
        if place + 4 > len(raw):
            raise FormError(name, "text after its length in four bytes")
        (size,) = struct.unpack_from("<I", raw, place)
        place += 4
        if place + size > len(raw):
            raise FormError(name, "text after its length in four bytes")
        try:
            values.append(raw[place : place + size].decode("utf-8"))
        except UnicodeDecodeError:
            raise FormError(name, "text in UTF-8") from None
        place += size
    return values


def _to_raw(values: Sequence[Any], datatype: str) -> bytes:
    if datatype != "BYTES":
        return np.asarray(values, RAW[datatype]).tobytes()
    texts = [str(value).encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _as_field(value: Any, column: Column) -> Any:
    """A tensor's value as the field of a row: the protocol has no null, NaN stands for it; whole floats are whole."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if column.kind is ColumnKind.INTEGER and value.is_integer():
            return int(value)
    return value


def _datatype(column: Column) -> str:
    if column.kind is ColumnKind.CATEGORY and column.categories:
        return _type_of(column.categories)
    return DATATYPES[column.kind]


def _type_of(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else "BYTES"


def _outputs(schema: Schema) -> tuple[str, ...]:
    return (*schema.outputs, "prediction_id")


def _output_type(name: str, schema: Schema) -> str:
    if name == "prediction_id":
        return "BYTES"
    if name == "prediction" and schema.classes:
        return _type_of(schema.classes)
    return "FP64"


def _check_outputs(asked: Mapping[str, Any], schema: Schema) -> None:
    outputs = asked.get("outputs")
    if outputs is None:
        return
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise FormError("outputs", "a list of objects with a name")
    for one in outputs:
        name = one.get("name")
        if not isinstance(name, str) or name not in _outputs(schema):
            raise FormError("outputs", f"names of outputs: {', '.join(_outputs(schema))}")
        if not isinstance(one.get("parameters", {}), dict):
            raise FormError("outputs", "parameters as an object")
