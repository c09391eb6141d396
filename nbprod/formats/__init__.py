"""How a fitted model becomes files and comes back: one protocol, found by name.

Built in are ``skops``, which executes nothing while reading and constructs only types its reader trusts, its kin
``xgboost``, ``lightgbm`` and ``catboost``, which read trees as these libraries dump them (a pipeline that holds such
an estimator is ``skops``, with the dump beside it), ``onnx``, graphs of known operators of imported models, and
``pickle``, which runs whatever code is in the file and is therefore given out only to those who ask for it by a
flag. Others are found by the entry-point group ``nbprod.formats``; they cannot replace a built-in one.

The reader decides what is trusted, never the package: a package may name the types it needs, as information, and
nothing acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nbprod.domain.names import nearest
from nbprod.errors import NotFoundError, RefusedError

__all__ = ["GROUP", "ModelFormat", "format_of", "get", "names", "read_written"]

GROUP = "nbprod.formats"
BUILT_IN = {
    "catboost": "nbprod.formats.skops:CatboostFormat",
    "lightgbm": "nbprod.formats.skops:LightgbmFormat",
    "onnx": "nbprod.formats.onnx:OnnxFormat",
    "pickle": "nbprod.formats.pickled:PickleFormat",
    "skops": "nbprod.formats.skops:SkopsFormat",
    "xgboost": "nbprod.formats.skops:XgboostFormat",
}


@runtime_checkable
class ModelFormat(Protocol):
    """Writes a fitted model into a folder and reads it back."""

    name: str  #: as written in ``model.json`` and asked for by :func:`get`

    def write(self, model: Any, folder: Path, *, trusted: Sequence[str] = ()) -> None:
        """Write the model's files into an existing folder.

        Parameters
        ----------
        model
            Fitted.
        folder
            Where; the source of the author's modules goes into ``code/`` in it.
        trusted
            Full names of types its readers will trust beside those of any verified package.

        Raises
        ------
        PackageError
            The model cannot be written in this format so that another process can read it.
        """

    def read(self, folder: Path, *, trusted: Sequence[str] = (), code: Mapping[str, str] | None = None) -> Any:
        """Construct the model from the files in a folder.

        Parameters
        ----------
        folder
            Where :meth:`write` wrote; its bytes have been verified by the caller.
        trusted
            Full names of types the reader trusts beside those every reader of the format trusts.
        code
            The source of the author's modules by path, where the reader trusts it.

        Raises
        ------
        UntrustedTypesError
            The files need types that are not trusted; nothing was constructed.
        PackageError
            The files are missing or are not of this format.
        """


def get(name: str, *, allow_pickle: bool = False) -> ModelFormat:
    """The format of a name.

    Parameters
    ----------
    name
        ``skops``, ``pickle``, or the name of an entry point in ``nbprod.formats``.
    allow_pickle
        Whether the caller accepts that reading a pickle runs any code that is in it.

    Raises
    ------
    NotFoundError
        No format has the name.
    RefusedError
        Pickle was asked for without its flag.

    Examples
    --------
    >>> get("skops").name
    'skops'
    """
    if name == "pickle" and not allow_pickle:
        raise RefusedError(
            "pickle runs whatever code is in the file while it is read, so it is not used by default",
            hint="Save the model as skops; or, for files nobody else could have touched, say allow_pickle=True.",
        )
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        return getattr(import_module(module), attribute)()
    for point in entry_points(group=GROUP, name=name):
        found = point.load()
        return found() if isinstance(found, type) else found
    raise NotFoundError(f"There is no model format {name!r}", hint=nearest(name, names()))


def names() -> list[str]:
    """The names :func:`get` knows, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def format_of(model: Any) -> str:
    """The name of the format a model is written in: that of its library, where there is one of its own."""
    from nbprod.formats.separating import library_of  # delayed: numpy

    return library_of(model) or "skops"


def read_written(
    name: str, folder: Path, *, trusted: Sequence[str] = (), allow_pickle: bool = False
) -> tuple[ModelFormat, Any]:
    """The format and the model of a folder that this machine wrote itself, the author's modules included.

    Saving a model asks this of what it wrote, and building a package of what was saved: what one refuses, so does the
    other.

    Raises
    ------
    UntrustedTypesError
        The model holds types that are neither on the list for verified packages nor trusted here.
    PackageError
        What was written cannot be read.
    """
    from nbprod.formats.carrying import CODE_FOLDER  # delayed: numpy, as the line below
    from nbprod.formats.trust import VERIFIED_TYPES

    chosen = get(name, allow_pickle=allow_pickle)
    place = folder / CODE_FOLDER
    code = {path.relative_to(place).as_posix(): path.read_text("utf-8") for path in place.rglob("*.py")}
    return chosen, chosen.read(folder, trusted=(*VERIFIED_TYPES, *trusted), **({"code": code} if code else {}))
