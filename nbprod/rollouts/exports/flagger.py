"""Webhooks of a Flagger Canary: it goes on, promotes and rolls back as the recorded verdict says."""

from __future__ import annotations

from datetime import datetime

from nbprod.domain.rollout_verdict import Act, RolloutVerdict
from nbprod.rollouts.exports.place import Place, as_yaml, label

__all__ = ["files"]

#: Kind of a webhook, and what it asks. A rollback hook rolls back when it is answered 200, the others wait for 200.
HOOKS = {"confirm-traffic-increase": Act.ADVANCE, "confirm-promotion": Act.PROMOTE, "rollback": Act.ROLLBACK}
NOTE = """\
Written by `nbprod rollouts export flagger {verdict.deployment}`: what a Canary needs beside its target and service.
  kubectl patch canary NAME --type merge --patch-file FILE
Flagger sends no token: let the server listen on the loopback of a proxy that sends one with the scope read.
A verdict that is obeyed here is not obeyed twice: start the rollout with --automation advise."""


def files(verdict: RolloutVerdict, place: Place, at: datetime) -> dict[str, str]:
    """One patch of a Canary's analysis.

    Raises
    ------
    SettingsError
        No server was given.
    """
    del at  # the hooks ask for the verdict of their own moment
    url = place.needed_url("flagger")
    hooks = [
        {"name": f"nbprod-{act}", "type": kind, "url": f"{url}/rollout/may/{act}", "timeout": "10s"}
        for kind, act in HOOKS.items()
    ]
    document = {"spec": {"analysis": {"webhooks": hooks}}}
    return {f"{label(verdict.deployment)}-canary.yaml": as_yaml(NOTE, verdict, document)}
