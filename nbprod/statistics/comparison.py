"""What a comparison of two tables says: a verdict a column, and one sentence for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite, isnan, nan, sqrt
from typing import Any

from scipy import special

from nbprod.domain.numbers import number
from nbprod.domain.plain import plain
from nbprod.statistics.columns import ColumnType
from nbprod.statistics.effects import Effect, rows_for
from nbprod.statistics.significance import benjamini_hochberg
from nbprod.statistics.unseen import Unseen
from nbprod.visible import escape

__all__ = ["LARGE", "ColumnComparison", "ColumnVerdict", "DriftComparison", "Unseen"]

#: A change of so many times the material line is large: half a standard deviation by default.
LARGE = 5.0
#: About so many of a column's statistics are independent, which is what a change has to stand out from.
_STATISTICS = 3
_POWER = 0.841621  # of 80 % power


class ColumnVerdict(StrEnum):
    """What is said of one column."""

    CHANGED = "changed"  #: significant, and the interval of an effect lies beyond its material line
    WATCH = "watch"  #: significant, and no effect reaches its line
    SAME = "same"  #: nothing significant; `ColumnComparison.detectable` says what would have been seen
    INCONCLUSIVE = "inconclusive"  #: significant, but the line lies within an interval; or too few rows for anything


@dataclass(frozen=True, kw_only=True)
class ColumnComparison:
    """One column of the current rows against the reference."""

    name: str
    kind: ColumnType
    verdict: ColumnVerdict
    method: str  #: as evidently names it; ``schema`` if the column is gone or of another kind
    score: float = nan  #: evidently's number for the method; NaN without values
    p_value: float = nan  #: of values and missing values together; NaN if nothing could be tested
    p_adjusted: float = nan  #: after Benjamini-Hochberg over all columns
    effect: float = nan  #: the size of the change without the part noise explains
    effect_unit: str = ""
    low: float = nan  #: of the 95 % interval of the effect
    high: float = nan
    threshold: float  #: from which effect on a change is material
    distance: float = nan  #: Wasserstein-1 in the column's own unit; NaN for categories
    reference_missing: float  #: share without a value
    current_missing: float
    missing_p_value: float = nan  #: NaN if nothing is missing
    effects: tuple[Effect, ...] = ()  #: all that were looked at; the first is the one above
    reference_infinite: float = 0.0  #: share of rows that are plus or minus infinity; never counted as missing
    current_infinite: float = 0.0
    reference_n: int = 0  #: rows with a finite value
    current_n: int = 0
    significant: bool = False  #: after multiplicity control
    detectable: float = nan  #: the smallest effect that would have been found with a chance of 80 %
    unseen: tuple[Unseen, ...] = ()  #: those that sampling does not explain, the most frequent first, at most 20
    multiplied: str = ""  #: a category whose share changed by a point and a factor of two at least, and surely
    unseen_share: float = 0.0  #: of the current rows with a value
    unseen_expected: float = 0.0  #: what it is expected to be without a change
    unseen_bound: float = 0.0  #: with 95 %, the share of a category absent from the reference is below
    outside: float = 0.0  #: share of current values beyond the reference's range (at least)
    rows_needed: int | None = None  #: current rows that would find or exclude a material change; None: enough
    design: float = 1.0  #: how many rows count as one, because they depend on each other
    sentence: str = ""
    windows: int = 1  #: how many were taken together; see `compare_together`

    def judged(self, p_adjusted: float, alpha: float, tested: int = 1) -> ColumnComparison:
        """The same numbers with the verdict at a level, given the p-value after multiplicity control.

        Parameters
        ----------
        p_adjusted
            After multiplicity control.
        alpha
            The level.
        tested
            Columns that share it, which the smallest change that can be found depends on.
        """
        if self.method == "schema":
            return self
        significant = p_adjusted <= alpha
        detectable = self._found_from(alpha / max(tested, 1))
        needed: int | None = None
        if isfinite(detectable) and detectable > self.threshold:
            squared = self.effect_unit == "Jensen-Shannon distance"  # what shrinks like the others is its square
            of, line = (detectable**2, self.threshold**2) if squared else (detectable, self.threshold)
            needed = rows_for(of, line, self.reference_n, self.current_n)
        if significant and any(effect.material for effect in self.effects):
            verdict = ColumnVerdict.CHANGED
        elif significant and any(effect.low > 0 and effect.straddles for effect in self.effects):
            verdict = ColumnVerdict.INCONCLUSIVE
        elif significant:
            verdict = ColumnVerdict.WATCH
        elif detectable > LARGE * self.threshold or (isnan(p_adjusted) and not self.nothing):
            verdict = ColumnVerdict.INCONCLUSIVE
        else:
            verdict = ColumnVerdict.SAME
        return replace(
            self,
            verdict=verdict,
            significant=significant,
            p_adjusted=p_adjusted,
            detectable=detectable,
            rows_needed=needed,
        )

    def _found_from(self, level: float) -> float:
        """The effect that a test at a level finds with a chance of 80 %."""
        if not self.effects or not isfinite(self.effect):
            return nan
        reach = -float(special.ndtri(level / (2 * _STATISTICS))) + _POWER
        first = self.effects[0]
        if self.effect_unit == "Jensen-Shannon distance":
            return sqrt(first.resolution * reach)
        return first.resolution * reach

    @property
    def detectable_sentence(self) -> str:
        """What would not have been seen, and how many rows would show it; empty if everything material would."""
        if self.rows_needed is None:
            return ""
        unit = {"Jensen-Shannon distance": ""}.get(self.effect_unit, " standard deviations")
        what = "a shift" if unit else "a distance of categories"
        return (
            f"{what} under {self.detectable:.2g}{unit} would not have been seen;"
            f" about {float(f'{self.rows_needed:.2g}'):,.0f} rows would show one of {self.threshold:.2g}"
        )

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
        """The greatest effect that is surely there, in units of its line."""
        if self.method == "schema":
            return float("inf")
        effect = self.effect / self.threshold if isfinite(self.effect) else 0.0
        return max([effect, *(min(one.weight, 1e3) for one in self.effects if one.low > 0)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is not finite is ``None``."""
        written: dict[str, Any] = plain(self)
        return written

    def __repr__(self) -> str:
        score, p_value = number(self.score), number(self.p_value, 3)
        return f"<ColumnComparison {self.name} {self.verdict}: {self.method} {score}, p {p_value}>"


