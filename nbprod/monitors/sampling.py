"""Outcomes that came by review: which rows they speak for, since uncertain ones were more likely to be looked at.

Rows hold in ``review`` the chance they had, and in ``reviewer`` who said the outcome. Where nobody did, nothing here
changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.review import fraction_of, is_sent
from nbprod.statistics import sampled_strata, stratum_weights

__all__ = ["KnownRows", "evenly_known", "known_rows", "with_disagreements"]

NEVER = -1.0  #: in place of a chance: the row was made while nothing was sent
FEWEST = 30  #: rows of one chance that must be known, or all of them


@dataclass(frozen=True, kw_only=True)
class KnownRows:
    """Rows whose outcome is known, and how many each stands for."""

    known: NDArray[np.bool_]  #: of all rows
    weights: NDArray[np.float64] | None = None  #: of those that are known; ``None``: one each
    doubt: str = ""  #: why they cannot speak for the others


def known_rows(frame: pd.DataFrame) -> KnownRows:
    """The rows that count, weighted by how likely their kind was to become known.

    Rows made while nothing was sent are left out where none of them is known. Where of one chance fewer than 30 rows
    are known, and not all, the others cannot be told.
    """
    known = frame["outcome"].notna().to_numpy(dtype=bool)
    if not _is_reviewed(frame):
        return KnownRows(known=known)
    chances = frame["review"].fillna(NEVER).to_numpy(dtype=np.float64)
    counted = np.ones(len(frame), dtype=bool)
    if not known[chances == NEVER].any():
        counted = chances != NEVER
    for one in sampled_strata(chances[counted], known[counted]):
        if one.known < min(FEWEST, one.rows):
            sent = f"{one.rows:,} predictions whose chance of review was {one.chance:.3g}"
            return KnownRows(known=known, doubt=f"of {sent} only {one.known:,} are answered")
    weights = np.zeros(len(frame))
    weights[counted] = stratum_weights(chances[counted], known[counted])
    return KnownRows(known=known, weights=weights[known])


def evenly_known(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows without those outcomes only the uncertain had: what is left was as likely for every row.

    A row whose id would have been sent by the smallest chance of all is one of a plain random sample.
    """
    if not _is_reviewed(frame):
        return frame
    least = float(frame["review"].min())
    by_people = frame["reviewer"].notna()
    even = frame["prediction_id"].map(lambda name: fraction_of(name, "sent") < least).astype(bool)
    return frame.assign(outcome=frame["outcome"].where(even | ~by_people))


def with_disagreements(frame: pd.DataFrame, differing: frozenset[str]) -> pd.DataFrame:
    """Rows of which a shadow gave another answer were sent with certainty, if such rows were sent at all.

    They were where one has an answer that its own chance would not have sent.
    """
    if not differing or not _is_reviewed(frame):
        return frame
    reviewed = frame[frame["reviewer"].notna() & frame["review"].notna()]
    pairs = zip(reviewed["prediction_id"], reviewed["review"], strict=True)
    if all(is_sent(name, chance) for name, chance in pairs):
        return frame
    return frame.assign(review=frame["review"].where(~frame["prediction_id"].isin(differing), 1.0))


def _is_reviewed(frame: pd.DataFrame) -> bool:
    return {"review", "reviewer"} <= set(frame) and bool((frame["reviewer"].notna() & frame["outcome"].notna()).any())
