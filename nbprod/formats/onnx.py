"""Models as ONNX files: graphs of known operators, which run no code while they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbprod.errors import EnvironmentProblem, PackageError
from nbprod.formats.onnx_session import ABOUT, FILE, OnnxModel, open_files

__all__ = ["OnnxFormat"]


class OnnxFormat:
    """Writes and reads ``model.onnx``, and what ONNX does not hold beside it."""

    name = "onnx"

    def write(self, model: Any, folder: Path, *, trusted: Sequence[str] = ()) -> None:  # noqa: ARG002 — nothing to trust
        """Write the file as it was read.

        Raises
        ------
        PackageError
            It is no ONNX model that was read before: others are written by ``nbprod models export onnx``.
        """
        if not isinstance(model, OnnxModel):
            raise PackageError(
                f"{type(model).__name__} is no ONNX model",
                hint="Save it as it is; nbprod models export onnx converts a version.",
            )
        (folder / FILE).write_bytes(model.content)
        (folder / ABOUT).write_text(json.dumps(model.about, indent=1), encoding="utf-8")

    def read(
        self,
        folder: Path,
        *,
        trusted: Sequence[str] = (),  # noqa: ARG002 — nothing to trust
        code: Mapping[str, str] | None = None,  # noqa: ARG002 — nor any code
    ) -> Any:
        """Open the file in ONNX Runtime.

        Raises
        ------
        EnvironmentProblem
            The extra ``onnx`` is not installed.
        PackageError
            A file is missing or is no ONNX model.
        """
        try:
            return open_files({name: (folder / name).read_bytes() for name in (FILE, ABOUT)})
        except ImportError as error:
            raise EnvironmentProblem(
                f"An ONNX model needs {error.name}, which is not installed", hint="pip install 'nbprod[onnx]'"
            ) from error
        except Exception as error:  # the runtime has its own tree of errors, which differs between releases
            raise PackageError(f"{folder / FILE} cannot be read as an ONNX model: {error}") from error
