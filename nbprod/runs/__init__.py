"""Runs: start a notebook, follow it, find it again, compare two. ``Runs`` is the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.runs.comparison import RunComparison
    from nbprod.runs.service import Runs

__all__ = ["RunComparison", "Runs"]

__getattr__ = on_first_use(__name__)
