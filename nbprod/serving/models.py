"""The models a worker loads: verified, held against their golden rows, then asked row by row or column by column."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from nbprod.compiled import CompiledPredictor, RowChecker, open_compiled
from nbprod.domain.row_problem import RowProblem
from nbprod.domain.schema import Schema
from nbprod.errors import NotFoundError, PackageError, SchemaError
from nbprod.packages import verify_folder
from nbprod.packages.sealing import Sealed
from nbprod.serving.assignment import Arm

__all__ = ["Answered", "ServedModel", "load_model"]

SLOW_S = 0.001  #: a model that takes longer for one row is asked in a thread, so that others are not kept waiting
FEW = 16  #: rows that are quicker one by one
RELATIVE, ABSOLUTE = 1e-6, 1e-9  #: as of blessings: libraries add in another order on another processor
RELATIVE_SINGLE = 1e-4  #: where inputs have 32 bits


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a model made of some rows: problems, or outputs."""

    problems: Sequence[RowProblem] = ()
    outputs: dict[str, list[Any]] = {}
    inputs: dict[str, list[Any]] = {}  #: as they were sent, column by column
    unseen: Mapping[str, int] = {}  #: values never seen, by column


class Engine(Protocol):
    """Predicts rows that were checked."""

    def predict(self, rows: Sequence[Mapping[str, Any]], values: Sequence[list[Any]]) -> dict[str, list[Any]]:
        """The outputs, column by column; ``values`` are the rows in the form a plan takes."""


class ServedModel:
    """One version in use."""

    def __init__(self, arm: Arm, schema: Schema, engine: Engine, example: Mapping[str, Any]) -> None:
        self.arm = arm
        self.schema = schema
        self.engine = engine
        self.example = example  #: a row of the golden sample, as JSON has it
        self.is_slow = False
        self._checker = RowChecker(schema)
        self._names = schema.names

    @property
    def is_compiled(self) -> bool:
        """Whether the compiled model answers."""
        return isinstance(self.engine, CompiledEngine)

    def answer(self, rows: Sequence[Mapping[str, Any]], *, refuse_unseen: bool = False) -> Answered:
        """Check rows and predict them."""
        values: list[list[Any]] = []
        problems: list[RowProblem] = []
        unseen: dict[str, int] = {}
        check = self._checker.check
        for number, row in enumerate(rows):
            checked = check(row, number)
            values.append(checked.values)
            problems += checked.problems
            for name in checked.unseen:
                unseen[name] = unseen.get(name, 0) + 1
                if refuse_unseen:
                    problems.append(
                        RowProblem(row=number, field=name, problem="unseen", expected="a category seen in training")
                    )
        if problems:
            return Answered(problems=problems)
        try:
            outputs = self.engine.predict(rows, values)
        except SchemaError as problem:  # a category the model itself refuses
            return Answered(
                problems=[
                    RowProblem(row=0, field=name, problem="unseen", expected="a value the model takes")
                    for name in problem.columns or ("",)
                ]
            )
        if len(rows) == 1:
            row = rows[0]
            inputs = {name: [row.get(name)] for name in self._names}
        else:
            inputs = {name: [row.get(name) for row in rows] for name in self._names}
        return Answered(outputs=outputs, inputs=inputs, unseen=unseen)


class CompiledEngine:
    """The compiled model, which its certificate allows."""

    def __init__(self, predictor: CompiledPredictor) -> None:
        self.predictor = predictor
        schema = predictor.schema
        self._names = schema.names

    def predict(self, rows: Sequence[Mapping[str, Any]], values: Sequence[list[Any]]) -> dict[str, list[Any]]:
        """One by one where there are few, else all at once."""
        del rows
        if len(values) == 1:
            return {name: [_plain(value)] for name, value in self.predictor.predict(values[0]).items()}
        if len(values) <= FEW:
            made = [self.predictor.predict(one) for one in values]
            return {name: [_plain(one[name]) for one in made] for name in self.predictor.schema.outputs}
        columns = dict(zip(self._names, map(list, zip(*values, strict=True)), strict=True))
        return {name: column.tolist() for name, column in self.predictor.predict_columns(columns).items()}


