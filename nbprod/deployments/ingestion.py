"""Predictions and outcomes from a file or frame, checked column by column before anything is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.datasets import open_dataset
from nbprod.domain.deployment import Deployment
from nbprod.domain.version import ModelVersion
from nbprod.errors import SchemaError
from nbprod.lake.columns import NUMBER, to_storage_type
from nbprod.lake.delta import Transaction
from nbprod.lake.rows import ALLOWED

__all__ = ["outcomes_of", "predictions_of"]


def predictions_of(
    source: Any, deployment: Deployment, resolve: Callable[[str], ModelVersion]
) -> tuple[pa.Table, pa.Table | None, Transaction, bool]:
    """What a source holds of predictions, its inputs, its mark, and whether the ids are its own.

    Raises
    ------
    SchemaError
        A sentence for each column at fault.
    """
    dataset = open_dataset(source)
    rows = dataset.table()
    names = rows.column_names
    faults = {name: f"{name}: this column is missing" for name in ("at", "prediction") if name not in names}
    truth = {"outcome", deployment.target} & set(names)
    for name in sorted(name for name in truth if name):
        faults[name] = (
            f"{name}: the outcome is not an input; add it separately: nbprod outcomes add {deployment.name} FILE"
        )
    faults.update(_wrong_values(rows, deployment))
    faults.update(_wrong_versions(rows, deployment, resolve))
    _refuse(faults, names)
    mark = Transaction(name=f"source-{dataset.fingerprint}", number=1)
    core = rows.select([name for name in names if ALLOWED.fullmatch(name)])
    is_given = "prediction_id" in names
    if not is_given:
        # from the content, so that outcomes can be given to rows of a source that is handed in again
        ids = [f"{dataset.fingerprint.rsplit(':', 1)[-1][:16]}-{row}" for row in range(rows.num_rows)]
        core = core.append_column("prediction_id", pa.array(ids, pa.string()))
    others = [name for name in names if not ALLOWED.fullmatch(name)]
    return core, rows.select(others) if others else None, mark, is_given


def outcomes_of(source: Any, deployment: Deployment) -> tuple[pa.Table, Transaction]:
    """What a source holds of outcomes, and its mark; further columns are an error, so that none is misread.

    Raises
    ------
    SchemaError
        The outcomes of a regression are no numbers.
    """
    dataset = open_dataset(source)
    rows = dataset.table()
    if (
        deployment.task == "regression"
        and "outcome" in rows.column_names
        and to_storage_type(rows["outcome"]).type != NUMBER
    ):
        _refuse({"outcome": "outcome: the outcomes of a regression are numbers"}, rows.column_names)
    return rows, Transaction(name=f"source-{dataset.fingerprint}", number=1)


def _wrong_values(rows: pa.Table, deployment: Deployment) -> dict[str, str]:
    faults: dict[str, str] = {}
    for name in rows.column_names:
        if name == "probability" or name.startswith("probability_"):
            numbers = to_storage_type(rows[name])
            if numbers.type != NUMBER:
                faults[name] = f"{name}: must hold numbers from 0 to 1"
                continue
            wrong = pc.sum(pc.or_(pc.less(numbers, 0), pc.greater(numbers, 1))).as_py() or 0
            if wrong:
                faults[name] = f"{name}: {wrong:,} of {rows.num_rows:,} are not from 0 to 1"
    if "prediction" in rows.column_names:
        column = to_storage_type(rows["prediction"])
        if missing := column.null_count:
            faults["prediction"] = f"prediction: {missing:,} of {rows.num_rows:,} are missing"
        elif deployment.task == "regression" and column.type != NUMBER:
            faults["prediction"] = "prediction: the predictions of a regression are numbers"
    return faults


def _wrong_versions(rows: pa.Table, deployment: Deployment, resolve: Callable[[str], ModelVersion]) -> dict[str, str]:
    if deployment.model is None:
        return {}
    if "version" not in rows.column_names:
        return {"version": f"version: this column is missing, and {deployment.name} is served by nbprod"}
    model = deployment.model.partition("@")[0].partition("/")[0]
    for ref in pc.unique(rows["version"]).to_pylist():
        if resolve(str(ref)).model != model:
            return {"version": f"version: {ref} is not a version of {model}"}
    return {}


def _refuse(faults: dict[str, str], names: list[str]) -> None:
    if faults:
        raise SchemaError(
            "\n".join(faults.values()),
            columns=list(faults),
            hint=f"Columns found: {', '.join(names)}. Nothing was kept.",
        )
