"""Where a model version comes from and where it went, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbprod.domain.event import Event
from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run
from nbprod.domain.version import ModelVersion

__all__ = ["Lineage"]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Everything the ledger knows of one model version: data, notebook, run, package, gates, decisions, use."""

    subject: str  #: what was asked for: a version, an alias or a prediction id
    version: ModelVersion
    package: ModelPackage
    run: Run | None  #: the run that trained it, while the ledger has it
    evaluations: tuple[Run, ...] = ()  #: runs named as evidence
    events: tuple[Event, ...] = ()  #: of the version and of aliases when they came to it or left it, oldest first
    aliases: tuple[str, ...] = ()  #: that name it now
    deployments: tuple[str, ...] = ()  #: that use it now
    prediction: Mapping[str, Any] = field(default_factory=dict)  #: the prediction asked for, with its deployment

    def sections(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Titles, each with names and values, in the order of the road; empty ones are left out."""
        run = self.run
        sections: list[tuple[str, list[tuple[str, object]]]] = [
            ("Prediction", list(self.prediction.items())),
            ("Data", list(run.data.items()) if run else []),
            (
                "Notebook",
                [
                    ("template", run.template),
                    ("source", run.source),
                    ("cells", f"{run.template_digest[:12]} (SHA-256)"),
                    ("git", run.git),
                    ("environment", run.environment),
                ]
                if run
                else [],
            ),
            (
                "Run",
                [
                    ("id", run.id),
                    ("status", run.status),
                    ("by", run.actor),
                    ("at", f"{run.created_at:%Y-%m-%d %H:%M} UTC"),
                    ("caused by", run.caused_by),
                    ("folder", run.folder),
                    *run.parameters.items(),
                    *((name, number(value)) for name, value in run.metrics.items()),
                ]
                if run
                else [("id", self.version.run_id and f"{self.version.run_id} (no longer in the ledger)")],
            ),
            (
                "Package",
                [
                    ("digest", self.package.digest),
                    ("format", f"{self.package.format}, {self.package.task} of {self.package.target}"),
                    ("made at", f"{self.package.created_at:%Y-%m-%d %H:%M} UTC"),
                    ("blessed at", self.version.blessed_at and f"{self.version.blessed_at:%Y-%m-%d %H:%M} UTC"),
                    *((name, number(value)) for name, value in self.package.metrics.items()),
                ],
            ),
            (
                "Evidence",
                [
                    (
                        found.id,
                        ", ".join([str(found.status), *(f"{k} {number(v)}" for k, v in found.metrics.items())]),
                    )
                    for found in self.evaluations
                ],
            ),
            (
                "Decisions",
                [
                    (
                        f"{event.at:%Y-%m-%d %H:%M}",
                        f"{event.actor} {event.kind} {event.subject}{_format_reason(event)}",
                    )
                    for event in self.events
                ],
            ),
            ("In use", [("aliases", ", ".join(self.aliases)), ("deployments", ", ".join(self.deployments))]),
        ]
        for title, rows in sections:
            shown = [(str(name), str(value)) for name, value in rows if value is not None and value != ""]
            if shown:
                yield title, shown

    def __str__(self) -> str:
        lines = [f"{self.subject} is {self.version.ref}" if self.subject != self.version.ref else self.version.ref]
        for title, rows in self.sections():
            width = max(len(name) for name, _ in rows)
            lines += ["", title, *(f"  {name:<{width}}  {value}" for name, value in rows)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Lineage of {self.subject}: {self.version.ref}, {len(self.events)} events>"

    def _repr_html_(self) -> str:
        return "".join(
            card(title, rows) for title, rows in [(f"Why {self.subject}: {self.version.ref}", []), *self.sections()]
        )


def _format_reason(event: Event) -> str:
    waived = event.data.get("waived")
    return (
        (f": {event.reason}" if event.reason else "")
        + (f" (gates waived: {waived})" if waived else "")
        + (f" (on {', '.join(event.evidence)})" if event.evidence else "")
    )
