"""A batch job from the first look at its input to the published output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from nbprod.clock import format_utc, now
from nbprod.domain.names import nearest
from nbprod.domain.schema import Schema
from nbprod.errors import ConflictError, DataError, EnvironmentProblem, PackageError, SchemaError, SettingsError
from nbprod.executors.opening import open_workers
from nbprod.packages.sealing import verify_folder
from nbprod.recording.context import trusted_names
from nbprod.scoring.checking import misfits
from nbprod.scoring.job import Done, Job, Tally, job_key, output_schema
from nbprod.scoring.pieces import InputFile, Piece, open_inputs
from nbprod.scoring.places import Place
from nbprod.scoring.predicting import score_piece
from nbprod.scoring.publishing import format_of, publish, publish_rejects, rejects_of
from nbprod.scoring.summary import ScoreSummary
from nbprod.scoring.work_folder import WorkFolder

__all__ = ["score"]

FEW_ROWS = 300_000  #: below, starting processes takes longer than they save


def score(
    package_folder: Path | str,
    source: Any,
    output: Path | str,
    *,
    version: str,
    batch_rows: int = 65_536,
    keep: Sequence[str] = (),
    rejects: str = "refuse",
    unseen: str = "accept",
    overwrite: bool = False,
    on: str | None = None,
    workers: int | None = None,
    form: str | None = None,
    log: Sequence[str] | None = None,
    log_time: str | None = None,
    log_unit: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    trusted: Sequence[str] = (),
) -> ScoreSummary:
    """Predict every row of a source, by all processors and with bounded memory, into a table that appears whole.

    The rows go through the compiled model, where the package has a proven one, and are checked by the rules of the
    server. Each part that is done is kept beside the output; when the process ends before its time, the same call
    goes on, and every row is in the output once. Repeated after its end it does nothing.

    Parameters
    ----------
    package_folder
        The package, which is verified first.
    source
        What :func:`nbprod.datasets.open_dataset` opens, or a folder or pattern of many files, in the order of names.
    output
        A path or fsspec URL that ends with ``.parquet``, ``.csv``, ``.csv.gz``, ``.delta``, or ``/`` for a folder of
        Parquet files. Columns: ``prediction_id``, ``version``, the kept ones, ``prediction`` and probabilities; rows
        in the order of the source.
    version
        How the predictions name their model, for instance ``electricity/2``.
    batch_rows
        How many rows are predicted at once: about 200 bytes of memory a cell and worker.
    keep
        Columns of the source to carry along, for instance keys.
    rejects
        ``refuse``: a row the model cannot take ends the job, and nothing is written. ``collect``: such rows are told
        in a table beside the output (``NAME.rejects.parquet``: file, row in it from 0, field, problem, expected).
    unseen
        Whether a category never seen in training is accepted (``accept``, counted) or a problem (``refuse``).
    overwrite
        Whether another output of this name is replaced, and another unfinished job given up.
    on
        ``processes``, ``threads``, or the address of a Dask scheduler, ``dask://HOST:PORT``; by default processes
        where there are enough rows.
    workers
        How many processes or threads; by default one a processor.
    form
        ``parquet``, ``csv``, ``delta`` or ``folder``, where the ending of the output does not tell.
    log
        Inputs to keep in the work folder for a deployment's table; it then stays until
        :class:`~nbprod.scoring.logging.Logged` lets it go.
    log_time
        The column of event times for it.
    log_unit
        The column that says what a row is about (a customer, say), by which predictions can be erased.
    progress
        Told how many rows are done, and how many there are.
    trusted
        Full names of types to trust beside the list for verified packages.

    Raises
    ------
    SchemaError
        Rows do not match the model; the message names the first ones. Nothing was written.
    ConflictError
        The output exists and is not of this job, or an unfinished job of it is another one.
    DataError
        The source cannot be read, the output cannot be written, or a kept column does not exist.
    PackageError
        The package was changed or cannot be loaded, or its compiled model and pipeline differ on these rows.
    EnvironmentProblem
        A worker was killed, or the cluster cannot do it; what is done is kept.
    """
    start = time.perf_counter()
    if batch_rows < 1:
        raise DataError(f"batch_rows is {batch_rows}", hint="Give how many rows are predicted at once, 1 or more.")
    for name, value, known in (("rejects", rejects, ("refuse", "collect")), ("unseen", unseen, ("accept", "refuse"))):
        if value not in known:
            raise SettingsError(f"{name} is {value!r}", hint=f"Give {' or '.join(known)}.")
    sealed = verify_folder(package_folder)
    schema = Schema.from_json(sealed.read("schema.json").decode())
    target, form = Place(output), format_of(str(output), form)
    files = open_inputs(source, schema)
    kept = _check_columns(files, schema, keep, [name for name in (*(log or ()), log_time, log_unit) if name])
    shape = output_schema(schema, kept)
    told = {
        "input": [[file.name, file.rows, file.mark] for file in files],
        "package": sealed.digest,
        "version": version,
        "keep": list(keep),
        "rejects": rejects,
        "unseen": unseen,
        "rows at once": batch_rows,
        "format": form,
        "log": [list(log), log_time, log_unit] if log is not None else None,
    }
    key = job_key(told)
    work = WorkFolder(target)
    with work.alone():
        receipt = target.beside(f"{target.name}.score.json")
        if (ended := _ended(work, receipt, target, key, overwrite=overwrite)) is not None:
            return ended
        begun_at = work.begin(key, told)
        job = Job(
            key=key, begun_at=begun_at, package=str(Path(sealed.folder).absolute()), digest=sealed.digest,
            version=version, keep=tuple(keep), refuse=rejects == "refuse", refuse_unseen=unseen == "refuse",
            log=tuple(log or ()), time=log_time, unit=log_unit, is_logged=log is not None, work=work.place.url,
            schema=shape, trusted=tuple(dict.fromkeys([*trusted, *trusted_names()])),
        )  # fmt: skip
        tally, where = _score(job, files, work, batch_rows, schema, on=on, workers=workers, progress=progress)
        rejected = rejects_of(target, form)
        receipt.remove()
        publish_rejects(work, rejected)
        publish(work, target, shape, form=form, key=key)
        summary = _summary(job, target, rejected, schema, tally, time.perf_counter() - start, where)
        receipt.write(json.dumps({"key": key, "ended_at": format_utc(now()), **asdict(summary)}, indent=1).encode())
        if not job.is_logged:
            work.remove()
    return summary


def _ended(work: WorkFolder, receipt: Place, target: Place, key: str, *, overwrite: bool) -> ScoreSummary | None:
    """What came of this very job where it has ended already; what is in its way is refused, or cleared away."""
    facts = work.facts
    said = json.loads(receipt.read()) if receipt.exists() else {}
    if target.exists() and said.get("key") == key and not (overwrite and facts is None):
        if facts is not None and not facts["told"]["log"]:
            work.remove()  # the end came between the receipt and this
        return ScoreSummary.of_receipt(said)
    if facts is not None and facts["key"] != key and overwrite:
        work.remove()
        facts = None
    if facts is None and target.exists() and not overwrite:
        raise ConflictError(
            f"{target.url} exists and is not what this command writes", hint="Give another output, or --overwrite."
        )
    return None


def _check_columns(
    files: Sequence[InputFile], schema: Schema, keep: Sequence[str], other: Sequence[str]
) -> list[pa.Field]:
    """Refuse what is missing in a file; return the kept columns with a type that holds those of every file."""
    if not sum(file.rows for file in files):
        raise DataError(f"{files[0].name} has no rows", hint="Give a source with at least one row.")
    for file in files:
        names = file.schema.names
        if missing := [name for name in schema.names if name not in names]:
            unknown = [name for name in names if name not in {*schema.names, schema.target, schema.time}]
            hints = [nearest(name, unknown) for name in missing if unknown]
            hint = next(
                (one for one in hints if one.startswith("Did you mean")), f"Columns found: {', '.join(names)}."
            )
            wrong = [] if file.from_text else misfits(file.schema, schema)
            told = [f"{name} is missing" for name in missing] + [f"{name} {what}" for name, what in wrong]
            raise SchemaError(
                f"{file.name} does not match the model: {'; '.join(told)}",
                columns=[*missing, *(name for name, _ in wrong)],
                hint=hint,
            )
        for name in (*keep, *other):
            if name not in names:
                raise DataError(f"{file.name} has no column {name!r} to keep", hint=nearest(name, names))
    fields = []
    for name in keep:
        kinds = [pa.schema([file.schema.field(name)]) for file in files]
        try:
            fields.append(pa.unify_schemas(kinds, promote_options="permissive").field(0).remove_metadata())
        except pa.ArrowException as error:
            raise DataError(
                f"The column {name} has types in the files that do not go together: {error}",
                hint="Give it one type in all files, or do not keep it.",
            ) from error
    return fields


def _score(
    job: Job, files: Sequence[InputFile], work: WorkFolder, batch_rows: int, schema: Schema, *,
    on: str | None, workers: int | None, progress: Callable[[int, int], None] | None,
) -> tuple[Tally, str]:  # fmt: skip
    """Score the pieces that are not done, and count all."""
    tally = Tally()
    total = sum(file.rows for file in files)
    ready = work.done()
    for done in ready:
        tally.add(done)
    if progress and ready:
        progress(tally.rows, total)
    skip = frozenset(done.number for done in ready)
    if len(skip) == sum(file.count(batch_rows) for file in files):
        return tally, "nothing was left to do"
    refused: list[Done] = []
    columns = list(dict.fromkeys([*schema.names, *job.beside]))
    with open_workers(on=_chosen(on, files, work, total), count=workers) as pool:
        if pool.on_each is not None:
            from nbprod.scoring.cluster import check_workers  # delayed: only for clusters

            check_workers(pool, job, [file.name for file in files if file.is_by_name])
        tasks = ((job, piece) for piece in _pieces(files, batch_rows, columns, skip) if not refused)
        for done in pool.map(score_piece, tasks):
            if done.problems:
                refused.append(done)
                continue
            if done.differing:
                raise PackageError(
                    f"The compiled model and the pipeline of {job.digest[:12]} differ on {done.differing} of the "
                    "first rows; nothing was written",
                    hint="Package the model again with this nbprod; until then the deployment should not use it.",
                )
            if pool.on_each is not None and not work.has(done.number):
                raise EnvironmentProblem(
                    f"{done.where or 'A part'} was scored by a worker, and its part is not in {work.place.url}",
                    hint="The output must be on storage that the workers share with this machine.",
                )
            tally.add(done)
            if progress:
                progress(tally.rows, total)
        name = pool.name
    if refused:
        work.remove()
        raise _refusal(min(refused, key=lambda one: one.number))
    return tally, name


def _pieces(files: Sequence[InputFile], rows: int, columns: list[str], skip: frozenset[int]) -> Iterator[Piece]:
    number = start = 0
    for file in files:
        yield from file.pieces(rows, columns, number=number, start=start, skip=skip)
        number += file.count(rows)
        start += file.rows


def _chosen(on: str | None, files: Sequence[InputFile], work: WorkFolder, total: int) -> str | None:
    in_memory = any(file.name.startswith("memory://") for file in files) or work.place.protocol == "memory"
    if on is None:
        return "threads" if in_memory or total < FEW_ROWS else "processes"
    if in_memory and on != "threads":
        raise SettingsError(f"memory:// is of this process alone, and {on} cannot read it", hint="Use --on threads.")
    return on


def _refusal(done: Done) -> SchemaError:
    shown = "\n".join(f"  {problem}" for problem in done.problems[:5])
    return SchemaError(
        f"In {done.where}, {done.rejected:,} rows do not match the model:\n{shown}",
        columns=list(dict.fromkeys(problem.field for problem in done.problems)),
        hint="Nothing was written. Mend the rows, or set them apart in a table of their own with --rejects collect.",
    )


def _summary(
    job: Job, target: Place, rejected: Place, schema: Schema, tally: Tally, seconds: float, where: str
) -> ScoreSummary:
    if schema.task == "classification":
        predicted: dict[str, float] = dict(sorted(tally.outputs.items(), key=lambda item: -item[1]))
    else:
        predicted = {"mean": tally.outputs["sum"] / tally.predicted} if tally.predicted else {}
    return ScoreSummary(
        rows=tally.predicted,
        rejected=tally.rejected,
        output=target.url,
        rejects=rejected.url if tally.rejected else None,
        version=job.version,
        package=job.digest,
        seconds=seconds,
        predicted=predicted,
        unseen=dict(tally.unseen.most_common()),
        path=" and ".join(name for name in tally.paths if name),
        workers=where,
    )
