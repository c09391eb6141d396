"""The compiled form of a pipeline: steps over columns as plain data, JSON and arrays, and no code.

A plan is a list of steps. Register 0 holds the input columns; step ``n`` reads the registers it names, applies one
operation of a closed list to their columns and writes register ``n + 1``. Every engine knows the same operations.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbprod.errors import PackageError

__all__ = ["ARRAYS", "EXAMPLES", "FORMAT", "PLAN", "Input", "Plan", "Step"]

FORMAT = 1
PLAN = "compiled/plan.json"  #: in a package
ARRAYS = "compiled/arrays.npz"
EXAMPLES = "compiled/examples.json"  #: rows to begin with and usual values, for forms
EPOCH = (1980, 1, 1, 0, 0, 0)  # of the archive's entries, so that equal plans are equal bytes


@dataclass(frozen=True, kw_only=True)
class Input:
    """One column a plan takes."""

    name: str
    kind: str  #: ``number`` (booleans too, as 1 and 0), ``text`` or ``moment`` (microseconds of its own zone's clock)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation."""

    op: str
    inputs: tuple[int, ...]  #: registers
    params: Mapping[str, Any] = field(default_factory=dict)  #: JSON values and arrays


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A compiled pipeline."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    prediction: int  #: the register of the predicted number, or of the position of the predicted class
    probabilities: int | None = None  #: the register with a column for each class
    classes: tuple[Any, ...] = ()
    is_single: bool = False  #: the model adds up numbers of 32 bits, so it agrees to about seven digits

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return sum(value.nbytes for step in self.steps for value in step.params.values() if _is_array(value))

    def files(self) -> dict[str, bytes]:
        """As files of a package, by their names there; equal plans give equal bytes."""
        arrays: list[np.ndarray] = []

        def put(value: np.ndarray) -> dict[str, Any]:
            arrays.append(value)
            return {"array": f"a{len(arrays) - 1}"}

        text = json.dumps(self._data(put), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for number, array in enumerate(arrays):
                content = io.BytesIO()
                np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"a{number}.npy", date_time=EPOCH), content.getvalue())
        return {PLAN: text.encode(), ARRAYS: buffer.getvalue()}

    def to_page(self) -> str:
        """As one JSON text with its arrays in base64, which the engine in pages reads."""

        def put(value: np.ndarray) -> dict[str, Any]:
            plain = np.ascontiguousarray(value)
            plain = plain.astype(plain.dtype.newbyteorder("<"))
            content = base64.b64encode(plain.tobytes()).decode()
            return {"dtype": plain.dtype.name, "shape": list(plain.shape), "base64": content}

        return json.dumps(self._data(put), ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def read(cls, read: Callable[[str], bytes]) -> Plan:
        """Read what :meth:`files` made.

        Parameters
        ----------
        read
            Gives the verified bytes of a file of the package.

        Raises
        ------
        PackageError
            It is no plan, or one of a newer nbprod.
        """
        try:
            data = json.loads(read(PLAN))
            if data["format"] != FORMAT:
                raise PackageError(
                    f"The compiled model has format {data['format']}; this nbprod reads {FORMAT}",
                    hint="Use the nbprod that made it, or a newer one.",
                )
            with np.load(io.BytesIO(read(ARRAYS)), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            steps = [
                Step(
                    op=str(step["op"]),
                    inputs=_registers(step["inputs"], below=number + 1),
                    params={name: _value(value, arrays) for name, value in step["params"].items()},
                )
                for number, step in enumerate(data["steps"])
            ]
            answer = data["answer"]
            return cls(
                inputs=tuple(Input(name=one["name"], kind=one["kind"]) for one in data["inputs"]),
                steps=tuple(steps),
                prediction=_registers([answer["prediction"]], below=len(steps) + 1)[0],
                probabilities=None
                if answer["probabilities"] is None
                else _registers([answer["probabilities"]], below=len(steps) + 1)[0],
                classes=tuple(data["classes"]),
                is_single=bool(data["single"]),
            )
        except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise PackageError(f"This is no compiled model: {error!r}") from error

    def _data(self, put: Callable[[np.ndarray], Any]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "inputs": [{"name": one.name, "kind": one.kind} for one in self.inputs],
            "steps": [
                {
                    "op": step.op,
                    "inputs": list(step.inputs),
                    "params": {name: _written(value, put) for name, value in step.params.items()},
                }
                for step in self.steps
            ],
            "answer": {"prediction": self.prediction, "probabilities": self.probabilities},
            "classes": list(self.classes),
            "single": self.is_single,
        }

    def __repr__(self) -> str:
        return f"<Plan of {len(self.steps)} steps over {len(self.inputs)} columns, {self.size:,} bytes of arrays>"


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray)


def _written(value: Any, put: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return put(value)
    if isinstance(value, list | tuple) and any(_is_array(one) for one in value):
        return {"list": [_written(one, put) for one in value]}
    return value


def _value(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if "list" in value:
            return [_value(one, arrays) for one in value["list"]]
        return arrays[value["array"]]
    return value


def _registers(numbers: Sequence[int], *, below: int) -> tuple[int, ...]:
    if not all(type(number) is int and 0 <= number < below for number in numbers):
        raise ValueError(f"{numbers!r} are no registers below {below}")
    return tuple(numbers)
