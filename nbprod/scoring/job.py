"""A batch job as plain data: all that a worker needs to know, wherever it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import pyarrow as pa

from nbprod.domain.row_problem import RowProblem
from nbprod.domain.schema import Schema
from nbprod.errors import DataError

__all__ = ["LOG_TIME", "LOG_UNIT", "REJECTS", "Done", "Job", "output_schema"]

LOG_TIME = "event time of the prediction"  #: among the inputs kept for a deployment
LOG_UNIT = "unit of the prediction"  #: as well
REJECTS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("field", pa.string()),
        ("problem", pa.string()),
        ("expected", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done with each piece; pickled on the way to workers."""

    key: str  #: SHA-256 of what makes two jobs the same, in hex digits
    begun_at: datetime
    package: str  #: folder
    digest: str
    version: str
    keep: tuple[str, ...]
    refuse: bool  #: whether a row that is not taken ends the job
    refuse_unseen: bool
    log: tuple[str, ...] = ()  #: inputs that are kept for a deployment's table
    time: str | None = None  #: the column of event times for it
    unit: str | None = None  #: the column that says what a row is about
    is_logged: bool = False
    work: str  #: URL of the work folder
    schema: pa.Schema  #: of the output
    trusted: tuple[str, ...] = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns that are read beside those the model takes."""
        return tuple(dict.fromkeys(name for name in (*self.keep, *self.log, self.time, self.unit) if name))


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of one piece; kept in its part."""

    number: int
    rows: int
    predicted: int
    rejected: int = 0
    problems: Sequence[RowProblem] = ()  #: the first ones, where the job refuses
    where: str = ""
    unseen: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, float] = field(default_factory=dict)  #: rows by class; of numbers the sum
    differing: int = 0  #: rows the pipeline predicts otherwise than the compiled model
    path: str = ""  #: ``compiled model`` or ``pipeline``

    def to_json(self) -> bytes:
        """Write as JSON that :meth:`from_json` reads back; problems are in a table of their own."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "problems"}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Done:
        """Read what :meth:`to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(kw_only=True)
class Tally:
    """The sum over pieces."""

    rows: int = 0
    predicted: int = 0
    rejected: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    outputs: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)

    def add(self, done: Done) -> None:
        """Count a piece."""
        self.rows += done.rows
        self.predicted += done.predicted
        self.rejected += done.rejected
        self.unseen.update(done.unseen)
        for name, value in done.outputs.items():
            self.outputs[name] += value  # type: ignore[assignment]  # a sum of numbers has fractions
        self.paths[done.path] += done.predicted


def job_key(facts: dict[str, Any]) -> str:
    """One text for everything that makes a job what it is."""
    return sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def output_schema(schema: Schema, kept: Sequence[pa.Field]) -> pa.Schema:
    """The columns of the output.

    Raises
    ------
    DataError
        A kept column has the name of one of the others.
    """
    first = schema.classes[0] if schema.classes else 0.0
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    fields = [pa.field("prediction_id", pa.string()), pa.field("version", pa.string()), *kept]
    fields.append(pa.field("prediction", kinds.get(type(first), pa.string())))
    fields += [pa.field(name, pa.float64()) for name in schema.outputs[1:]]
    names = [field.name for field in fields]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"The column {doubled[0]!r} cannot be kept beside the predictions", hint="Rename it.")
    return pa.schema(fields)
