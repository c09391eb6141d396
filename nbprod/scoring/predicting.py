"""Scores one piece in whatever process it is handed to, and leaves its part whole in the work folder."""

from __future__ import annotations

import io
import threading
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbprod.compiled import CompiledPredictor, open_compiled
from nbprod.compiled.certificate import CERTIFICATE
from nbprod.domain.row_problem import RowProblem
from nbprod.domain.schema import ColumnKind, Schema
from nbprod.errors import DataError, PackageError, SchemaError
from nbprod.packages.sealing import Sealed, verify_folder
from nbprod.scoring.checking import CheckedTable, TableChecker
from nbprod.scoring.ids import job_ids
from nbprod.scoring.job import LOG_TIME, LOG_UNIT, REJECTS, Done, Job
from nbprod.scoring.pieces import Piece
from nbprod.scoring.places import Place
from nbprod.scoring.reading import rows_of
from nbprod.scoring.work_folder import INPUTS, PART, REJECTED, part_name

__all__ = ["Predictor", "predictor_of", "score_piece"]

MOST_TOLD = 20  #: problems of a piece that come back where the job refuses
COMPARED = 32  #: rows of the first piece that the pipeline predicts too


class Predictor:
    """A package ready to predict tables; its pipeline is loaded only when it is needed.

    Parameters
    ----------
    sealed
        The verified package.
    trusted
        Types to trust beside the list for verified packages.
    """

    def __init__(self, sealed: Sealed, trusted: tuple[str, ...]) -> None:
        self.schema = Schema.from_json(sealed.read("schema.json").decode())
        self.compiled: CompiledPredictor | None = None
        self._sealed, self._trusted = sealed, trusted
        self._loaded: Any = None
        self._lock = threading.Lock()
        if CERTIFICATE in sealed.files:
            try:
                self.compiled = open_compiled(sealed.read)
            except PackageError:  # of a later nbprod: the pipeline serves
                self.compiled = None

    def uses_compiled(self, rows: int) -> bool:
        """Whether so many rows go through the compiled model."""
        return self.compiled is not None and self.compiled.uses(rows)

    def predict(self, checked: CheckedTable, table: pa.Table, rows: int) -> tuple[dict[str, Any], str]:
        """The outputs of checked rows by name, and the path they went.

        Raises
        ------
        SchemaError
            A category was never seen and the model refuses such.
        """
        if self.uses_compiled(rows):
            assert self.compiled is not None
            return dict(self.compiled.predict_columns(checked.columns)), "compiled model"
        return self.by_pipeline(checked, table), "pipeline"

    def by_pipeline(self, checked: CheckedTable, table: pa.Table) -> dict[str, Any]:
        """The outputs of the fitted pipeline itself."""
        from nbprod.threads import one_thread  # delayed: with it scikit-learn

        frame = self._frame(checked, table)
        with self._lock:
            if self._loaded is None:
                from nbprod.packages import load_package  # delayed: pandas and scikit-learn

                self._loaded = load_package(self._sealed.folder, digest=self._sealed.digest, trusted=self._trusted)
        with one_thread():
            made = self._loaded.predict_by_pipeline(self._loaded.check(frame).frame)
        return {name: made[name].to_numpy() for name in made.columns}

    def _frame(self, checked: CheckedTable, table: pa.Table) -> Any:
        """The rows as they came, as a data frame; numbers that came as text as the numbers they are."""
        columns = {}
        for column in self.schema.columns:
            given, form = table.column(column.name), checked.columns[column.name]
            is_number = column.is_numeric or column.kind is ColumnKind.BOOLEAN
            if isinstance(form, np.ndarray) and is_number and pa.types.is_string(given.type):
                given = pa.chunked_array([pa.array(form, from_pandas=True)])
                given = given.cast(pa.bool_()) if column.kind is ColumnKind.BOOLEAN else given
            columns[column.name] = given
        return pa.table(columns).to_pandas(date_as_object=False)


@lru_cache(maxsize=2)
def predictor_of(folder: str, digest: str, trusted: tuple[str, ...]) -> Predictor:
    """The predictor of a package, opened once in a process."""
    return Predictor(verify_folder(folder, digest), trusted)


def score_piece(task: tuple[Job, Piece]) -> Done:
    """Check and predict the rows of a piece, and write its part.

    The part is written last and is what counts: who finds it finds what belongs to it.

    Raises
    ------
    DataError
        The rows cannot be read, or the part cannot be written.
    PackageError
        The package was changed.
    """
    job, piece = task
    predictor = predictor_of(job.package, job.digest, job.trusted)
    schema = predictor.schema
    wanted = list(dict.fromkeys([*schema.names, *job.beside]))
    table = rows_of(piece, wanted, job.key)
    checked = TableChecker(schema, from_text=piece.from_text).check(table.select(list(schema.names)), piece.first)
    outputs, checked, path, differing = _predicted(predictor, job, piece, checked, table)
    if job.refuse and checked.problems:
        return Done(
            number=piece.number, rows=piece.rows, predicted=0, rejected=len({one.row for one in checked.problems}),
            problems=tuple(checked.problems[:MOST_TOLD]), where=piece.where,
        )  # fmt: skip
    taken = checked.taken
    rows = table if taken is None else table.take(pa.array(taken))
    numbers = np.arange(piece.rows) if taken is None else taken
    ids = job_ids(piece.start + numbers, at=job.begun_at, key=job.key)
    columns: list[Any] = [
        ids,
        pa.DictionaryArray.from_arrays(np.zeros(len(ids), np.int32), [job.version]).cast(pa.string()),
    ]
    columns += [_as_type(rows.column(name), job.schema.field(name).type, name, piece) for name in job.keep]
    columns += [
        pa.array(outputs[name], type=job.schema.field(name).type, from_pandas=True) for name in schema.outputs
    ]
    work = Place(job.work)
    if checked.problems:
        (work / part_name(REJECTED, piece.number)).write(_parquet(_rejects(checked.problems, piece.file)))
    if job.is_logged and len(ids):
        inputs = {name: rows.column(name) for name in job.log}
        at = pa.array([job.begun_at] * len(ids), pa.timestamp("us", "UTC"))
        inputs[LOG_TIME] = rows.column(job.time) if job.time else at
        if job.unit:
            inputs[LOG_UNIT] = _as_type(rows.column(job.unit), pa.string(), job.unit, piece)
        (work / part_name(INPUTS, piece.number)).write(_parquet(pa.table(inputs)))
    done = Done(
        number=piece.number,
        rows=piece.rows,
        predicted=len(ids),
        rejected=piece.rows - len(ids),
        unseen=dict(checked.unseen),
        outputs=_outputs(outputs["prediction"], schema),
        differing=differing,
        path=path,
    )
    made = pa.Table.from_arrays(columns, schema=job.schema)
    (work / part_name(PART, piece.number)).write(_parquet(made, done))
    return done


