"""What a comparison of two tables says: a verdict a column, and one sentence for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from math import isfinite, isnan, nan
from typing import Any

from nbprod.domain.numbers import number
from nbprod.statistics.columns import Kind
from nbprod.statistics.effects import material_share
from nbprod.statistics.significance import benjamini_hochberg
from nbprod.visible import escape

__all__ = ["ColumnComparison", "ColumnVerdict", "Comparison", "Unseen"]


class ColumnVerdict(StrEnum):
    """What is said of one column."""

    CHANGED = "changed"  #: significant and material
    WATCH = "watch"  #: significant and small
    SAME = "same"  #: not significant, and with 95 % no material change
    INCONCLUSIVE = "inconclusive"  #: not significant, but too little data to exclude a material change


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """A category of the current rows that the reference does not have."""

    value: str
    rows: int
    share: float  #: of the current rows with a value


@dataclass(frozen=True, kw_only=True)
class ColumnComparison:
    """One column of the current rows against the reference."""

    name: str
    kind: Kind
    verdict: ColumnVerdict
    method: str  #: as evidently names it; ``schema`` if the column is gone or of another kind
    score: float  #: evidently's number for the method; NaN without values
    p_value: float  #: of values and missing values together; NaN if nothing could be tested
    p_adjusted: float  #: after Benjamini-Hochberg over all columns
    effect: float  #: the size of the change without the part noise explains
    effect_unit: str
    low: float  #: of the 95 % interval of the effect
    high: float
    threshold: float  #: from which effect on a change is material
    distance: float  #: Wasserstein-1 in the column's own unit; NaN for categories
    reference_missing: float  #: share without a usable value, infinite ones included
    current_missing: float
    missing_p_value: float  #: NaN if nothing is missing
    unseen: tuple[Unseen, ...] = ()  #: the most frequent first, at most 20
    multiplied: str = ""  #: a category whose share changed by a point and a factor of two at least, and surely
    unseen_share: float = 0.0  #: of the current rows with a value
    unseen_bound: float = 0.0  #: with 95 %, the share of a category absent from the reference is below
    outside: float = 0.0  #: share of current values beyond the reference's range (at least)
    rows_needed: int | None = None  #: current rows that would find or exclude a material change; None: enough
    sentence: str = ""
    windows: int = 1  #: how many were taken together; see `compare_together`

    @property
    def significant(self) -> bool:
        """Whether the change is significant after multiplicity control."""
        return self.verdict in {ColumnVerdict.CHANGED, ColumnVerdict.WATCH}

    def judged(self, p_adjusted: float, alpha: float) -> ColumnComparison:
        """The same numbers with the verdict at a level, given the p-value after multiplicity control."""
        if self.method == "schema":
            return self
        large = self.effect >= self.threshold or self.outside >= 0.01 or self.unseen_share >= 0.01
        large = large or bool(self.multiplied)
        missing = not isnan(self.missing_p_value) and material_share(self.reference_missing, self.current_missing)
        if p_adjusted <= alpha:
            # a missing share must be significant itself: the values alone may have made the column so
            material = large or (missing and self.missing_p_value <= alpha)
            verdict = ColumnVerdict.CHANGED if material else ColumnVerdict.WATCH
        elif self.rows_needed is not None or (isnan(p_adjusted) and not self.nothing):
            verdict = ColumnVerdict.INCONCLUSIVE
        else:
            verdict = ColumnVerdict.SAME
        return replace(self, verdict=verdict, p_adjusted=p_adjusted)

    @property
    def nothing(self) -> bool:
        """Whether neither side has any value, which is no change."""
        return self.reference_missing == 1.0 == self.current_missing

    @property
    def missing_change(self) -> float:
        """Current less reference share of missing values."""
        return self.current_missing - self.reference_missing

    @property
    def severity(self) -> float:
        """The effect in units of its threshold, or a greater change of the missing share in units of 5 points."""
        effect = self.effect / self.threshold if isfinite(self.effect) else 0.0
        return max(effect, abs(self.missing_change) / 0.05, float("inf") if self.method == "schema" else 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is not finite is ``None``."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def __repr__(self) -> str:
        score, p_value = number(self.score), number(self.p_value, 3)
        return f"<ColumnComparison {self.name} {self.verdict}: {self.method} {score}, p {p_value}>"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All columns of the current rows against the reference."""

    columns: Mapping[str, ColumnComparison]
    reference_rows: int
    current_rows: int
    alpha: float
    seed: int
    added: tuple[str, ...] = ()  #: columns the reference does not have
    blocks: str | None = None  #: the length of the blocks of time the null rests on

    def judged(self, alpha: float, p_adjusted: Mapping[str, float] | None = None) -> Comparison:
        """The same numbers with verdicts at another level, for instance that of an `AlarmBudget`.

        Parameters
        ----------
        alpha
            The level.
        p_adjusted
            By column, if multiplicity was controlled over more than these columns.
        """
        tested = [column for column in self.columns.values() if not isnan(column.p_value)]
        if p_adjusted is None:
            values = benjamini_hochberg([column.p_value for column in tested])
            p_adjusted = {column.name: value for column, value in zip(tested, values, strict=True)}
        columns = {name: column.judged(p_adjusted.get(name, nan), alpha) for name, column in self.columns.items()}
        return replace(self, columns=columns, alpha=alpha)

    def _of(self, *verdicts: ColumnVerdict) -> tuple[str, ...]:
        chosen = [column for column in self.columns.values() if column.verdict in verdicts]
        return tuple(column.name for column in sorted(chosen, key=lambda column: (-column.severity, column.name)))

    @property
    def significant(self) -> tuple[str, ...]:
        """Columns with a significant change, after multiplicity control; worst first."""
        return self._of(ColumnVerdict.CHANGED, ColumnVerdict.WATCH)

    @property
    def changed(self) -> tuple[str, ...]:
        """Of those, the ones with a material change; worst first."""
        return self._of(ColumnVerdict.CHANGED)

    @property
    def watch(self) -> tuple[str, ...]:
        """The ones with a small change; worst first."""
        return self._of(ColumnVerdict.WATCH)

    @property
    def inconclusive(self) -> tuple[str, ...]:
        """Columns with too little data."""
        return self._of(ColumnVerdict.INCONCLUSIVE)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if not self.columns:
            return "There is no column to compare."
        rows = f"{self.current_rows:,} rows"
        if self.changed:
            first = self.columns[self.changed[0]].sentence
            more = f" {_listed('Also changed', self.changed[1:])}" if len(self.changed) > 1 else ""
            return f"{len(self.changed)} of {len(self.columns)} columns changed in {rows}. {first}{more}"
        watched = f" {_listed('Significant but small', self.watch)}" if self.watch else ""
        open_ = self.inconclusive
        if open_:
            needed = max(self.columns[name].rows_needed or 0 for name in open_)
            doubt = f"{len(open_)} of {len(self.columns)} columns cannot be judged from {rows}"
            return f"No material change was found; {doubt} (about {needed:,} would do).{watched}"
        return f"None of {len(self.columns)} columns changed materially in {rows}.{watched}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the same for the same input, seed and version."""
        return {
            "format": "nbprod-comparison-1",
            "sentence": self.sentence,
            "reference_rows": self.reference_rows,
            "current_rows": self.current_rows,
            "alpha": self.alpha,
            "seed": self.seed,
            "blocks": self.blocks,
            "significant": list(self.significant),
            "changed": list(self.changed),
            "added": list(self.added),
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
        }

    def __repr__(self) -> str:
        return f"<Comparison {len(self.columns)} columns, {len(self.changed)} changed: {', '.join(self.changed[:5])}>"

    def _repr_html_(self) -> str:
        shown = sorted(self.columns.values(), key=lambda column: (not column.significant, -column.severity))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{escape(cell)}</td>"
                for cell in (
                    column.name,
                    column.verdict,
                    f"{number(column.effect, 3)} [{number(column.low, 3)}, {number(column.high, 3)}]",
                    number(column.p_value, 2),
                    f"{column.reference_missing:.1%} → {column.current_missing:.1%}",
                    column.sentence,
                )
            )
            + "</tr>"
            for column in shown[:12]
        )
        heads = ("column", "verdict", "effect", "p", "missing", "in words")
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in heads)
        more = f"<p>and {len(shown) - 12} more columns</p>" if len(shown) > 12 else ""
        return f"<p><strong>{escape(self.sentence)}</strong></p><table><tr>{head}</tr>{rows}</table>{more}"


def _listed(words: str, names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{words}: {', '.join(names[:5])}{more}."


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, StrEnum):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
