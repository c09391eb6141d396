"""Values as JSON and back, exactly: type for type and bit for bit, or refused.

Mappings are kept as pairs, because a notebook saved by a browser comes back with keys that look like numbers first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any

from nbprod.domain.check import CheckResult
from nbprod.recording.blobs import Blobs
from nbprod.recording.plain import READERS, encode_plain, is_plain

__all__ = ["decode", "encode"]

DEEPEST = 60
CONTAINERS = {"tuple": tuple, "set": set, "frozenset": frozenset}


def encode(value: Any, blobs: Blobs, *, depth: int = 0) -> Any:
    """A value as JSON.

    Raises
    ------
    TypeError
        Its type, or that of a part of it, cannot be kept exactly.
    ValueError
        It is nested too deeply, or holds something that does not come back as it was.
    """
    if is_plain(value):
        return encode_plain(value)
    kind = type(value)
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if kind is list:
        return [encode(one, blobs, depth=depth + 1) for one in value]
    if kind in CONTAINERS.values():
        return {"type": kind.__name__, "value": [encode(one, blobs, depth=depth + 1) for one in value]}
    if kind is dict:
        pairs = [[encode(part, blobs, depth=depth + 1) for part in pair] for pair in value.items()]
        return {"type": "dict", "value": pairs}
    if isinstance(value, CheckResult):
        values = {field.name: getattr(value, field.name) for field in fields(CheckResult)}
        values["outcome"] = str(value.outcome)
        return {"type": "check", "value": {name: encode(one, blobs, depth=depth + 1) for name, one in values.items()}}
    if isinstance(value, Enum) and isinstance(value, str | int):  # equal to its value
        return encode(value.value, blobs, depth=depth + 1)
    home = kind.__module__.partition(".")[0]
    if home == "numpy":
        from nbprod.recording import arrays  # only a kernel that has numpy can have such a value

        return arrays.encode_numpy(value, blobs)
    if home == "pandas":
        from nbprod.recording import frames  # only a kernel that has pandas can have such a value

        return frames.encode_pandas(value, blobs, _inner(frames.Inner, blobs))
    raise TypeError(f"a value of the type {kind.__module__}.{kind.__qualname__}".replace("builtins.", ""))


def decode(node: Any, blobs: Blobs) -> Any:
    """The value a JSON node stands for; nothing in it is executed.

    Raises
    ------
    ValueError, TypeError, KeyError, LookupError
        The node is not one that ``encode`` makes, or its content is missing or damaged.
    """
    if node is None or isinstance(node, bool | int | str):
        return node
    if isinstance(node, list):
        return [decode(one, blobs) for one in node]
    kind = node["type"]
    if kind in CONTAINERS:
        return CONTAINERS[kind](decode(one, blobs) for one in node["value"])
    if kind == "dict":
        return {decode(key, blobs): decode(one, blobs) for key, one in node["value"]}
    if kind == "check":
        return CheckResult.read({name: decode(one, blobs) for name, one in node["value"].items()})
    if kind in READERS:
        return READERS[kind](node)
    if kind in {"numpy", "array"}:
        from nbprod.recording import arrays

        return arrays.decode_numpy(node, blobs)
    from nbprod.recording import frames

    return frames.decode_pandas(node, blobs, _inner(frames.Inner, blobs))


def _inner(make: Callable[..., Any], blobs: Blobs) -> Any:
    return make(encode=lambda value: encode(value, blobs), decode=lambda node: decode(node, blobs))
