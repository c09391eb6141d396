"""Rollouts: a new version meets traffic step by step, and an executed notebook decides."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.rollouts.look import RolloutLook, load_rollout
    from nbprod.rollouts.service import Rollouts

__all__ = ["RolloutLook", "Rollouts", "load_rollout"]

_HOMES = {"RolloutLook": "look", "Rollouts": "service", "load_rollout": "look"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
