"""From a finished run to a sealed folder: everything a stranger needs to trust, load and watch the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from nbprod.clock import format_utc
from nbprod.domain.run import Run
from nbprod.domain.schema import Schema
from nbprod.errors import PackageError
from nbprod.formats.carrying import CODE_FOLDER
from nbprod.packages import environment, feature_importance
from nbprod.packages.card import write_card
from nbprod.packages.certifying import CERTIFICATE, Certificate, compiled_files
from nbprod.packages.golden import choose_rows, largest_difference, to_parquet, without_private
from nbprod.packages.importing import Elsewhere
from nbprod.packages.loader import outputs
from nbprod.packages.mlflow import write_mlflow_files
from nbprod.packages.rows import check_rows
from nbprod.packages.sealing import Sealed, seal_folder
from nbprod.packages.staged import StagedModel
from nbprod.statistics import Profile

__all__ = ["FORMAT", "fill_folder"]

FORMAT = 1  #: of ``nbprod.json`` and of what the folder holds
REFERENCE_ROWS = 50_000


def fill_folder(folder: Path, staged: StagedModel, run: Run | Elsewhere, run_folder: Path) -> Sealed:
    """Write a package into an empty private folder and seal it; one run gives one digest, whenever it is built.

    Raises
    ------
    PackageError
        The model, read back, does not give the predictions that the notebook recorded.
    """
    schema, private = staged.schema, staged.private
    described = {"task": schema.task, "classes": schema.classes, "probabilistic": schema.probabilistic}
    held_out = staged.reference
    rows = choose_rows(held_out)
    golden = check_rows(without_private(rows[list(schema.names)], schema, private), schema).frame
    expected = outputs(staged.model, golden, described)
    # what was predicted from real values is not what blanked ones give, nor an earlier model's what this one gives
    if staged.info.get("asked", True) and not set(private) & set(schema.names):
        _check_recorded(rows, expected, schema)

    (folder / "model").mkdir()
    for path in staged.model_files:
        shutil.copyfile(path, folder / "model" / path.name)
    if staged.code_folder is not None:
        shutil.copytree(staged.code_folder, folder / CODE_FOLDER)
    _write(folder, "schema.json", schema.to_json())
    reference = choose_rows(held_out.drop(columns=[name for name in private if name in held_out]), REFERENCE_ROWS)
    (folder / "reference.parquet").write_bytes(to_parquet(reference))
    (folder / "profile.bin").write_bytes(_profile(reference, schema.time))
    some = choose_rows(held_out, feature_importance.ROWS)[list(schema.names)]
    some = check_rows(without_private(some, schema, private), schema).frame
    _write(folder, feature_importance.FILE, _json(feature_importance.feature_importance(staged.model, some, schema)))

    samples = {"golden": golden, "reference": some}
    compiled = compiled_files(staged.model, schema, samples, private=private, times=run_folder / "compiled.json")
    (folder / CERTIFICATE).parent.mkdir()
    for name, content in compiled.items():
        (folder / name).write_bytes(content)

    (folder / "golden.parquet").write_bytes(to_parquet(pd.concat([golden, expected.add_prefix("expected_")], axis=1)))

    pinned = environment.pins(folder)
    _write(folder, "requirements.txt", environment.requirements(pinned))
    _write(folder, "environment.json", _json({**environment.surroundings(), "installed": environment.installed()}))
    _write(folder, "metrics.json", _json(dict(run.metrics)))
    notebook = run_folder / "notebook.ipynb"
    if notebook.is_file():
        shutil.copyfile(notebook, folder / "notebook.ipynb")
    metadata = _metadata(staged, run)
    _write(folder, "nbprod.json", _json(metadata))
    _write(
        folder,
        "README.md",
        write_card(
            schema=schema,
            model=staged.title,
            metadata=metadata,
            metrics=run.metrics,
            rows=len(reference),
            pinned=pinned,
            certificate=Certificate.from_json(compiled[CERTIFICATE]),
        ),
    )
    write_mlflow_files(
        folder,
        schema=schema,
        example=golden.head(5),
        content=_content(folder),
        pinned=pinned,
        python=environment.surroundings()["python"],
        made_at=run.ended_at or run.created_at,
        metadata=metadata,
    )
    return seal_folder(folder)


def _check_recorded(rows: pd.DataFrame, made: pd.DataFrame, schema: Schema) -> None:
    recorded = [name for name in schema.outputs if name in rows]
    is_single = any(column.dtype == "float32" for column in schema.columns)
    found = largest_difference(rows[recorded], made, is_single=is_single)
    if not found.within:
        raise PackageError(
            f"The saved model does not give the predictions its notebook recorded: {found}",
            hint="The model was changed after save_model, or it answers at random; fix that and run again.",
        )


def _profile(reference: pd.DataFrame, time: str | None) -> bytes:
    is_moment = time in reference and pd.api.types.is_datetime64_any_dtype(reference[time])
    return Profile.of(reference, time=time if is_moment and not reference[time].isna().any() else None).to_bytes()


def _metadata(staged: StagedModel, run: Run | Elsewhere) -> dict[str, Any]:
    return {
        "format_version": FORMAT,
        "nbprod": version("nbprod"),
        "format": staged.format,
        "model": staged.title,
        "task": staged.schema.task,
        "target": staged.schema.target,
        "run_id": run.id,
        "template": run.template,
        "template_digest": run.template_digest,
        "parameters": {name: _printable(value) for name, value in run.parameters.items()},
        "data": dict(run.data),
        "git": run.git,
        "environment": run.environment,
        "trained_at": format_utc(run.ended_at or run.created_at),
        "private": [column.name for column in staged.schema.columns if column.name in staged.private],
    }


def _printable(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value


def _content(folder: Path) -> str:
    """SHA-256 over names and bytes so far: the loader's name cannot hold the digest of a manifest that names it."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