def _predicted(
    predictor: Predictor, job: Job, piece: Piece, checked: CheckedTable, table: pa.Table
) -> tuple[dict[str, Any], CheckedTable, str, int]:
    """Outputs of the rows the model takes; those with a category it refuses are rejected like others."""
    if job.refuse_unseen and checked.unseen:
        checked = _without_unseen(
            predictor.schema, list(checked.unseen), checked, piece, "a category seen in training"
        )
    while True:
        good = table if checked.taken is None else table.take(pa.array(checked.taken))
        if not good.num_rows:
            empty: dict[str, Any] = {name: [] for name in predictor.schema.outputs}
            return empty, checked, "", 0
        try:
            outputs, path = predictor.predict(checked, good, good.num_rows)
            break
        except SchemaError as error:
            fewer = _without_unseen(predictor.schema, list(error.columns), checked, piece, "a value the model takes")
            if fewer is checked:
                raise
            checked = fewer
    differing = 0
    if piece.number == 0 and path == "compiled model":
        differing = _compare(predictor, checked, good, outputs)
    return outputs, checked, path, differing


def _compare(predictor: Predictor, checked: CheckedTable, good: pa.Table, outputs: dict[str, Any]) -> int:
    """How many of the first rows the pipeline predicts otherwise."""
    compiled = predictor.compiled
    assert compiled is not None
    some = CheckedTable(columns={name: form[:COMPARED] for name, form in checked.columns.items()}, taken=None)
    expected = predictor.by_pipeline(some, good.slice(0, COMPARED))
    names = list(expected)
    rows = min(COMPARED, good.num_rows)
    compiled.compare(
        [{name: expected[name][row] for name in names} for row in range(rows)],
        [{name: outputs[name][row] for name in names} for row in range(rows)],
    )
    return compiled.parity.differing


def _without_unseen(
    schema: Schema, names: list[str], checked: CheckedTable, piece: Piece, expected: str
) -> CheckedTable:
    """The same without rows whose value in some columns was never seen."""
    problems: list[RowProblem] = []
    bad: set[int] = set()
    for name in names:
        column = schema.column(name)
        form = checked.columns[name]
        if not column.categories:
            continue
        values = form.tolist() if isinstance(form, np.ndarray) else form.to_pylist()
        known = set(column.categories)
        for place, value in enumerate(values):
            if value is not None and value == value and value not in known:  # noqa: PLR0124 — NaN
                row = place if checked.taken is None else int(checked.taken[place])
                bad.add(place)
                problems.append(RowProblem(row=piece.first + row, field=name, problem="unseen", expected=expected))
    if not bad:
        return checked
    count = len(next(iter(checked.columns.values())))
    keep = np.array([place for place in range(count) if place not in bad], dtype=np.int64)
    taken = keep if checked.taken is None else checked.taken[keep]
    left = Counter({name: count for name, count in checked.unseen.items() if name not in names})
    return CheckedTable(
        columns={name: form.take(keep) for name, form in checked.columns.items()},
        taken=taken,
        problems=sorted([*checked.problems, *problems], key=lambda one: one.row),
        unseen=left,
    )


def _as_type(column: pa.ChunkedArray, kind: pa.DataType, name: str, piece: Piece) -> pa.ChunkedArray:
    if column.type == kind:
        return column.combine_chunks()
    try:
        return column.cast(kind).combine_chunks()
    except pa.ArrowException as error:
        raise DataError(
            f"{name} of {piece.where} does not fit among the other files: {str(error).splitlines()[0]}",
            hint="Give the column one type in all files, or do not keep it.",
        ) from error


def _rejects(problems: Any, file: str) -> pa.Table:
    return pa.table(
        {
            "file": [file] * len(problems),
            **{name: [getattr(one, name) for one in problems] for name in ("row", "field", "problem", "expected")},
        },
        schema=REJECTS,
    )


def _outputs(predictions: Any, schema: Schema) -> dict[str, float]:
    if schema.task != "classification":
        return {"sum": float(np.sum(predictions))}
    counted = pc.value_counts(pa.array(predictions, from_pandas=True)).to_pylist()
    return {str(one["values"]): one["counts"] for one in counted}


def _parquet(table: pa.Table, done: Done | None = None) -> bytes:
    if done is not None:
        table = table.replace_schema_metadata({b"nbprod": done.to_json()})
    sink = io.BytesIO()
    dictionary = [name for name in table.column_names if name != "prediction_id"]
    pq.write_table(table, sink, use_dictionary=dictionary, compression="zstd", compression_level=1)
    return sink.getvalue()
