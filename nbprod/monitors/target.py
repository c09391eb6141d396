"""What is looked at: a deployment as it is at this moment, and what its windows are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbprod.domain.deployment import Deployment

if TYPE_CHECKING:
    from nbprod.monitors.reference import MonitorReference

__all__ = ["Target", "reference_of_target"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a deployment is at this moment: which version answers, and where its package and tables are."""

    deployment: Deployment
    version: str | None
    package: str  #: folder of the package; empty for an external deployment
    lake: str  #: folder or URL of the tables


def reference_of_target(target: Target) -> MonitorReference:
    """What the windows of a deployment are held against."""
    from nbprod.lake import Lake  # delayed: pyarrow
    from nbprod.monitors.reference import reference_of_package, reference_of_table

    if target.package:
        return reference_of_package(target.package)
    known = target.deployment
    inputs = set(Lake(target.lake).window(known.name).inputs)
    return reference_of_table(str(known.reference), inputs, known.task, known.target or "outcome")
