"""Models as skops files: data alone, audited against the reader's list before anything is constructed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbprod.errors import PackageError, UntrustedTypesError

__all__ = ["FILE", "SkopsFormat"]

FILE = "model.skops"


class SkopsFormat:
    """Writes and reads ``model.skops``."""

    name = "skops"

    def write(self, model: Any, folder: Path) -> None:
        """Write ``model.skops``, after a look at whether another process could read it.

        Raises
        ------
        PackageError
            skops has no form for a part of the model.
        UntrustedTypesError
            The model holds a ``functools.partial``, which no reader should trust, or a type or function defined in
            the notebook, which no other process can import.
        """
        import skops.io  # heavy: imports every scikit-learn estimator

        try:
            data = skops.io.dumps(model)
        except Exception as error:  # skops raises TypeError, its own exception or what a part's reduce raised
            raise PackageError(
                f"{type(model).__name__} cannot be written as skops: {error}",
                hint="Use estimators of scikit-learn or of a library skops supports; keep only fitted state in them.",
            ) from error
        _check_readable(type(model).__name__, skops.io.get_untrusted_types(data=data))
        (folder / FILE).write_bytes(data)

    def read(self, folder: Path, *, trusted: Sequence[str] = ()) -> Any:
        """Audit ``model.skops`` against skops' own list and ``trusted``, then construct it.

        Raises
        ------
        UntrustedTypesError
            The file needs other types; nothing was constructed.
        PackageError
            The file is missing, is no skops file, or is compressed: ours never are, and a small one can unpack to
            gigabytes.
        """
        import skops.io  # heavy: imports every scikit-learn estimator

        path = folder / FILE
        try:
            data = path.read_bytes()  # once, so that what is audited is what is constructed
        except FileNotFoundError as error:
            raise PackageError(f"{path} does not exist", hint="The folder holds no skops model.") from error
        try:
            squeezed = _compressed(data)
            needed = set() if squeezed else set(skops.io.get_untrusted_types(data=data)) - set(trusted)
            if not squeezed and not needed:
                return skops.io.loads(data, trusted=list(trusted))
        except Exception as error:  # a malformed file may fail in zipfile, json, numpy or a type's constructor
            raise PackageError(f"{path} cannot be read as a skops model: {error}") from error
        if squeezed:
            raise PackageError(f"{path} holds compressed entries, which a skops file written by nbprod never does")
        raise UntrustedTypesError(
            f"{path} holds types this reader does not trust: {', '.join(sorted(needed))}",
            types=sorted(needed),
            hint="If you know and trust them, name them in trusted= or under trusted in [packages] of nbprod.toml; "
            "the package cannot do it for you.",
        )


def _compressed(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _check_readable(model: str, types: Sequence[str]) -> None:
    if "functools.partial" in types:
        raise UntrustedTypesError(
            f"{model} holds a functools.partial, which can call anything and is never trusted",
            types=["functools.partial"],
            hint="HistGradientBoosting makes one when it encodes categories itself, by a list of columns or by "
            "categorical_features='from_dtype' on categorical columns: put an OrdinalEncoder for them in front and "
            "set categorical_features=None. In a FunctionTransformer, name a module's function and give kw_args.",
        )
    local = [name for name in types if name.startswith("__main__.") or "<" in name]
    if local:
        raise UntrustedTypesError(
            f"{model} holds what only this notebook defines: {', '.join(local)}",
            types=local,
            hint="Move it into a module that is installed wherever the model is used, and import it from there.",
        )
