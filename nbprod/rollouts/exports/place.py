"""What is found there, where somebody else runs the traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from nbprod.domain.rollout_verdict import RolloutVerdict
from nbprod.errors import SettingsError

__all__ = ["Place", "as_yaml", "label"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the verdict can be had, and how long a rollout may last."""

    url: str = ""  #: of a server of the deployment, as it is reached from there
    image: str = ""  #: one that nbprod is installed in
    workspace: str = "/workspace"
    longest: str = "14d"

    def needed_url(self, kind: str) -> str:
        """The address.

        Raises
        ------
        SettingsError
            None was given, or it is none.
        """
        if not self.url.startswith(("http://", "https://")):
            raise SettingsError(
                f"{kind} asks a server for the verdict, and {self.url or 'none'} is no address",
                hint="Give that of `nbprod serve`, as it is reached from there: --url http://nbprod:8000",
            )
        return self.url


def label(name: str) -> str:
    """A name as Kubernetes allows it."""
    return name.replace("_", "-")


def as_yaml(note: str, verdict: RolloutVerdict, *documents: dict[str, Any]) -> str:
    """Documents for ``kubectl``, below a note for people."""
    head = "".join(
        f"# {line}\n" for line in note.format(verdict=verdict, name=label(verdict.deployment)).splitlines()
    )
    return head + yaml.safe_dump_all(documents, sort_keys=False, width=1000)
