"""A DAG for each entry, for Airflow 2.4 to 3: values are Python literals, and nothing passes Jinja or a shell."""

from __future__ import annotations

from collections.abc import Sequence

from nbprod.domain.schedule import Overlap
from nbprod.schedules.exports.entry import Entry, Host, standard_cron

__all__ = ["files"]

DAG = '''"""Written by `nbprod schedule export airflow`."""

import subprocess

import pendulum

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

with DAG(
    dag_id={name!r},
    description={words!r},
    schedule={cron!r},
    start_date=pendulum.datetime({year}, {month}, {day}, tz={timezone!r}),
    catchup=False,  # the schedule's own policy for missed moments holds: a start brings them along
    max_active_runs={at_once},
    tags=["nbprod"],
):

    @task(task_id="start", retries=0)
    def start():
        # an operator would take its arguments for a template
        subprocess.run({command!r}, check=True)

    start()
'''


def files(entries: Sequence[Entry], host: Host) -> dict[str, str]:
    """For the ``dags`` folder.

    Raises
    ------
    SettingsError
        A cron expression means another thing to Airflow.
    """
    found = {}
    for entry in entries:
        schedule = entry.schedule
        found[f"{entry.name}.py"] = DAG.format(
            name=entry.name,
            words=f"nbprod: {entry.description}",
            cron=standard_cron(schedule, "Airflow") if schedule else "* * * * *",
            timezone=schedule.timezone if schedule else "UTC",
            year=host.today.year,
            month=host.today.month,
            day=host.today.day,
            at_once=16 if schedule is None or schedule.overlap is not Overlap.SKIP else 1,
            command=host.command(entry),
        )
    return found
