"""Batch scoring: many rows through one package, checked as the server checks them, streamed, by all processors.

>>> from nbprod.scoring import score  # doctest: +SKIP

A source is cut into pieces (:mod:`~nbprod.scoring.pieces`), workers score them into parts in a work folder beside the
output (:mod:`~nbprod.scoring.predicting`, :mod:`~nbprod.scoring.work_folder`), and when all are there, the output is
published whole (:mod:`~nbprod.scoring.publishing`). The names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.scoring.batch import score
    from nbprod.scoring.showing import shown
    from nbprod.scoring.summary import ScoreSummary

__all__ = ["ScoreSummary", "score", "shown"]

_HOMES = {"ScoreSummary": "summary", "score": "batch", "shown": "showing"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
