"""Adopts a notebook nobody wrote for nbprod: reads it, runs nothing, and proposes what makes it a job."""

from __future__ import annotations

from nbprod.adoption.proposal import Adoption, CellChange, adopt

__all__ = ["Adoption", "CellChange", "adopt"]
