"""The files that make a package a valid MLflow model directory; written without MLflow, read by it from 1.30 on.

``required`` is never written for a column: releases before 2.20 cannot read it, and a column is required without it.
Whole numbers with gaps are declared ``double``, because pandas holds them so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.formats import onnx_session, restoring
from nbprod.formats.trust import VERIFIED_TYPES

__all__ = ["signature", "write_mlflow_files"]

TYPES = {
    ColumnKind.NUMBER: "double",
    ColumnKind.INTEGER: "long",
    ColumnKind.BOOLEAN: "boolean",
    ColumnKind.CATEGORY: "string",
    ColumnKind.TEXT: "string",
    ColumnKind.DATETIME: "datetime",
}
MARK = "TRUSTED: tuple[str, ...] = ()"


def write_mlflow_files(
    folder: Path,
    *,
    schema: Schema,
    example: pd.DataFrame,
    content: str,
    pinned: Mapping[str, str],
    python: str,
    made_at: datetime,
    metadata: Mapping[str, Any],
) -> None:
    """Write ``MLmodel``, its environment files, its input example and its loader.

    Parameters
    ----------
    folder
        The package in the making, which has its ``requirements.txt`` already.
    schema
        What the model takes and gives.
    example
        A few rows of inputs, without private values.
    content
        SHA-256 over what the package holds so far, as hex; the loader is named by its first twelve digits, because a
        process that has imported one module of a name never imports another.
    pinned
        Version by name of what the package needs.
    python
        Version of Python.
    made_at
        The moment the run ended.
    metadata
        Identity of the package, for readers of ``MLmodel``.
    """
    loader = f"nbprod_loader_{content[:12]}"
    code = folder / "code"
    code.mkdir(exist_ok=True)
    source = Path(__file__).with_name("loader.py").read_text(encoding="utf-8")
    listed = "".join(f'    "{name}",\n' for name in VERIFIED_TYPES)
    (code / f"{loader}.py").write_text(
        source.replace(MARK, f"TRUSTED: tuple[str, ...] = (\n{listed})"), encoding="utf-8"
    )
    shutil.copyfile(restoring.__file__, code / f"{loader.replace('loader', 'restoring')}.py")
    if metadata["format"] == "onnx":
        shutil.copyfile(onnx_session.__file__, code / f"{loader.replace('loader', 'session')}.py")
    # a plain file of this name keeps Python from writing compiled files into the sealed folder
    (code / "__pycache__").write_bytes(b"")
    split = json.loads(example.to_json(orient="split", date_format="iso"))
    table = {"columns": split["columns"], "data": split["data"]}
    (folder / "input_example.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    (folder / "serving_input_example.json").write_text(json.dumps({"dataframe_split": table}), encoding="utf-8")
    _write_environments(folder, python)
    model = {
        "flavors": {
            "nbprod": {"format": metadata["format"], "schema": "schema.json"},
            "python_function": {
                "code": "code",
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": loader,
                "python_version": python,
            },
        },
        "metadata": {"nbprod": dict(metadata), "pins": dict(pinned)},
        "model_uuid": content[:32],
        "saved_input_example_info": {
            "artifact_path": "input_example.json",
            "pandas_orient": "split",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
        },
        "signature": signature(schema),
        "utc_time_created": f"{made_at:%Y-%m-%d %H:%M:%S.%f}",
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(model, sort_keys=True), encoding="utf-8")


def signature(schema: Schema) -> dict[str, str | None]:
    """Inputs and outputs as MLflow writes them: JSON text inside of YAML."""
    inputs = [{"name": column.name, "type": _type(column)} for column in schema.columns]
    outputs = [{"name": "prediction", "type": _class_type(schema)}]
    outputs += [{"name": name, "type": "double"} for name in schema.outputs[1:]]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def _write_environments(folder: Path, python: str) -> None:
    environment = {
        "python": python,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": lines}],
    }
    (folder / "conda.yaml").write_text(yaml.safe_dump(conda, sort_keys=False), encoding="utf-8")


def _type(column: Column) -> str:
    if column.kind is ColumnKind.INTEGER and column.nullable:
        return "double"
    if column.kind is ColumnKind.CATEGORY and column.categories and not isinstance(column.categories[0], str):
        return "double" if isinstance(column.categories[0], float) else "long"
    return TYPES[column.kind]


def _class_type(schema: Schema) -> str:
    if schema.task == "regression":
        return "double"
    first = schema.classes[0] if schema.classes else ""
    return {bool: "boolean", int: "long", float: "double"}.get(type(first), "string")
