"""Panels for notebooks: alive where there is a kernel, plain HTML of the same content where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.panels.rollout_panel import RolloutPanel
    from nbprod.panels.run_panel import RunPanel

__all__ = ["RolloutPanel", "RunPanel"]
__getattr__ = on_first_use(__name__)
