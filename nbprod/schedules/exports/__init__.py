"""Files with which existing schedulers call nbprod; each format quotes in its own way, and in its own module.

No file holds a parameter: it names the schedule, and ``nbprod.toml`` says what that starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nbprod.schedules.exports import airflow, cron, github, kubernetes, systemd
from nbprod.schedules.exports.entry import Entry, Host

__all__ = ["KINDS", "Entry", "Host"]

#: By kind: the files, by name, for some entries at a place.
KINDS: Mapping[str, Callable[[Sequence[Entry], Host], dict[str, str]]] = {
    "cron": cron.files,
    "systemd": systemd.files,
    "airflow": airflow.files,
    "kubernetes": kubernetes.files,
    "github": github.files,
}
