"""Models as skops files: data alone, audited against the reader's list before anything is constructed.

The trees of XGBoost, LightGBM and CatBoost lie beside ``model.skops`` as these libraries write them: ``trees-0.ubj``
(UBJSON), ``trees-0.txt`` and ``trees-0.cbm``. Reading them runs no code. The source of the author's modules lies in
``code/``; its reader trusts it or does not read the model.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbprod.errors import EnvironmentProblem, PackageError, UntrustedTypesError
from nbprod.formats.carrying import CODE_FOLDER, carry
from nbprod.formats.notebook_code import refuse_notebook_code
from nbprod.formats.restoring import LIBRARIES, MissingLibraryError, UntrustedError, construct, import_code
from nbprod.formats.separating import separate
from nbprod.formats.trust import VERIFIED_TYPES

__all__ = ["FILE", "CatboostFormat", "LightgbmFormat", "SkopsFormat", "XgboostFormat"]

FILE = "model.skops"


class SkopsFormat:
    """Writes and reads ``model.skops`` and what lies beside it."""

    name = "skops"

    def write(self, model: Any, folder: Path, *, trusted: Sequence[str] = ()) -> None:
        """Write the files of a model, after a look at whether another process could read it.

        Raises
        ------
        PackageError
            skops has no form for a part of the model.
        UntrustedTypesError
            The model holds a type that its readers do not trust, or a type or function defined in the notebook,
            which no other process can import.
        """
        import skops.io  # heavy: imports every scikit-learn estimator

        try:
            data = skops.io.dumps(separate(model, folder))
        except Exception as error:  # skops raises TypeError, its own exception or what a part's reduce raised
            refuse_notebook_code(model)
            raise PackageError(
                f"{type(model).__name__} cannot be written as skops: {error}",
                hint="Use estimators of scikit-learn, XGBoost, LightGBM or CatBoost, or of a library skops supports; "
                "keep only fitted state in them.",
            ) from error
        refuse_notebook_code(model)
        data, sources = carry(data)
        own = {path.partition("/")[0] for path in sources}
        untrusted = set(skops.io.get_untrusted_types(data=data)) - {*VERIFIED_TYPES, *trusted}
        _refuse({name for name in untrusted if name.partition(".")[0] not in own}, type(model).__name__)
        (folder / FILE).write_bytes(data)
        for path, source in sources.items():
            target = folder / CODE_FOLDER / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source, encoding="utf-8")

    def read(self, folder: Path, *, trusted: Sequence[str] = (), code: Mapping[str, str] | None = None) -> Any:
        """Audit ``model.skops`` against skops' own list and ``trusted``, then construct it.

        Raises
        ------
        UntrustedTypesError
            The file needs other types; nothing was constructed.
        EnvironmentProblem
            A library is not installed.
        PackageError
            The file is missing, is no skops file, or is compressed: ours never are, and a small one can unpack to
            gigabytes.
        """
        path = folder / FILE
        try:
            data = path.read_bytes()  # once, so that what is audited is what is constructed
        except FileNotFoundError as error:
            raise PackageError(f"{path} does not exist", hint="The folder holds no skops model.") from error
        dumps = {each.name: each.read_bytes() for each in folder.iterdir() if each.suffix[1:] in LIBRARIES}
        try:
            if not (is_packed := _compressed(data)):
                return construct(data, dumps, trusted=trusted, code=import_code(code or {}))
        except MissingLibraryError as error:
            raise EnvironmentProblem(
                f"{path} needs {error.name}, which is not installed", hint=f"pip install 'nbprod[{error.name}]'"
            ) from error
        except UntrustedError as error:
            _refuse(error.types, str(path))
            raise
        except Exception as error:  # a malformed file may fail in zipfile, json, numpy or a type's constructor
            raise PackageError(f"{path} cannot be read as a skops model: {error}") from error
        assert is_packed
        raise PackageError(f"{path} holds compressed entries, which a skops file written by nbprod never does")


class CatboostFormat(SkopsFormat):
    """An estimator of CatBoost."""

    name = "catboost"


class LightgbmFormat(SkopsFormat):
    """An estimator of LightGBM."""

    name = "lightgbm"


class XgboostFormat(SkopsFormat):
    """An estimator of XGBoost."""

    name = "xgboost"


def _compressed(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _refuse(types: Iterable[str], what: str) -> None:
    """Say which types are not trusted, and what to do; nothing where there are none."""
    needed = sorted(types)
    if "functools.partial" in needed:
        raise UntrustedTypesError(
            f"{what} holds a functools.partial, which can call anything and is never trusted",
            types=needed,
            hint="In a FunctionTransformer, name a module's function and give kw_args.",
        )
    if needed:
        raise UntrustedTypesError(
            f"{what} holds types this reader does not trust: {', '.join(needed)}",
            types=needed,
            hint="If you know and trust them, name them in trusted= or under trusted in [packages] of nbprod.toml; "
            "the package cannot do it for you.",
        )
