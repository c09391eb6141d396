"""Batch inference: rows of any source through one package into Parquet, streamed, whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.clock import now
from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.domain.prediction_ids import prediction_ids
from nbprod.domain.schema import Schema
from nbprod.errors import DataError, SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

    from nbprod.packages import LoadedPackage

__all__ = ["ScoreSummary", "score"]


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """What a batch job did."""

    rows: int
    output: str
    version: str
    package: str  #: digest
    seconds: float
    predicted: Mapping[str, float] = field(default_factory=dict)  #: rows by class; of numbers their mean
    warnings: tuple[str, ...] = ()  #: the first of each kind, with the rows it was seen in

    def __repr__(self) -> str:
        return f"<ScoreSummary {self.rows:,} rows by {self.version} into {self.output}>"

    def _repr_html_(self) -> str:
        return card(
            f"{self.rows:,} rows scored by {self.version}",
            [
                ("output", self.output),
                ("took", f"{self.seconds:.1f} s"),
                *((f"predicted {name}", f"{value:,.6g}") for name, value in list(self.predicted.items())[:8]),
                *(("warning", warning) for warning in self.warnings[:5]),
            ],
        )


def score(
    package_folder: Path | str,
    source: Any,
    output: Path | str,
    *,
    version: str,
    batch_rows: int = 65_536,
    keep: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    trusted: Sequence[str] = (),
) -> ScoreSummary:
    """Predict every row of a source and write the predictions as Parquet, in the order of the source.

    At most one batch of rows is in memory. The file becomes visible when all rows are written, and never otherwise.

    Parameters
    ----------
    package_folder
        The package, which is verified first.
    source
        What :func:`nbprod.datasets.open_dataset` opens.
    output
        The Parquet file, replaced if it exists: ``prediction_id``, ``version``, the kept columns, ``prediction`` and
        probabilities.
    version
        How the predictions name their model, for instance ``electricity/2``.
    batch_rows
        How many rows are predicted at once.
    keep
        Columns of the source to carry along, for instance keys.
    progress
        Told after each batch how many rows are done, and how many there are.
    trusted
        Full names of types to trust beside the list for verified packages.

    Raises
    ------
    DataError
        The source cannot be read, the output cannot be written, or a kept column does not exist.
    SchemaError
        Rows do not match the model; the message names them by number. Nothing was written.
    PackageError
        The package was changed or cannot be loaded.
    """
    from nbprod.datasets import open_dataset, write_parquet  # delayed: pyarrow, and scikit-learn below
    from nbprod.packages import load_package

    start = time.perf_counter()
    package = load_package(package_folder, trusted=trusted)
    data = open_dataset(source)
    for name in keep:
        if name not in data.schema.names:
            raise DataError(f"{data.name} has no column {name!r} to keep", hint=nearest(name, data.schema.names))
    if batch_rows < 1:
        raise DataError(f"batch_rows is {batch_rows}", hint="Give how many rows are predicted at once, 1 or more.")
    schema = _output_schema(package.schema, [data.schema.field(name) for name in keep])
    job = _Job(package=package, version=version, schema=schema, keep=tuple(keep), total=data.rows, progress=progress)
    wanted = [name for name in data.schema.names if name in {*package.schema.names, *keep}]
    batches = data.batches(wanted if set(package.schema.names) <= set(wanted) else None)
    written = write_parquet(job.run(_rebatched(batches, batch_rows)), output, schema=schema)
    return ScoreSummary(
        rows=job.rows,
        output=str(written),
        version=version,
        package=package.digest,
        seconds=time.perf_counter() - start,
        predicted=job.predicted(),
        warnings=tuple(job.warnings.values()),
    )


class _Job:
    """Predicts batch after batch and counts."""

    def __init__(
        self,
        *,
        package: LoadedPackage,
        version: str,
        schema: pa.Schema,
        keep: tuple[str, ...],
        total: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.rows = 0
        self.warnings: dict[str, str] = {}
        self._package, self._version, self._schema = package, version, schema
        self._keep, self._total, self._progress = keep, total, progress
        self._counts: dict[str, float] = {}

    def run(self, tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
        """Predictions of each table, as record batches of the output's schema."""
        import pyarrow as pa

        for table in tables:
            where = f"rows {self.rows + 1:,} to {self.rows + table.num_rows:,}"
            made = self._predict(table, where)
            ids = pa.array(prediction_ids(table.num_rows, now()))
            columns = [ids, pa.array([self._version] * table.num_rows)]
            columns += [table.column(name).combine_chunks() for name in self._keep]
            columns += [
                pa.array(made[name], type=self._schema.field(name).type, from_pandas=True) for name in made.columns
            ]
            yield from pa.Table.from_arrays(columns, schema=self._schema).to_batches()
            self.rows += table.num_rows
            if self._progress:
                self._progress(self.rows, self._total)

    def predicted(self) -> dict[str, float]:
        """Rows by class, or the mean of numbers."""
        if self._package.schema.task == "classification":
            return dict(sorted(self._counts.items(), key=lambda item: -item[1]))
        return {"mean": self._counts.get("sum", 0.0) / self.rows} if self.rows else {}

    def _predict(self, table: pa.Table, where: str) -> Any:
        names = list(self._package.schema.names)
        # where a column is missing, the others are needed to say which one may be meant
        taken = table.select(names) if set(names) <= set(table.column_names) else table
        try:
            checked = self._package.check(taken.to_pandas(date_as_object=False))
        except SchemaError as error:
            raise SchemaError(
                f"In {where}:\n{error.message}", columns=error.columns, hint=f"{error.hint} Nothing was written."
            ) from error
        for warning in checked.warnings:
            self.warnings.setdefault(warning.partition(" ")[0], f"In {where}: {warning}")
        made = self._package.predict_checked(checked.frame)
        if self._package.schema.task == "classification":
            for label, count in made["prediction"].value_counts().items():
                self._counts[str(label)] = self._counts.get(str(label), 0) + int(count)
        else:
            self._counts["sum"] = self._counts.get("sum", 0.0) + float(made["prediction"].sum())
        return made


def _rebatched(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of a size, so that a model is called with many at once."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        while sum(part.num_rows for part in waiting) >= rows:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, rows)
            waiting = table.slice(rows).to_batches()
    if sum(part.num_rows for part in waiting):
        yield pa.Table.from_batches(waiting)


def _output_schema(schema: Schema, kept: Sequence[pa.Field]) -> pa.Schema:
    import pyarrow as pa

    first = schema.classes[0] if schema.classes else 0.0
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    fields = [pa.field("prediction_id", pa.string()), pa.field("version", pa.string()), *kept]
    fields.append(pa.field("prediction", kinds.get(type(first), pa.string())))
    fields += [pa.field(name, pa.float64()) for name in schema.outputs[1:]]
    names = [field.name for field in fields]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"The column {doubled[0]!r} cannot be kept beside the predictions", hint="Rename it.")
    return pa.schema(fields)