class PipelineEngine:
    """The pipeline itself, where it has no compiled form or that is not proved equal."""

    def __init__(self, package: Any) -> None:
        self.package = package

    def predict(self, rows: Sequence[Mapping[str, Any]], values: Sequence[list[Any]]) -> dict[str, list[Any]]:
        """Through a data frame."""
        del values
        made = self.package.predict_by_pipeline(self.package.check(list(rows)).frame)
        return {name: made[name].tolist() for name in made.columns}


def load_model(arm: Arm, *, trusted: Sequence[str] = (), by_pipeline: bool = False) -> ServedModel:
    """Verify a package, load it, and hold its golden rows against the values they must give.

    Parameters
    ----------
    arm
        The version.
    trusted
        Further types its pipeline may hold.
    by_pipeline
        Not to use the compiled model, because it was seen to differ.

    Raises
    ------
    PackageError
        It was changed, cannot be loaded, or computes something else here.
    """
    sealed = verify_folder(arm.folder, arm.digest)
    schema = Schema.from_json(sealed.read("schema.json").decode())
    try:
        predictor = open_compiled(sealed.read)
    except NotFoundError:  # made before there were compiled models
        predictor = None
    engine: Engine
    if predictor is not None and predictor.usable and not by_pipeline:
        engine = CompiledEngine(predictor)
    else:
        from nbprod.packages import load_package  # delayed: scikit-learn and pandas

        engine = PipelineEngine(load_package(arm.folder, digest=arm.digest, trusted=trusted))
    rows, expected = _golden(sealed, schema)
    model = ServedModel(arm, schema, engine, {name: _json_value(value) for name, value in rows[0].items()})
    model.answer(rows[:1])
    answered, seconds = _timed(model, rows)
    if answered.problems:
        raise PackageError(f"{arm.version} refuses its own golden rows: {answered.problems[0]}")
    if wrong := _different(expected, answered.outputs, schema):
        raise PackageError(
            f"{arm.version} gives other values here than its golden rows have: {wrong} differs",
            hint="This environment computes something else than the one the package was made in.",
        )
    model.is_slow = seconds > SLOW_S
    return model


def _timed(model: ServedModel, rows: Sequence[Mapping[str, Any]]) -> tuple[Answered, float]:
    """All golden rows, and the seconds of one row alone."""
    answered = model.answer(rows)
    shortest = math.inf
    for _ in range(3):
        start = time.perf_counter()
        model.answer(rows[:1])
        shortest = min(shortest, time.perf_counter() - start)
    return answered, shortest


def _golden(sealed: Sealed, schema: Schema) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Golden rows as mappings, and what each output must be."""
    import pyarrow.parquet as pq  # delayed: only while a model is loaded; data frames are not needed

    table = pq.read_table(io.BytesIO(sealed.read("golden.parquet")), use_threads=False)
    rows = table.select(list(schema.names)).to_pylist()
    clean = [{name: None if value != value else value for name, value in row.items()} for row in rows]  # noqa: PLR0124 — NaN
    return clean, {name: table[f"expected_{name}"].to_pylist() for name in schema.outputs}


def _different(expected: Mapping[str, list[Any]], given: Mapping[str, list[Any]], schema: Schema) -> str:
    """The first output that is not what it must be: labels equal, numbers near."""
    relative = RELATIVE_SINGLE if any(column.dtype == "float32" for column in schema.columns) else RELATIVE
    for name, values in expected.items():
        for left, right in zip(values, given.get(name, ()), strict=True):
            is_near = (
                math.isclose(left, right, rel_tol=relative, abs_tol=ABSOLUTE)
                if isinstance(left, float) and isinstance(right, float)
                else left == right
            )
            if not is_near:
                return name
    return ""


def _plain(value: Any) -> Any:
    """A numpy scalar as Python's own, which JSON knows."""
    return value.item() if hasattr(value, "item") else value


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
