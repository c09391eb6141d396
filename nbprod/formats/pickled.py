"""Models as pickle files: for those alone who accept that reading one runs any code in it."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbprod.errors import PackageError

__all__ = ["FILE", "PickleFormat", "PickleWarning"]

FILE = "model.pickle"


class PickleWarning(UserWarning):
    """A pickle was written or read."""


class PickleFormat:
    """Writes and reads ``model.pickle``, never silently."""

    name = "pickle"

    def write(self, model: Any, folder: Path, *, trusted: Sequence[str] = ()) -> None:  # noqa: ARG002 — as below
        """Write ``model.pickle``.

        Raises
        ------
        PackageError
            A part of the model cannot be pickled.
        """
        warnings.warn(
            "The model is written as a pickle: whoever reads it runs the code in it. It will not be served.",
            PickleWarning,
            stacklevel=2,
        )
        try:
            data = pickle.dumps(model, protocol=5)
        except Exception as error:  # any part's __reduce__ may raise anything
            raise PackageError(f"{type(model).__name__} cannot be pickled: {error}") from error
        (folder / FILE).write_bytes(data)

    def read(
        self,
        folder: Path,
        *,
        trusted: Sequence[str] = (),  # noqa: ARG002 — a pickle cannot be audited
        code: Mapping[str, str] | None = None,  # noqa: ARG002 — it imports what it names, from where that is installed
    ) -> Any:
        """Run ``model.pickle``; ``trusted`` cannot protect here and is ignored.

        Raises
        ------
        PackageError
            The file is missing or no pickle.
        """
        path = folder / FILE
        warnings.warn(f"{path} is a pickle: the code in it runs now.", PickleWarning, stacklevel=2)
        try:
            return pickle.loads(path.read_bytes())  # noqa: S301 — behind the caller's explicit flag
        except FileNotFoundError as error:
            raise PackageError(f"{path} does not exist", hint="The folder holds no pickled model.") from error
        except Exception as error:  # unpickling may raise anything
            raise PackageError(f"{path} cannot be read as a pickle: {error}") from error
