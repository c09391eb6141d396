"""Whether what two runs put out is identical, within a tolerance, or different: values, tables, figures, files."""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nbprod.disk import digest_file
from nbprod.domain.record import Figure
from nbprod.domain.run import Run
from nbprod.errors import NbprodError
from nbprod.notebook.document import read_notebook

__all__ = ["Output", "OutputSimilarity", "compare_values", "outputs"]

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: What is another one each time: addresses, UUIDs, digests, moments.
FLEETING = re.compile(
    r"0x[0-9a-fA-F]{6,}|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32,}\b"
    r"|\d{8}T\d{6}Z-[a-z0-9_-]+|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
)
A_TIME = re.compile(r".*_(?:s|ms|us|ns|seconds|at)|(?:seconds|duration)")
BLOB = re.compile(r"[0-9a-f]{64}\.[a-z]+")  # a large recorded value, compared as that value


class OutputSimilarity(StrEnum):
    """How much alike two outputs are, from the best to the worst."""

    IDENTICAL = "identical"
    IGNORED = "not compared"  #: it says how long something took, or when it was
    WITHIN = "within tolerance"
    DIFFERENT = "different"


IDENTICAL, IGNORED, WITHIN, DIFFERENT = OutputSimilarity


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of a run and of the one that made it again."""

    kind: str  #: ``run``, ``metric``, ``table``, ``figure``, ``value``, ``file`` or ``cell``
    name: str
    likeness: OutputSimilarity
    note: str = ""  #: both values, where they are short


def outputs(a: Run, b: Run, *, tolerance: float) -> Iterator[Output]:
    """Every output of two runs, held against each other.

    What was recorded and every file; where nothing was recorded, what the cells showed.

    The tolerance is relative and absolute.
    """
    from nbprod.recording import read_records  # knows pandas

    same = (a.status, a.failed_cell) == (b.status, b.failed_cell)
    note = f"{a.status} and {b.status}" if not same else str(b.status)
    yield Output(kind="run", name="status", likeness=IDENTICAL if same else DIFFERENT, note=note)
    folders = Path(a.folder), Path(b.folder)
    notebooks = [read_notebook(folder / "notebook.ipynb") for folder in folders]
    first, second = (read_records(nb, folder) for nb, folder in zip(notebooks, folders, strict=True))
    for name in dict.fromkeys([*first, *second]):
        yield recorded(name, first, second, tolerance)
    yield from files(*(folder / "files" for folder in folders), tolerance=tolerance)
    if not first and not second:
        yield from cells(*notebooks, tolerance=tolerance)


def recorded(name: str, first: Any, second: Any, tolerance: float) -> Output:
    """One recorded value."""
    kinds = ("metric", "table", "figure", "model")
    kind = next((one for one in kinds for side in (first, second) if name in getattr(side, f"{one}s")), "value")
    if name not in first or name not in second:
        note = f"only in the {'first' if name in first else 'second'}"
        return Output(kind=kind, name=name, likeness=DIFFERENT, note=note)
    if A_TIME.fullmatch(name):
        return Output(kind=kind, name=name, likeness=IGNORED, note="a time")
    try:
        one, other = first[name], second[name]
    except NbprodError as error:
        return Output(kind=kind, name=name, likeness=DIFFERENT, note=error.message)
    found = compare_values(one, other, tolerance)
    note = f"{one!r} and {other!r}" if kind == "metric" and found is not IDENTICAL else ""
    return Output(kind=kind, name=name, likeness=found, note=note)


def files(a: Path, b: Path, *, tolerance: float) -> Iterator[Output]:
    """Every file the notebooks left."""
    names = {
        path.relative_to(folder).as_posix()
        for folder in (a, b)
        for path in folder.rglob("*")
        if path.is_file() and not BLOB.fullmatch(path.name)
    }
    for name in sorted(names):
        one, other = a / name, b / name
        if not one.is_file() or not other.is_file():
            where = "first" if one.is_file() else "second"
            yield Output(kind="file", name=name, likeness=DIFFERENT, note=f"only in the {where}")
        else:
            yield Output(kind="file", name=name, likeness=files_alike(one, other, tolerance))


def files_alike(a: Path, b: Path, tolerance: float) -> OutputSimilarity:
    """Two files: by their bytes, or by what they say where the bytes of a format differ each time."""
    if digest_file(a) == digest_file(b):
        return IDENTICAL
    try:
        if a.suffix == ".parquet":
            import pandas as pd  # delayed: heavy

            return compare_values(pd.read_parquet(a), pd.read_parquet(b), tolerance)
        if zipfile.is_zipfile(a) and zipfile.is_zipfile(b):
            return compare_values(unpacked(a), unpacked(b), tolerance)
        one, other = (path.read_text(encoding="utf-8") for path in (a, b))
        if a.suffix == ".json":
            return compare_values(json.loads(one), json.loads(other), tolerance)
        return compare_values(one, other, tolerance)
    except (OSError, ValueError, zipfile.BadZipFile):
        return DIFFERENT


def unpacked(path: Path) -> dict[str, Any]:
    """What a packed file holds, without the moments at which it was packed.

    Models in the format of skops name their parts by where an object was in memory: those are told by their content.
    """
    with zipfile.ZipFile(path) as packed:
        parts: dict[str, Any] = {part.filename: packed.read(part) for part in packed.infolist()}
    if path.suffix != ".skops" or "schema.json" not in parts:
        return parts
    seen_at: dict[int, int] = {}

    def without_address(node: dict[str, Any]) -> dict[str, Any]:
        if "__id__" in node:
            node["__id__"] = seen_at.setdefault(node["__id__"], len(seen_at))
        if node.get("file") in parts:
            node["file"] = parts[node["file"]]
        return node

    return {"schema.json": json.loads(parts["schema.json"], object_hook=without_address)}


def cells(a: Any, b: Any, *, tolerance: float) -> Iterator[Output]:
    """What each code cell showed, by cell id."""
    by_id = [{cell.id: visible_outputs(cell) for cell in nb.cells if cell.cell_type == "code"} for nb in (a, b)]
    for id_ in dict.fromkeys([*by_id[0], *by_id[1]]):
        one, other = by_id[0].get(id_, []), by_id[1].get(id_, [])
        if one or other:
            yield Output(kind="cell", name=id_, likeness=compare_values(one, other, tolerance))


def visible_outputs(cell: Any) -> list[Any]:
    """The outputs of a cell without their counts and metadata."""
    found: list[Any] = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            if output.name == "stdout":  # messages and progress bars go to the other one
                found.append(output.text)
        elif output.output_type == "error":
            found.append([output.ename, output.evalue])
        else:
            data = dict(output.data)
            found.append(data.get("image/png") or data.get("image/svg+xml") or data.get("text/plain") or data)
    return found


def compare_values(a: Any, b: Any, tolerance: float) -> OutputSimilarity:
    """Hold two values against each other, part by part; the worst part decides."""
    return _worst(_compared(a, b, tolerance))


def _worst(found: Iterable[OutputSimilarity]) -> OutputSimilarity:
    return max(found, key=list(OutputSimilarity).index, default=IDENTICAL)


def _compared(a: Any, b: Any, tolerance: float) -> Iterator[OutputSimilarity]:
    if is_number(a) and is_number(b):
        yield _numbers(float(a), float(b), tolerance)
    elif type(a) is not type(b):
        yield DIFFERENT
    elif isinstance(a, str):
        yield _texts(a, b, tolerance)
    elif isinstance(a, bytes):
        yield _bytes(a, b, tolerance)
    elif isinstance(a, Figure):
        yield compare_values(a.content, b.content, tolerance)
    elif isinstance(a, Mapping):
        if a.keys() != b.keys():
            yield DIFFERENT
        for key in a.keys() & b.keys():
            is_time = A_TIME.fullmatch(str(key)) and a[key] != b[key]
            yield IGNORED if is_time else compare_values(a[key], b[key], tolerance)
    elif isinstance(a, list | tuple):
        yield IDENTICAL if len(a) == len(b) else DIFFERENT
        yield from (compare_values(one, other, tolerance) for one, other in zip(a, b, strict=False))
    elif hasattr(a, "columns") or hasattr(a, "index"):
        yield from _tables(a, b, tolerance)
    elif hasattr(a, "dtype"):
        yield _arrays(a, b, tolerance)
    elif is_dataclass(a) and not isinstance(a, type):
        yield compare_values(asdict(a), asdict(b), tolerance)
    else:
        yield IDENTICAL if a == b else DIFFERENT


def is_number(value: Any) -> bool:
    """Whether a value is one number, of Python's or numpy's."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (
        getattr(value, "ndim", None) == 0 and getattr(getattr(value, "dtype", None), "kind", "") in {*"iuf"}
    )