@dataclass(frozen=True, kw_only=True)
class DriftComparison:
    """All columns of the current rows against the reference."""

    columns: Mapping[str, ColumnComparison]
    reference_rows: int
    current_rows: int
    alpha: float
    seed: int
    added: tuple[str, ...] = ()  #: columns the reference does not have
    blocks: str | None = None  #: the length of the blocks of time the null rests on
    caution: str = ""  #: what was noticed of rows that depend on each other or repeat each other

    def judged(self, alpha: float, p_adjusted: Mapping[str, float] | None = None) -> DriftComparison:
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
        columns = {
            name: column.judged(p_adjusted.get(name, nan), alpha, len(tested))
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns, alpha=alpha)

    def _of(self, *verdicts: ColumnVerdict) -> tuple[str, ...]:
        chosen = [column for column in self.columns.values() if column.verdict in verdicts]
        return tuple(column.name for column in sorted(chosen, key=lambda column: (-column.severity, column.name)))

    @property
    def significant(self) -> tuple[str, ...]:
        """Columns with a significant change, after multiplicity control; worst first."""
        return tuple(name for name in self._of(*ColumnVerdict) if self.columns[name].significant)

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
        """Columns of which it is open whether they changed by what matters."""
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
            noted = f" {self.caution}" if self.caution else ""
            return f"{len(self.changed)} of {len(self.columns)} columns changed in {rows}. {first}{more}{noted}"
        watched = f" {_listed('Significant but small', self.watch)}" if self.watch else ""
        open_ = self.inconclusive
        noted = f" {self.caution}" if self.caution else ""
        if open_:
            worst = self.columns[open_[0]]
            needed = max(self.columns[name].rows_needed or 0 for name in open_)
            enough = f" (about {float(f'{needed:.2g}'):,.0f} rows would tell)" if needed else ""
            doubt = f"{len(open_)} of {len(self.columns)} columns cannot be judged from {rows}{enough}"
            return f"No material change is certain; {doubt}. {worst.sentence}{watched}{noted}"
        blind = max(self.columns.values(), key=lambda column: column.rows_needed or 0)
        unseen = f": {blind.detectable_sentence}" if blind.detectable_sentence else ""
        return f"None of {len(self.columns)} columns changed materially in {rows}{unseen}.{watched}{noted}"

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
            "caution": self.caution,
            "significant": list(self.significant),
            "changed": list(self.changed),
            "added": list(self.added),
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
        }

    def __repr__(self) -> str:
        named = ", ".join(self.changed[:5])
        return f"<DriftComparison {len(self.columns)} columns, {len(self.changed)} changed: {named}>"

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


def _listed(label: str, names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{label}: {', '.join(names[:5])}{more}."
