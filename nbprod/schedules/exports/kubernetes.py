"""A CronJob for each entry: arguments are a list, and ``$(`` is doubled, which Kubernetes would fill in itself."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import yaml

from nbprod.domain.schedule import Missed, Overlap
from nbprod.errors import SettingsError
from nbprod.schedules.exports.entry import Entry, Host, standard_cron

__all__ = ["files"]

NOTE = "# Written by `nbprod schedule export kubernetes`. The claim nbprod-workspace holds the workspace.\n"
LONGEST = 52  # characters of a CronJob's name: its jobs and pods append to it


def files(entries: Sequence[Entry], host: Host) -> dict[str, str]:
    """One manifest for each entry, for ``kubectl apply``.

    Raises
    ------
    SettingsError
        No image is given, or a cron expression means another thing to Kubernetes.
    """
    if not host.image:
        raise SettingsError(
            "A CronJob needs a container image", hint="Give the one nbprod is installed in: --image …"
        )
    return {
        f"{entry.name}.yaml": NOTE + yaml.safe_dump(_cron_job(entry, host), sort_keys=False, width=1000)
        for entry in entries
    }


def _cron_job(entry: Entry, host: Host) -> dict[str, Any]:
    schedule = entry.schedule
    spec: dict[str, Any] = {
        "schedule": standard_cron(schedule, "Kubernetes") if schedule else "*/5 * * * *",
        "timeZone": "Etc/UTC" if schedule is None or schedule.timezone == "UTC" else schedule.timezone,
        "concurrencyPolicy": "Forbid" if schedule and schedule.overlap is Overlap.SKIP else "Allow",
        "jobTemplate": {
            "spec": {
                "backoffLimit": 0,  # nbprod records a failure; starting again is its user's decision
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "nbprod",
                                "image": host.image,
                                "command": [word.replace("$(", "$$(") for word in host.command(entry)],
                                "volumeMounts": [{"name": "workspace", "mountPath": host.workspace}],
                            }
                        ],
                        "volumes": [
                            {"name": "workspace", "persistentVolumeClaim": {"claimName": "nbprod-workspace"}}
                        ],
                    }
                },
            }
        },
    }
    if schedule and schedule.missed is Missed.SKIP:
        spec["startingDeadlineSeconds"] = int(schedule.late.total_seconds())
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": label(entry.name)}, "spec": spec}


def label(name: str) -> str:
    """The name as Kubernetes allows it; one that has to be changed gets a mark, so that no two become one."""
    allowed = name.replace("_", "-")
    if allowed == name and len(name) <= LONGEST:
        return name
    return f"{allowed[: LONGEST - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"
