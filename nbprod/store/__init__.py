"""The ledger of decisions and the files behind it: ``Store``, ``Session``, ``Files``.

Names are found on first use, because SQLAlchemy takes a quarter of a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.store.files import Files
    from nbprod.store.ledger import Session, Store

__all__ = ["Files", "Session", "Store"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("nbprod.store.files" if name == "Files" else "nbprod.store.ledger"), name)
