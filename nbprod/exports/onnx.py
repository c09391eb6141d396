"""A model as one ONNX file for devices, with a certificate of how near it comes to the package it was made of.

Numbers enter as 32 bits, because ONNX Runtime has no imputer of 64: a value within rounding of a tree's threshold
may go the other way. So equality is not assumed but measured, on the golden rows, the reference and made edges, and a
file that differs too often is not written. Rows on a threshold itself are counted apart: there the rounding decides.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbprod.compiled.edges import edge_rows
from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import EnvironmentProblem, RefusedError
from nbprod.exports.origin import Origin
from nbprod.packages import LoadedPackage
from nbprod.packages.golden import choose_rows

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["OnnxCertificate", "convert"]

MOST_ROWS = 10_000  #: of the reference that are compared
TOLERANCE = 1e-4  #: of a probability, and of a number in shares of the range of what is predicted
MOST_BEYOND = 0.001  #: share of rows that may differ by more
TIMED_ROWS = 50
BASES = 8  #: usual rows that edges are made of
ROUNDED = "threshold"  #: the kind of edge that 32 bits may put on the other side


@dataclass(frozen=True, kw_only=True)
class OnnxCertificate:
    """How the ONNX model and the package answered the same rows."""

    model: str  #: ``electricity/2``
    package: str  #: digest
    rows: int
    largest_difference: float  #: of a probability or a predicted number
    beyond_tolerance: int  #: rows that differ by more than `tolerance`
    tolerance: float
    label_flips: int  #: rows with another class; 0 for numbers
    edges: Mapping[str, Mapping[str, int]]  #: by kind of made rows: ``rows``, ``beyond``, ``flips``, ``refused``
    ms_a_row: float  #: median time of one row in ONNX Runtime
    package_ms_a_row: float  #: median time of the same row by the package
    versions: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether at most one row in a thousand differs or has another class, and no edge but some on thresholds."""
        astray = sum(told["beyond"] + told["flips"] for kind, told in self.edges.items() if kind != ROUNDED)
        return not astray and max(self.beyond_tolerance, self.label_flips) <= MOST_BEYOND * self.rows

    @property
    def sentence(self) -> str:
        """The result in a sentence."""
        return (
            f"{self.rows:,} rows compared: largest difference {number(self.largest_difference, 3)}, "
            f"{self.beyond_tolerance} beyond {number(self.tolerance, 3)}, {self.label_flips} labels differ; "
            f"{self._edges}"
            f"{number(self.ms_a_row, 3)} ms a row, the package {number(self.package_ms_a_row, 3)} ms"
        )

    @property
    def _edges(self) -> str:
        told = []
        for kind, one in self.edges.items():
            refused = f", {one['refused']} are refused there alone" if one["refused"] else ""
            told.append(f"{max(one['beyond'], one['flips'])} of {one['rows']} rows {kind} differ{refused}")
        return f"made edges: {', '.join(told)}; " if told else ""

    def to_json(self) -> str:
        """Written beside the model."""
        return json.dumps({**asdict(self), "passed": self.passed}, indent=1) + "\n"

    def __repr__(self) -> str:
        return f"<OnnxCertificate of {self.model}: {self.sentence}>"

    def _repr_html_(self) -> str:
        return card(
            f"ONNX of {self.model}", [("verdict", "passed" if self.passed else "failed"), ("rows", self.sentence)]
        )


def convert(origin: Origin, package: LoadedPackage) -> tuple[bytes, OnnxCertificate]:
    """The ONNX file and its certificate, which has passed.

    Each column is an input of its own with the column's name and the shape rows by one: 32-bit numbers (also for
    whole numbers and for true or false) or text. Outputs are ``label`` and ``probabilities`` or, for numbers,
    ``variable``. The file names model, package and schema in its metadata.

    Raises
    ------
    EnvironmentProblem
        skl2onnx or onnxruntime is not installed.
    RefusedError
        A part of the model has no form in ONNX, or the answers differ too often.
    """
    problems: list[str] = []
    failed: OnnxCertificate | None = None
    for types in _input_types(package.schema):
        try:
            content = _converted(origin, package, types)
            certificate = _certificate(origin, package, types, content)
        except EnvironmentProblem:
            raise
        except Exception as error:  # noqa: BLE001 — converters raise whatever the part they fail at raises
            problems.append(_first_line(error))
            continue
        if certificate.passed:
            return content, certificate
        failed = certificate
    if failed is not None:
        raise RefusedError(
            f"The ONNX form of {origin.version.ref} answers otherwise than its package: {failed.sentence}",
            hint="Numbers have 32 bits there. Nothing was written; nbprod models export docker serves it exactly.",
        )
    raise RefusedError(
        f"{origin.version.ref} ({package.metadata['model']}) has no form in ONNX: {problems[0]}",
        hint="Nothing was written. Train with parts skl2onnx converts, or serve it: nbprod models export docker.",
    )


