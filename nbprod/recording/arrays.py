"""numpy scalars and arrays as JSON and back, with type, shape and every bit."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nbprod.recording.blobs import Blobs
from nbprod.recording.plain import READERS, encode_plain

__all__ = ["decode_numpy", "encode_numpy"]

SCALARS = "biufUSMm"  # kinds whose value a Python value holds exactly
ENDING = ".npy"


def encode_numpy(value: Any, blobs: Blobs) -> dict[str, Any]:
    """A numpy scalar as its type and its value; an array as the bytes of an ``.npy`` file.

    Raises
    ------
    TypeError
        An array of objects, or a type that numpy itself cannot keep without running code.
    """
    dtype = getattr(value, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.hasobject or type(value) not in {np.ndarray, dtype.type}:
        of_objects = " of objects" if isinstance(dtype, np.dtype) and dtype.hasobject else ""
        raise TypeError(f"a value of the type {type(value).__module__}.{type(value).__qualname__}{of_objects}")
    if isinstance(value, np.generic) and dtype.kind in SCALARS and dtype != np.longdouble:
        plain = int(value.view("i8")) if dtype.kind in "Mm" else value.item()
        return {"type": "numpy", "dtype": dtype.str, "value": encode_plain(plain)}
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=False)
    is_scalar = isinstance(value, np.generic)
    return {"type": "array", "scalar": is_scalar, **blobs.keep(buffer.getvalue(), ENDING)}


def decode_numpy(node: Mapping[str, Any], blobs: Blobs) -> Any:
    """The scalar or the array again; pickled content is refused."""
    if node["type"] == "array":
        content = io.BytesIO(blobs.fetch(node, ENDING))
        array = np.lib.format.read_array(content, allow_pickle=False)
        return array[()] if node["scalar"] else array
    dtype = np.dtype(node["dtype"])
    if dtype.kind not in SCALARS:
        raise ValueError(f"{dtype} is not a type of a recorded number")
    encoded = node["value"]
    plain = READERS[encoded["type"]](encoded) if isinstance(encoded, Mapping) else encoded
    if dtype.kind in "Mm":
        return np.int64(plain).view(dtype)
    # the type of a text holds its length, which numpy finds by itself
    number = np.str_(plain) if dtype.kind == "U" else np.bytes_(plain) if dtype.kind == "S" else dtype.type(plain)
    if isinstance(plain, float) and not (number == plain or math.isnan(plain)):
        raise ValueError(f"{plain!r} is no {dtype}")
    return number
