"""Hands out and takes in reviews for another process: one question a line on stdin, one answer a line on stdout.

A server's workers do not open the ledger; each starts one of these the first time somebody asks for a review.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import msgspec

from nbprod.clock import format_utc
from nbprod.domain.review import ReviewItem
from nbprod.errors import NbprodError, NotFoundError, RefusedError, SettingsError
from nbprod.review.service import Reviews

__all__ = ["serve_desk"]

#: Statuses of errors; others are the ledger's or the tables' and pass.
STATUSES: tuple[tuple[type[NbprodError], int], ...] = (
    (SettingsError, 422),
    (NotFoundError, 404),
    (RefusedError, 409),
)


class Question(msgspec.Struct):
    """What a worker asks."""

    number: int
    reviewer: str
    limit: int = 1
    answers: dict[str, Any] | None = None  #: by prediction id; ``None``: give something to look at


def serve_desk(reviews: Reviews, deployment: str, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the questions end."""
    decode, encode = msgspec.json.Decoder(Question).decode, msgspec.json.encode
    for line in questions:
        asked = decode(line)
        try:
            status, body = 200, _answered(reviews, deployment, asked)
        except NbprodError as problem:
            status = next((status for kind, status in STATUSES if isinstance(problem, kind)), 503)
            body = {"error": problem.message if status != 503 else "reviews cannot be kept at the moment"}
        answers.write(encode({"number": asked.number, "status": status, "body": body}) + b"\n")
        answers.flush()


def _answered(reviews: Reviews, deployment: str, asked: Question) -> dict[str, Any]:
    if asked.answers is not None:
        added = reviews.answer(deployment, asked.answers, reviewer=asked.reviewer)
        return {"added": added.added, "is_replay": added.is_replay}
    items = reviews.next(deployment, reviewer=asked.reviewer, limit=asked.limit)
    form = reviews.form(deployment)
    return {
        "deployment": deployment,
        "asked": {"target": form.target, "task": form.task, "classes": list(form.classes)},
        "items": [_item(item) for item in items],
    }


def _item(item: ReviewItem) -> dict[str, Any]:
    return {
        "prediction_id": item.prediction_id,
        "at": format_utc(item.at),
        "version": item.version,
        "inputs": dict(item.inputs),
    }
