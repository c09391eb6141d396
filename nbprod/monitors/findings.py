"""What a monitor finds beside the model itself: checks of KPIs, of software health and of batch jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.visible import escape

__all__ = ["PART", "Findings"]

#: Of a look's level, for KPIs and for health each, where there is either; columns and performance share the rest.
PART = 0.25
ORDER = [CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE, CheckOutcome.PASSED]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One section of a monitor's report."""

    title: str
    checks: tuple[CheckResult, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)  #: as recorded, ``reference_`` before what is usual
    lines: tuple[tuple[str, str], ...] = ()  #: further facts
    pictures: tuple[tuple[str, str], ...] = ()  #: SVG and its sentence
    tables: Mapping[str, int] = field(default_factory=dict)  #: versions of the tables that were read

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """What alarms."""
        return tuple(check for check in self.checks if check.outcome is CheckOutcome.FAILED)

    def __bool__(self) -> bool:
        return bool(self.checks)

    def __repr__(self) -> str:
        return f"<Findings {self.title}: {len(self.failed)} of {len(self.checks)} checks failed>"

    def _repr_html_(self) -> str:
        if not self and not self.lines:
            return f"<p>{escape(self.title)}: nothing is known of this window.</p>"
        rows = [
            f"<tr><th>{escape(check.subject)}</th><td>{check.outcome}</td><td>{escape(check.sentence)}</td></tr>"
            for check in sorted(self.checks, key=lambda check: ORDER.index(check.outcome))
        ]
        rows += [f"<tr><th>{escape(name)}</th><td></td><td>{escape(text)}</td></tr>" for name, text in self.lines]
        drawn = "".join(
            f"<figure style='display:inline-block;margin:4px 16px 8px 0;max-width:380px;vertical-align:top'>{svg}"
            f"<figcaption style='font-size:90%;opacity:.8'>{escape(sentence)}</figcaption></figure>"
            for svg, sentence in self.pictures
        )
        return f"<table style='text-align:left'>{''.join(rows)}</table>{drawn}"


def all_checks(beside: Iterable[Findings]) -> tuple[CheckResult, ...]:
    """The checks of several sections."""
    return tuple(check for one in beside for check in one.checks)
