"""Runs: start a notebook, follow it, find it again, compare two. ``Runs`` is the service."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.runs.comparison import Comparison
    from nbprod.runs.service import Runs

__all__ = ["Comparison", "Runs"]


def __getattr__(name: str) -> Any:  # found on first use: the ledger's library takes a quarter of a second to import
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"nbprod.runs.{'service' if name == 'Runs' else 'comparison'}"), name)
