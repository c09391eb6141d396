"""Compiles the model of a package in the making, and holds it against its pipeline before anything relies on it."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbprod.compiled.certificate import CERTIFICATE, Certificate
from nbprod.compiled.compiling import NotCompiledError, compile_model
from nbprod.compiled.edges import edge_rows
from nbprod.compiled.model import CompiledModel
from nbprod.compiled.plan import ARRAYS, EXAMPLES, Plan
from nbprod.compiled.predictor import CompiledPredictor
from nbprod.disk import write_file
from nbprod.domain.schema import ColumnKind, Schema
from nbprod.errors import DataError
from nbprod.packages.loader import outputs
from nbprod.packages.rows import check_rows

__all__ = ["CERTIFICATE", "Certificate", "compiled_files"]

TOLERANCE = 1e-12
TOLERANCE_SINGLE = 1e-6  #: of models that add up numbers of 32 bits
MANY = 2048  #: rows of the timing of large tables
BASES = 8  #: usual rows that edges are made of
SINGLES = 256  #: rows of a kind predicted one by one too
EXAMPLE_ROWS = 5
LONG_S = 0.3  #: after which a timing is not repeated
ALONE = 40  #: rows tried one by one where the pipeline refuses all at once

STRANGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_Times = tuple[dict[str, float], dict[str, float]]


def compiled_files(
    model: Any,
    schema: Schema,
    samples: Mapping[str, pd.DataFrame],
    *,
    private: Sequence[str] = (),
    times: Path | None = None,
) -> dict[str, bytes]:
    """The files of the compiled model with its certificate; the certificate alone where there is none.

    Parameters
    ----------
    model
        The fitted pipeline.
    schema
        What it takes and gives.
    samples
        Checked rows to compare on, by name: ``golden``, ``reference``.
    private
        Columns whose values must not stand in the files.
    times
        Where measured times are kept, so that a run gives one package whenever it is built; none keeps none.
    """
    try:
        plan = compile_model(model, schema, private=private)
        compiled = CompiledModel(plan)
        files = plan.files()
    except NotCompiledError as error:
        return {CERTIFICATE: _refused(str(error))}
    except STRANGE as error:  # a fitted attribute of another release may be anything: the pipeline still serves
        return {CERTIFICATE: _refused(f"compiling stopped at {type(error).__name__}: {error}")}
    size = sum(map(len, files.values()))
    tolerance = TOLERANCE_SINGLE if plan.is_single else TOLERANCE
    asked = Certificate(compiled=True, passed=True, sentence="", tolerance=tolerance)
    trial = _Trial(model, CompiledPredictor(compiled, schema, asked), samples, plan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values never seen, which are the point
        made = trial.compare()
        if made.passed:
            key = sha256(files[ARRAYS] + repr(sorted(map(len, files.values()))).encode()).hexdigest()
            one, many = _measured(times, key, trial.measure)
            made = _timed(made, one, many)
    files[EXAMPLES] = _examples(next(iter(samples.values())), schema)
    return {**files, CERTIFICATE: _with(made, size_bytes=size).to_json().encode()}


def _examples(rows: pd.DataFrame, schema: Schema) -> bytes:
    """Rows to begin with, and for each column a usual value: the middle number or moment, the most frequent value."""
    usual: dict[str, Any] = {}
    for column in schema.columns:
        known = rows[column.name].dropna()
        if not len(known):
            usual[column.name] = None
        elif column.is_numeric or column.kind is ColumnKind.DATETIME:
            usual[column.name] = known.sort_values().iloc[len(known) // 2]
        else:
            usual[column.name] = known.mode().iloc[0]
    told = {"rows": [_told(row) for row in _records(rows.head(EXAMPLE_ROWS))], "usual": _told(usual)}
    return (json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON knows them; a moment is what its own clock shows."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {
        name: value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value
        for name, value in plain.items()
    }


def _refused(why: str) -> bytes:
    return Certificate(compiled=False, passed=False, sentence=f"The pipeline is used: {why}.").to_json().encode()


def _with(certificate: Certificate, **changes: Any) -> Certificate:
    return Certificate(**{**vars(certificate), **changes})


class _Trial:
    """Both paths side by side."""

    def __init__(
        self, model: Any, predictor: CompiledPredictor, samples: Mapping[str, pd.DataFrame], plan: Plan
    ) -> None:
        self._model, self._predictor, self._schema = model, predictor, predictor.schema
        self._described = {
            "task": self._schema.task,
            "classes": self._schema.classes,
            "probabilistic": self._schema.probabilistic,
        }
        self._groups = {name: frame for name, frame in samples.items() if len(frame)}
        self._usual = _records(next(iter(self._groups.values())).head(BASES)) if self._groups else []
        for kind, rows in edge_rows(self._usual, self._schema, plan).items() if self._usual else ():
            if rows:
                self._groups[kind] = check_rows(rows, self._schema).frame
        self._scale = 1.0
        self._largest, self._flips, self._refused = 0.0, 0, 0
        self._column: str | None = None
        self._fault = ""

    def compare(self) -> Certificate:
        """Predict every row on every path."""
        for kind, frame in self._groups.items():
            self._group(kind, frame)
            if self._fault:
                break
        rows = {kind: len(frame) for kind, frame in self._groups.items()}
        total = sum(rows.values())
        passed = not self._fault and total > 0
        sentence = self._fault or (
            f"The compiled model gives what the pipeline gives on {total:,} rows."
            if total
            else "The pipeline is used: there were no rows to compare on."
        )
        return _with(
            self._predictor.certificate,
            passed=passed,
            sentence=sentence,
            rows=rows,
            refused_alike=self._refused,
            largest_difference=self._largest,
            column=self._column,
            label_flips=self._flips,
        )

    def _group(self, kind: str, frame: pd.DataFrame) -> None:
        expected = self._asked(lambda: outputs(self._model, frame, self._described))
        if expected is None:  # one row is enough to refuse them all
            if len(frame) > 1:
                for number in np.unique(np.linspace(0, len(frame) - 1, min(ALONE, len(frame))).astype(int)).tolist():
                    self._group(kind, frame.iloc[[number]])
                return
            if self._asked(lambda: self._predictor.predict_columns(frame)) is not None:
                self._fault = f"The pipeline is used: it refuses a row ({kind}) that the compiled model predicts."
            self._refused += 1
            return
        actual = self._asked(lambda: self._predictor.predict_columns(frame))
        if actual is None:
            self._fault = f"The pipeline is used: the compiled model refuses a row ({kind}) that it predicts."
            return
        self._hold(kind, expected, pd.DataFrame(actual))
        if not self._fault:
            self._hold(kind, expected.head(SINGLES), pd.DataFrame(self._one_by_one(frame.head(SINGLES))))

    def _one_by_one(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        made = []
        for row in _records(frame):
            checked = self._predictor.check(row)
            made.append(self._predictor.predict(checked.values) if not checked.problems else {})
        return made

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (ValueError, TypeError, DataError):  # what a pipeline refuses rows with, and what we do
            return None

    def _hold(self, kind: str, expected: pd.DataFrame, actual: pd.DataFrame) -> None:
        for name in expected.columns:
            if name not in actual:
                self._fault = f"The pipeline is used: the check of single rows refuses one ({kind})."
                return
            left, right = expected[name].to_numpy(), actual[name].to_numpy()
            if self._schema.task == "classification" and name == "prediction":
                flips = int((left.astype(object) != right.astype(object)).sum())
                self._flips += flips
                if flips:
                    self._fault = f"The pipeline is used: {flips} of {len(left)} labels differ ({kind})."
                continue
            left, right = left.astype(np.float64), right.astype(np.float64)
            same = (left == right) | (np.isnan(left) & np.isnan(right))
            gaps = np.where(same, 0.0, np.abs(left - right))
            gaps = np.where(np.isnan(gaps), np.inf, gaps)
            if kind in {"golden", "reference"}:
                self._scale = max(self._scale, float(np.abs(left[np.isfinite(left)]).max(initial=0.0)))
            allowed = self._predictor.certificate.tolerance * np.maximum(self._scale, np.abs(left))
            worst = float(gaps.max(initial=0.0))
            if worst > self._largest:
                self._largest, self._column = min(worst, float(np.finfo(np.float64).max)), str(name)
            if (gaps > np.where(np.isnan(allowed), 0.0, allowed)).any():
                self._fault = f"The pipeline is used: {name} differs by up to {worst:.3g} ({kind})."

    def measure(self) -> _Times:
        """Microseconds a row of both paths, checked and predicted, one at a time and many at once."""
        row, predictor = self._usual[0], self._predictor
        frame = next(iter(self._groups.values()))
        many = frame.iloc[np.arange(MANY) % len(frame)].reset_index(drop=True)

        def pipeline_one() -> None:
            outputs(self._model, check_rows([row], self._schema).frame, self._described)

        one = {
            "compiled": _fastest(lambda: predictor.predict(predictor.check(row).values), calls=20, repeats=10),
            "pipeline": _fastest(pipeline_one, calls=1, repeats=3),
        }
        at_once = {
            "compiled": _fastest(lambda: predictor.predict_columns(many), calls=1, repeats=2) / MANY,
            "pipeline": _fastest(lambda: outputs(self._model, many, self._described), calls=1, repeats=2) / MANY,
        }
        return one, at_once


def _fastest(call: Callable[[], Any], *, calls: int, repeats: int) -> float:
    """Microseconds of one call, the best of several rounds; of slow calls, of as many as there is time for."""
    best = float("inf")
    begun = time.perf_counter()
    for _ in range(repeats):
        start = time.perf_counter()
        if start - begun > LONG_S:
            break
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - start) / calls)
    return best * 1e6


def _measured(path: Path | None, key: str, measure: Callable[[], _Times]) -> _Times:
    """Times once measured for this compiled model, or new ones, which are kept."""
    if path is not None and path.is_file():
        try:
            known = json.loads(path.read_bytes())
            if known["of"] == key:
                return known["one"], known["many"]
        except (ValueError, KeyError, TypeError, OSError):
            pass  # not ours: measured anew
    one, many = ({path: float(f"{value:.4g}") for path, value in each.items()} for each in measure())
    if path is not None:
        write_file(path, json.dumps({"of": key, "one": one, "many": many}, indent=1))
    return one, many


def _timed(certificate: Certificate, one: dict[str, float], many: dict[str, float]) -> Certificate:
    """Say up to how many rows at once the compiled model is faster, from a fixed cost and one for each row."""
    fixed = {path: max(0.0, one[path] - many[path]) for path in one}
    up_to: int | None = None
    if many["compiled"] > many["pipeline"]:
        up_to = max(1, int((fixed["pipeline"] - fixed["compiled"]) / (many["compiled"] - many["pipeline"])))
    return _with(certificate, one_row_us=one, many_rows_us=many, fast_up_to=up_to)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings, with ``None`` where something is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [dict(zip(plain.columns, values, strict=True)) for values in plain.itertuples(index=False, name=None)]
