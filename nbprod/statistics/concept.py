"""Concept drift: whether a model's loss rose above the reference's, since when, and in which segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from nbprod.errors import DataError
from nbprod.statistics.blocks import block_start, time_blocks, times_us
from nbprod.statistics.interval import Interval
from nbprod.statistics.sequential import AlarmBudget, confidence_sequence, detect_rise

__all__ = ["ConceptDrift", "concept_drift", "losses"]

Floats = NDArray[np.float64]
_DAYS = 365.0


@dataclass(frozen=True, kw_only=True)
class ConceptDrift:
    """What the losses of rows with outcomes say."""

    detected_at: datetime | None  #: the end of the block with which there was enough evidence
    began_at: datetime | None  #: the start of the block in which the rise most likely began
    evidence: float  #: the largest so far
    threshold: float  #: of the evidence
    level: float  #: what the loss had to rise above: the upper bound of the reference's mean
    reference: float  #: mean loss of the reference
    current: Interval  #: mean loss of the current rows; its bounds hold however often one looks
    rows: int
    blocks: int
    segments: Mapping[str, ConceptDrift] = field(default_factory=dict)

    @property
    def detected(self) -> bool:
        """Whether the loss rose, in all rows or in a segment."""
        return self.detected_at is not None or any(part.detected for part in self.segments.values())

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.detected_at is not None and self.began_at is not None:
            return (
                f"The loss rose from {self.reference:.3g} to {self.current.value:.3g}: it began about "
                f"{self.began_at:%d %B %Y} and was certain on {self.detected_at:%d %B %Y}."
            )
        worse = [name for name, part in self.segments.items() if part.detected]
        if worse:
            return f"The loss rose in {', '.join(worse)}, not in all rows together."
        return f"The loss did not rise above {self.level:.3g} (now {self.current.value:.3g})."

    def __repr__(self) -> str:
        return f"<ConceptDrift {self.sentence}>"


def losses(task: str, y: Any, predicted: Any, *, largest: float | None = None) -> Floats:
    """One loss a row between 0 and 1.

    Parameters
    ----------
    task
        ``classification``: 1 where the label is wrong, or the squared error of the probability of class 1;
        ``regression``: the absolute error over ``largest``, cut at 1.
    y, predicted
        One value a row; where ``y`` is missing, so is the loss.
    largest
        The error that counts as 1; the same for reference and current rows.
    """
    truth, guess = pd.Series(np.asarray(y)), pd.Series(np.asarray(predicted))
    known = truth.notna() & guess.notna()
    found = np.full(len(truth), np.nan)
    if task == "regression":
        error = np.abs(truth[known].to_numpy(np.float64) - guess[known].to_numpy(np.float64))
        scale = largest if largest is not None else float(error.max(initial=0.0)) or 1.0
        found[known] = np.minimum(error / scale, 1.0)
    elif (
        pd.api.types.is_float_dtype(guess)
        and guess[known].between(0, 1).all()
        and not guess[known].isin([0, 1]).all()
    ):
        found[known] = (truth[known].to_numpy(np.float64) - guess[known].to_numpy(np.float64)) ** 2
    else:
        found[known] = (truth[known] != guess[known]).to_numpy(np.float64)
    return found


def concept_drift(
    reference_loss: Floats,
    reference_at: Any,
    current_loss: Floats,
    current_at: Any,
    *,
    block: str = "1d",
    budget: AlarmBudget | None = None,
    segments: tuple[Any, Any] | None = None,
) -> ConceptDrift:
    """Watch whether the mean loss by block rose above that of the reference.

    Parameters
    ----------
    reference_loss, current_loss
        One number between 0 and 1 a row, missing where there is no outcome (never counted as right or wrong).
    reference_at, current_at
        The moment of each row; rows of one block may depend on each other.
    block
        The length of a block: ``1d``, ``1w``. The evidence is updated once a block.
    budget
        False detections a year; two by default, in looks once a block.
    segments
        A label of each reference and current row. Every segment is watched too; all share the budget.

    Raises
    ------
    DataError
        Losses and times differ in length, or fewer than eight blocks of the reference have outcomes.
    """
    budget = budget or AlarmBudget(looks_per_year=_DAYS / (pd.Timedelta(_pandas(block)) / pd.Timedelta("1D")))
    before, after = _series(reference_loss, reference_at, block), _series(current_loss, current_at, block)
    parts: dict[str, ConceptDrift] = {}
    count = 1
    if segments is not None:
        labels = [pd.Series(np.asarray(part), dtype=object) for part in segments]
        names = sorted(set(labels[1].dropna()) & set(labels[0].dropna()), key=str)
        count += len(names)
        for name in names:
            first, second = (
                frame[(label == name).to_numpy()[frame.index]]
                for frame, label in zip((before, after), labels, strict=True)
            )
            if first["block"].nunique() >= _LEAST_BLOCKS and len(second):
                parts[str(name)] = _watched(first, second, block, budget.run_length * count)
    return _watched(before, after, block, budget.run_length * count, parts)


_LEAST_BLOCKS = 8


def _watched(
    before: pd.DataFrame,
    after: pd.DataFrame,
    block: str,
    run_length: float,
    segments: Mapping[str, ConceptDrift] | None = None,
) -> ConceptDrift:
    known = before.groupby("block")["loss"].mean().to_numpy()
    if len(known) < _LEAST_BLOCKS:
        raise DataError(
            f"{len(known)} blocks of the reference have outcomes", hint=f"At least {_LEAST_BLOCKS} are needed."
        )
    seen = after.groupby("block")["loss"].mean()
    # the reference is one sample: what it cannot exclude is no rise
    standard_error = known.std(ddof=1) * np.sqrt(1 + 2 * _lag_one(known)) / np.sqrt(len(known))
    level = float(min(known.mean() + special.stdtrit(len(known) - 1, 0.95) * standard_error, 0.999))
    found = detect_rise(seen.to_numpy(), level, run_length)
    low, high = confidence_sequence(seen.to_numpy()) if len(seen) else (np.zeros(1), np.ones(1))
    mean = float(after["loss"].mean()) if len(after) else float("nan")
    ids = seen.index.to_numpy()
    return ConceptDrift(
        detected_at=None if found.at is None else block_start(ids[found.at] + 1, block),
        began_at=None if found.began is None else block_start(ids[found.began], block),
        evidence=float(found.evidence.max(initial=0.0)),
        threshold=run_length,
        level=level,
        reference=float(before["loss"].mean()),
        current=Interval(value=mean, low=float(low[-1]), high=float(high[-1])),
        rows=len(after),
        blocks=len(seen),
        segments=segments or {},
    )


def _lag_one(values: Floats) -> float:
    """How far neighbouring blocks move together, at least 0."""
    off = values - values.mean()
    total = float(off @ off)
    return min(max(float(off[:-1] @ off[1:]) / total, 0.0), 0.8) if total > 0 else 0.0


def _series(loss: Floats, at: Any, block: str) -> pd.DataFrame:
    values = np.asarray(loss, dtype=np.float64)
    blocks = time_blocks(at, block)
    if len(values) != len(blocks):
        raise DataError(f"there are {len(values)} losses and {len(blocks)} times", hint="Give the time of each row.")
    frame = pd.DataFrame({"block": blocks, "loss": values, "at": times_us(at)})
    return frame[frame["loss"].notna()].sort_values("at", kind="stable")


def _pandas(block: str) -> str:
    return block[:-1] + {"m": "min", "h": "h", "d": "D", "w": "W"}[block[-1]]
