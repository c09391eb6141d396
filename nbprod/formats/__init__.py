"""How a fitted model becomes files and comes back: one protocol, found by name.

Built in are ``skops``, which executes nothing while reading and constructs only types its reader trusts, and
``pickle``, which runs whatever code is in the file and is therefore given out only to those who ask for it by a
flag. Others are found by the entry-point group ``nbprod.formats``; they cannot replace a built-in one.

The reader decides what is trusted, never the package: a package may name the types it needs, as information, and
nothing acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nbprod.domain.names import nearest
from nbprod.errors import NotFoundError, RefusedError

__all__ = ["GROUP", "ModelFormat", "get", "names"]

GROUP = "nbprod.formats"
BUILT_IN = {"pickle": "nbprod.formats.pickled:PickleFormat", "skops": "nbprod.formats.skops:SkopsFormat"}


@runtime_checkable
class ModelFormat(Protocol):
    """Writes a fitted model into a folder and reads it back."""

    name: str  #: as written in ``model.json`` and asked for by :func:`get`

    def write(self, model: Any, folder: Path) -> None:
        """Write the model's files into an existing folder.

        Raises
        ------
        PackageError
            The model cannot be written in this format so that another process can read it.
        """

    def read(self, folder: Path, *, trusted: Sequence[str] = ()) -> Any:
        """Construct the model from the files in a folder.

        Parameters
        ----------
        folder
            Where :meth:`write` wrote; its bytes have been verified by the caller.
        trusted
            Full names of types the reader trusts beside those every reader of the format trusts.

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
