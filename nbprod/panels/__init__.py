"""Panels for notebooks: alive where there is a kernel, plain HTML of the same content where there is none."""

from __future__ import annotations

from nbprod.panels.run_panel import RunPanel, watch

__all__ = ["RunPanel", "watch"]
