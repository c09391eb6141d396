"""Who gets what: a prediction is one person's for a while, by compare-and-set in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from nbprod.domain.review import ReviewClaim, SentPrediction
from nbprod.store import Session

__all__ = ["claim", "live_claims"]


def live_claims(session: Session, deployment: str, at: datetime) -> list[ReviewClaim]:
    """Claims that have not run out."""
    return [one for one in session.list(ReviewClaim, {"deployment": deployment}, limit=None) if one.until > at]


def claim(
    session: Session,
    deployment: str,
    queue: Sequence[SentPrediction],
    reviewer: str,
    *,
    at: datetime,
    hold: timedelta,
    limit: int | None,
    skip: Collection[str] = (),
) -> list[SentPrediction]:
    """Take predictions for a reviewer: first those held already, then free ones in the order of the queue.

    Claims that ran out are taken over, and those on predictions that are no longer open are removed. An answer leaves
    the claim as it is: until it runs out nobody who looked at the tables a moment ago is given the prediction again.

    Parameters
    ----------
    session
        Of the ledger, writing.
    deployment
        Its name.
    queue
        What is open.
    reviewer
        Who asks.
    at, hold
        Now, and for how long the predictions are the reviewer's.
    limit
        How many at most; ``None``: all.
    skip
        Predictions the reviewer does not want now.

    Raises
    ------
    StaleMoveError
        Somebody took one at the same moment; ask again.
    """
    claims: dict[str, list[ReviewClaim]] = {}
    is_open = {one.prediction_id for one in queue}
    for made in session.list(ReviewClaim, {"deployment": deployment}, limit=None):
        claims.setdefault(made.prediction_id, []).append(made)
        if made.until <= at and made.prediction_id not in is_open:
            session.remove(made, expecting={"until": made.until, "reviewer": made.reviewer})

    def is_held(one: SentPrediction) -> bool:
        return any(held.reviewer == reviewer and held.until > at for held in claims.get(one.prediction_id, ()))

    taken: list[SentPrediction] = []
    for one in sorted(queue, key=lambda one: not is_held(one)):
        if limit is not None and len(taken) >= limit:
            break
        if reviewer in one.reviewers or one.prediction_id in skip:
            continue
        before = {held.place: held for held in claims.get(one.prediction_id, ())}
        if is_held(one):
            taken.append(one)
            continue
        # who answered has a place for good; who was given it and has not answered has one until the claim runs out
        gone = {held.place for held in before.values() if held.until > at and held.reviewer not in one.reviewers}
        answered = [held.place for held in before.values() if held.reviewer in one.reviewers]
        if len(one.reviewers) + len(gone) >= one.wanted:
            continue
        free = [place for place in range(1, one.wanted + 1) if place not in gone and place not in answered]
        place = (free or [place for place in range(1, one.wanted + 1) if place not in gone])[0]
        made = ReviewClaim(
            deployment=deployment,
            prediction_id=one.prediction_id,
            place=place,
            reviewer=reviewer,
            claimed_at=at,
            until=at + hold,
        )
        if place in before:
            session.replace(made, expecting={"until": before[place].until, "reviewer": before[place].reviewer})
        else:
            session.add(made)
        taken.append(one)
    return taken