def _input_types(schema: Schema) -> Iterator[dict[str, str]]:
    """What each column may enter as, the likeliest first: an encoder of whole numbers needs them as such."""
    usual = {column.name: _input_type(column) for column in schema.columns}
    yield usual
    whole = {
        column.name: "int64" for column in schema.columns if column.kind is ColumnKind.INTEGER and not column.nullable
    }
    if whole:
        yield {**usual, **whole}


def _input_type(column: Column) -> str:
    match column.kind:
        case ColumnKind.NUMBER | ColumnKind.INTEGER | ColumnKind.BOOLEAN:
            return "float32"
        case ColumnKind.CATEGORY if column.categories and not isinstance(column.categories[0], str):
            return "int64" if all(isinstance(value, int) for value in column.categories) else "float32"
        case ColumnKind.DATETIME:
            return "datetime"
        case _:
            return "str"


def _converted(origin: Origin, package: LoadedPackage, types: Mapping[str, str]) -> bytes:
    try:
        from skl2onnx import convert_sklearn  # delayed: an extra
        from skl2onnx.common import data_types
        from skl2onnx.shape_calculators.one_hot_encoder import calculate_sklearn_one_hot_encoder_output_shapes
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import OneHotEncoder

        from nbprod.exports.onnx_converters import convert_imputer, convert_one_hot, shape_of_imputed
    except ImportError as error:
        raise EnvironmentProblem(f"{error.name} is not installed", hint="pip install 'nbprod[onnx]'") from error
    if moments := [name for name, type_ in types.items() if type_ == "datetime"]:
        raise RefusedError(f"ONNX has no moments, and the model takes {', '.join(moments)}")
    kinds = {
        "float32": data_types.FloatTensorType,
        "int64": data_types.Int64TensorType,
        "str": data_types.StringTensorType,
    }
    options = {id(package.model): {"zipmap": False}} if package.schema.task == "classification" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of converters about their own future
        made = convert_sklearn(
            package.model,
            name=origin.version.model,
            initial_types=[(name, kinds[type_]([None, 1])) for name, type_ in types.items()],
            options=options,
            custom_conversion_functions={SimpleImputer: convert_imputer, OneHotEncoder: convert_one_hot},
            custom_shape_calculators={
                SimpleImputer: shape_of_imputed,
                OneHotEncoder: calculate_sklearn_one_hot_encoder_output_shapes,
            },
        )
    said = {
        "nbprod.model": origin.version.ref,
        "nbprod.package": origin.sealed.digest,
        "nbprod.schema": package.schema.to_json(),
    }
    for key, value in said.items():
        made.metadata_props.add(key=key, value=value)
    content: bytes = made.SerializeToString()
    return content


def _certificate(origin: Origin, package: LoadedPackage, types: Mapping[str, str], content: bytes) -> OnnxCertificate:
    import onnxruntime  # delayed: an extra, and heavy

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised; it would be printed as well
    options.intra_op_num_threads = 1  # one row a call: more threads only wait for each other
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    schema = package.schema
    golden, _ = package.golden()
    reference = choose_rows(package.reference(), MOST_ROWS)
    # private columns are not in the reference; the golden rows hold a placeholder
    rows = golden if set(schema.names) - set(reference) else pd.concat([golden, reference[list(schema.names)]])
    rows = package.check(rows.reset_index(drop=True)).frame
    expected = package.predict_checked(rows)
    scale = 1.0 if schema.task == "classification" else float(np.ptp(expected["prediction"].to_numpy())) or 1.0
    difference, flips = _held(session, rows, expected, types, schema)
    edges = {}
    for kind, made in _edges(package, rows).items():
        if made:
            edges[kind] = _edge(session, package, made, types, scale)
    one = rows.head(1)
    feed = _feed(one, types)
    return OnnxCertificate(
        model=origin.version.ref,
        package=origin.sealed.digest,
        rows=len(rows),
        largest_difference=float(difference.max(initial=0.0)),
        beyond_tolerance=int((difference > TOLERANCE * scale).sum()),
        tolerance=TOLERANCE * scale,
        label_flips=flips,
        edges=edges,
        ms_a_row=_median_ms(lambda: session.run(None, feed)),
        package_ms_a_row=_median_ms(lambda: package.predict_checked(one)),
        versions={name: version_of(name) for name in ("skl2onnx", "onnx", "onnxruntime", "scikit-learn")},
    )


