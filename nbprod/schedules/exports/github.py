"""A workflow for each entry: values come from the environment, where no shell reads them as code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from nbprod.errors import SettingsError
from nbprod.schedules.exports.entry import Entry, Host, standard_cron

__all__ = ["files"]

NOTE = (
    "# Written by `nbprod schedule export github`. The checkout is new each time: [store] must name a ledger and\n"
    "# files that stay, and what the notebooks need must be installed beside nbprod.\n"
)


def files(entries: Sequence[Entry], host: Host) -> dict[str, str]:
    """For ``.github/workflows``.

    Raises
    ------
    SettingsError
        A schedule is not in UTC, or its cron expression means another thing to GitHub.
    """
    return {
        f"{entry.name}.yml": NOTE + yaml.safe_dump(_workflow(entry, host), sort_keys=False, width=1000)
        for entry in entries
    }


def _workflow(entry: Entry, host: Host) -> dict[str, Any]:
    schedule = entry.schedule
    if schedule and schedule.timezone not in {"UTC", "Etc/UTC"}:
        raise SettingsError(
            f"[schedules.{schedule.name}] is in {schedule.timezone}, and workflows only know UTC",
            hint="Export without a name: `nbprod schedule run-due` knows when it is due.",
        )
    cron = standard_cron(schedule, "GitHub") if schedule else "*/5 * * * *"
    return {
        "name": f"nbprod: {entry.description}",
        "on": {"schedule": [{"cron": cron}], "workflow_dispatch": {}},
        "permissions": {"contents": "read"},
        "jobs": {
            "start": {
                "runs-on": "ubuntu-latest",
                "env": {"NBPROD_WORKSPACE": literal(host.workspace)},
                "steps": [
                    {"uses": "actions/checkout@v4"},
                    {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
                    {"run": "python -m pip install nbprod"},
                    {"run": f"python -m nbprod {' '.join(entry.arguments)}"},
                ],
            }
        },
    }


def literal(text: str) -> str:
    """A text in which GitHub sees no expression."""
    return text.replace("${{", "${{ '${{' }}")
