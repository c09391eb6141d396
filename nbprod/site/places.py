"""Where each page is, and how one links to another: relative, so that a folder, a bucket and a server all do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from nbprod.pages.layout import Link
from nbprod.site.facts import Facts

__all__ = ["SCORING", "Places", "folder_name"]

SCORING = ".score.html"  #: how the names of pages that score end

SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
TIMED = re.compile(r"^\d{8}T\d{6}Z-(?=.)")  # ids of runs and alerts start with when they were made
SECTIONS = tuple(
    (name, f"{name.lower()}/")
    for name in ("Runs", "Models", "Rollouts", "Monitors", "Alerts", "Scorecards", "History")
)


def folder_name(name: str) -> str:
    """A name as a folder; one that could lead elsewhere becomes a digest."""
    return name if SAFE.fullmatch(name) else f"x-{sha256(name.encode(errors='replace')).hexdigest()[:24]}"


@dataclass(frozen=True)
class Places:
    """Links seen from one page.

    Attributes
    ----------
    known
        Path from the site's root by what people call it: id of a run, a pipeline's run, a rollout or an alert, model,
        version, alias, deployment.
    name
        The site's name.
    depth
        How many folders below the root the page is.
    """

    known: Mapping[str, str]
    name: str
    depth: int = 0

    @classmethod
    def of(cls, facts: Facts, *, name: str) -> Places:
        """The places of all records."""
        known = {run.id: f"runs/{folder_name(run.id)}/index.html" for run in facts.runs}
        for pipeline in facts.pipelines:
            place = f"pipelines/{folder_name(pipeline.id)}/index.html"
            known[pipeline.id] = place
            # what a step started is caused by the step
            known |= {f"{pipeline.id}/{step.name}": f"{place}#step-{quote(step.name)}" for step in pipeline.steps}
        known |= {one.id: f"rollouts/{folder_name(one.id)}/index.html" for one in facts.rollouts}
        known |= {alert.id: f"alerts/index.html#{quote(alert.id)}" for alert in facts.alerts}
        for model in {*(one.name for one in facts.models), *(version.model for version in facts.versions)}:
            known[f"model {model}"] = f"models/{folder_name(model)}/index.html"
        for version in facts.versions:
            place = f"models/{folder_name(version.model)}/index.html#version-{version.number}"
            known[version.ref] = known[version.package] = place
        for alias in facts.aliases:
            known[alias.ref] = f"models/{folder_name(alias.model)}/index.html"
        for deployment in facts.deployments:
            known[f"deployment {deployment.name}"] = f"monitors/{folder_name(deployment.name)}/index.html"
        return cls(known, name)

    def at(self, depth: int) -> Places:
        """The same places, seen from a page so many folders down."""
        return Places(self.known, self.name, depth)

    def to(self, what: str, label: str = "") -> Link:
        """A link to what is called so, without the time in its id; its name alone when there is no page."""
        place = self.known.get(what)
        return Link(label=label or TIMED.sub("", what), href=f"{'../' * self.depth}{place}" if place else None)

    def path(self, place: str) -> str:
        """A path from the root, as seen from here."""
        return f"{'../' * self.depth}{place}"

    def nav(self, here: str = "") -> list[Link]:
        """The navigation; ``here`` marks the section the page is in."""
        sections = (("", "index.html"), *((label, f"{place}index.html") for label, place in SECTIONS))
        return [
            Link(label=label or self.name, href=self.path(place), note="here" if label == here else "")
            for label, place in sections
        ]

    @property
    def hrefs(self) -> dict[str, str]:
        """All addresses as seen from here."""
        return {what: self.path(place) for what, place in self.known.items()}