def _numbers(a: float, b: float, tolerance: float) -> OutputSimilarity:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return IDENTICAL
    return WITHIN if math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) else DIFFERENT


def _texts(a: str, b: str, tolerance: float) -> OutputSimilarity:
    if a == b:
        return IDENTICAL
    a, b = FLEETING.sub("…", a), FLEETING.sub("…", b)
    if a == b:
        return IDENTICAL
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return DIFFERENT
    pairs = zip(NUMBER.findall(a), NUMBER.findall(b), strict=True)
    return _worst(_numbers(float(x), float(y), tolerance) for x, y in pairs)


def _bytes(a: bytes, b: bytes, tolerance: float) -> OutputSimilarity:
    if a == b:
        return IDENTICAL
    try:
        return _texts(a.decode(), b.decode(), tolerance)
    except UnicodeDecodeError:
        return DIFFERENT


def _tables(a: Any, b: Any, tolerance: float) -> Iterator[OutputSimilarity]:
    if a.shape != b.shape or not a.index.equals(b.index):
        yield DIFFERENT
    elif not hasattr(a, "columns"):
        yield _arrays(a.to_numpy(), b.to_numpy(), tolerance) if a.name == b.name else DIFFERENT
    elif list(a.columns) != list(b.columns):
        yield DIFFERENT
    else:
        yield from (
            _arrays(a.iloc[:, n].to_numpy(), b.iloc[:, n].to_numpy(), tolerance)
            for n, name in enumerate(a.columns)
            if not A_TIME.fullmatch(str(name))
        )


def _arrays(a: Any, b: Any, tolerance: float) -> OutputSimilarity:
    import numpy as np  # delayed: the values are of numpy, so it is loaded

    if a.shape != b.shape or a.dtype != b.dtype:
        return DIFFERENT
    if a.dtype.kind == "O":
        return _worst(_objects(one, other, tolerance) for one, other in zip(a.flat, b.flat, strict=True))
    if a.dtype.kind not in "fciu":
        both_missing = (a != a) & (b != b)  # noqa: PLR0124 — what is missing is unlike itself
        return IDENTICAL if bool(np.all((a == b) | both_missing)) else DIFFERENT
    if np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        return IDENTICAL
    close = np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    return WITHIN if close else DIFFERENT


def _objects(a: Any, b: Any, tolerance: float) -> OutputSimilarity:
    """Two entries of a column of objects: lists, and marks of what is missing, give no plain answer to ``==``."""
    if a is b:
        return IDENTICAL
    if isinstance(a, str):
        return IDENTICAL if isinstance(b, str) and a == b else DIFFERENT
    return compare_values(a, b, tolerance)
