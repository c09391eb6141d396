"""Registered models: versions, approvals, aliases that swap, and the history of all three."""

from nbprod.models.readiness import GatePolicy
from nbprod.models.registry import Models

__all__ = ["GatePolicy", "Models"]