def _held(
    session: InferenceSession, rows: pd.DataFrame, expected: pd.DataFrame, types: Mapping[str, str], schema: Schema
) -> tuple[Any, int]:
    """How far the numbers of each row are from what is expected, and how many labels are others."""
    labels, numbers = _outputs(session, _feed(rows, types), schema)
    difference, flips = np.zeros(len(rows)), 0
    if schema.task == "classification":
        flips = int((labels != expected["prediction"].astype(str).to_numpy()).sum())
    if numbers is not None:
        wanted = expected[list(_numeric(schema))].to_numpy(np.float64)
        difference = np.nan_to_num(np.abs(numbers - wanted), nan=math.inf).max(axis=1)
    return difference, flips


def _edges(package: LoadedPackage, rows: pd.DataFrame) -> Mapping[str, list[dict[str, Any]]]:
    """Rows that miss a value, hold one never seen or far outside, or one on a threshold or beside it in 32 bits."""
    usual = rows.head(BASES)
    plain: list[Any] = usual.astype(object).where(usual.notna(), None).to_dict("records")
    plan = package.compiled.model.plan if package.compiled is not None else None
    return edge_rows(plain, package.schema, plan, step=np.float32)


def _edge(
    session: InferenceSession,
    package: LoadedPackage,
    rows: list[dict[str, Any]],
    types: Mapping[str, str],
    scale: float,
) -> dict[str, int]:
    """How rows of one kind were answered, those the package answers; a device must refuse the others by itself."""
    told = None
    try:
        frame = package.check(rows).frame
        told = package.predict_by_pipeline(frame)
        apart, flips = _held(session, frame, told, types, package.schema)
    except Exception:  # noqa: BLE001 — a pipeline refuses with whatever it likes, and so does the runtime
        if len(rows) > 1:  # one row is enough to have all refused
            each = [_edge(session, package, [row], types, scale) for row in rows]
            return {name: sum(one[name] for one in each) for name in each[0]}
        answered = int(told is not None)
        return {"rows": answered, "beyond": 0, "flips": 0, "refused": answered}
    # of a number far outside, 32 bits hold no more than a share of its size
    is_number = package.schema.task != "classification"
    sizes = np.abs(told["prediction"].to_numpy(np.float64)) if is_number else np.ones(len(told))
    beyond = int((apart > TOLERANCE * np.maximum(scale, sizes)).sum())
    return {"rows": len(frame), "beyond": beyond, "flips": flips, "refused": 0}


def _numeric(schema: Schema) -> tuple[str, ...]:
    return schema.outputs[1:] if schema.task == "classification" else ("prediction",)


def _feed(rows: pd.DataFrame, types: Mapping[str, str]) -> dict[str, Any]:
    feed = {}
    for name, type_ in types.items():
        values = rows[[name]]
        if type_ == "str":
            feed[name] = (
                values.astype(object).where(values.notna(), "").to_numpy(dtype=object).astype(str).astype(object)
            )
        else:
            feed[name] = values.astype(float).to_numpy(type_) if type_ == "float32" else values.to_numpy(np.int64)
    return feed


def _outputs(session: InferenceSession, feed: Mapping[str, Any], schema: Schema) -> tuple[Any, Any]:
    """Labels as text, and probabilities (of the second of two classes) or numbers, rows by columns."""
    made = session.run(None, dict(feed))
    if schema.task != "classification":
        return None, np.asarray(made[0], np.float64).reshape(-1, 1)
    labels = np.asarray(made[0]).ravel().astype(str)
    if not schema.probabilistic:
        return labels, None
    shares = np.asarray(made[1], np.float64)
    return labels, shares[:, 1:] if len(schema.classes) == 2 else shares


def _median_ms(work: Any) -> float:
    work()
    times = []
    for _ in range(TIMED_ROWS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0][:300]
