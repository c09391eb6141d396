"""What a run left behind for a package: the folder that ``save_model`` fills in the notebook's kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbprod import formats
from nbprod.domain.schema import Schema
from nbprod.errors import NotFoundError, PackageError, SchemaError
from nbprod.formats.carrying import CODE_FOLDER

__all__ = ["FOLDER", "StagedModel", "read_staged"]

FOLDER = "files/model"  #: inside of the run's folder
DATA = {"inputs.parquet", "model.json", "reference.parquet", "target.parquet"}  # everything else is the model's


@dataclass(frozen=True, kw_only=True)
class StagedModel:
    """A saved model with its rows, read back and described."""

    folder: Path
    format: str
    model: Any
    schema: Schema
    reference: pd.DataFrame  #: inputs, target, prediction and probabilities of rows the model was not trained on
    private: tuple[str, ...]  #: columns whose values are blanked here, and left out or blanked in the package
    info: Mapping[str, Any]  #: ``model.json``

    @property
    def model_files(self) -> list[Path]:
        """The files the model's format wrote."""
        return sorted(path for path in self.folder.iterdir() if path.is_file() and path.name not in DATA)

    @property
    def code_folder(self) -> Path | None:
        """Where the source of the author's modules lies, if the model needs any."""
        folder = self.folder / CODE_FOLDER
        return folder if folder.is_dir() else None

    @property
    def title(self) -> str:
        """What the model is, in a few words."""
        steps = getattr(self.model, "steps", None)
        names = [type(step).__name__ for _, step in steps] if steps else []
        return type(self.model).__name__ + (f" of {' and '.join(names)}" if names else "")


def read_staged(
    run_folder: Path,
    *,
    private: Sequence[str] = (),
    trusted: Sequence[str] = (),
    allow_pickle: bool = False,
) -> StagedModel:
    """Read what ``save_model`` left in a run's folder.

    Raises
    ------
    NotFoundError
        The run saved no model.
    PackageError
        What it saved is incomplete or cannot be read.
    UntrustedTypesError
        The model holds types that are neither on the list for verified packages nor trusted here.
    """
    folder = run_folder / FOLDER
    if not (folder / "model.json").is_file():
        raise NotFoundError(
            f"The run in {run_folder} saved no model",
            hint="Call nbprod.save_model(model, inputs=X_test, target=y_test) in its notebook and run it again.",
        )
    try:
        info = json.loads((folder / "model.json").read_bytes())
        reference = pd.read_parquet(folder / "reference.parquet")
        schema = Schema.from_json(info["schema"])
    except (OSError, ValueError, KeyError, TypeError, SchemaError) as error:
        raise PackageError(
            f"What was saved in {folder} cannot be read: {error}",
            hint="Run the notebook again; save_model writes this folder.",
        ) from error
    chosen, model = formats.read_written(
        info.get("format", "skops"), folder, trusted=trusted, allow_pickle=allow_pickle
    )
    hidden = tuple(sorted({*private, *info.get("private", ())}))
    return StagedModel(
        folder=folder,
        format=chosen.name,
        model=model,
        schema=_without_private(schema, private),
        reference=reference,
        private=hidden,
        info=info,
    )


def _without_private(schema: Schema, private: Sequence[str]) -> Schema:
    """Without the values of columns that were named private after the run."""
    columns = tuple(
        replace(column, low=None, high=None, categories=()) if column.name in private else column
        for column in schema.columns
    )
    return replace(schema, columns=columns)
