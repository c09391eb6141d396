"""The course of a rollout: what earlier looks at the same log would have found, as numbers and as pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from nbprod.monitors.charts import Pictures
from nbprod.pages.evidence import evidence_chart
from nbprod.rollouts.analysis import RolloutFinding

__all__ = ["EvidenceCourse", "evidence_course"]

LOOKS = 24  # at which past evidence is computed again from the log


@dataclass(frozen=True, kw_only=True)
class EvidenceCourse:
    """Evidence over time in each metric; a notebook shows it as pictures."""

    looks: tuple[tuple[datetime, RolloutFinding], ...]  #: oldest first
    alpha: float

    def plain(self) -> dict[str, list[dict[str, Any]]]:
        """By metric the evidence of each look, for the record that the pages draw from."""
        names = dict.fromkeys(name for _, found in self.looks for name in found.verdicts)
        return {
            name: [
                {"at": at.isoformat(), "e_harm": verdict.e_harm, "e_not_worse": verdict.e_not_worse}
                for at, found in self.looks
                if (verdict := found.verdicts.get(name)) is not None
            ]
            for name in names
        }

    def pictures(self) -> Pictures:
        """Each metric beside the lines where it decides, with what the last look found in words."""
        if not self.looks:
            return Pictures(())
        last = self.looks[-1][1]
        parts = []
        for name, verdict in last.verdicts.items():
            seen = [(at, found.verdicts[name]) for at, found in self.looks if name in found.verdicts]
            looks = [(at, one.e_harm, one.e_not_worse) for at, one in seen]
            picture = evidence_chart(name, looks, rolls_back=len(last.verdicts) / self.alpha, promotes=1 / self.alpha)
            parts.append((picture, f"{name}: {verdict.sentence}."))
        return Pictures(tuple(parts))

    def __repr__(self) -> str:
        return repr(self.pictures())

    def _repr_html_(self) -> str:
        return self.pictures()._repr_html_()


def evidence_course(
    log: pd.DataFrame, decide: Callable[[pd.DataFrame], RolloutFinding], *, alpha: float
) -> EvidenceCourse:
    """What earlier looks at the same log would have found.

    Parameters
    ----------
    log
        Requests or pairs, with their moments in ``at``.
    decide
        What follows from a part of them.
    alpha
        Says how much evidence decides.
    """
    if not len(log):
        return EvidenceCourse(looks=(), alpha=alpha)
    moments = pd.date_range(log["at"].min(), log["at"].max(), LOOKS + 1)[1:].unique()
    looks = ((moment.to_pydatetime(), decide(log[log["at"] <= moment])) for moment in moments)
    return EvidenceCourse(looks=tuple(looks), alpha=alpha)
