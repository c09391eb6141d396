"""Pipelines: notebooks that need each other's results, executed in order, resumable from the step that failed."""

from __future__ import annotations

from nbprod.pipelines.service import Pipelines

__all__ = ["Pipelines"]
