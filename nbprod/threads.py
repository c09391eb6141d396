"""How the threads of numeric libraries wait, in the processes nbprod starts."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["waiting_politely"]


def waiting_politely(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which OpenMP threads sleep while they wait, unless it says otherwise.

    By default they spin, and on a machine with other work each parallel loop then waits for a thread that is not
    scheduled: on two busy cores a gradient boosting of one second took forty (``OMP_WAIT_POLICY`` in the OpenMP
    specification, §6.7).
    """
    return {"OMP_WAIT_POLICY": "PASSIVE", **env}
