"""What a route gives back: a status, a body and its type; and the sentences of refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nbprod.domain.row_problem import RowProblem

__all__ = ["Answer", "error", "json_answer", "problems_answer"]

JSON = b"application/json"
encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes
    media: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    ids: tuple[str, ...] = ()  #: of the predictions it holds, for the log


def json_answer(value: Any, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(status, encode(value))


def error(status: int, sentence: str, *headers: tuple[bytes, bytes]) -> Answer:
    """One sentence; it never holds a value that was sent."""
    return Answer(status, encode({"error": sentence}), JSON, headers)


def busy(sentence: str) -> Answer:
    """Come back in a second."""
    return error(503, sentence, (b"retry-after", b"1"))


def problems_answer(problems: Sequence[RowProblem | Mapping[str, Any]]) -> Answer:
    """The error contract: what is wrong with which field of which row, and what was expected."""
    records = [
        {"row": one.row, "field": one.field, "problem": one.problem, "expected": one.expected}
        if isinstance(one, RowProblem)
        else one
        for one in problems
    ]
    return Answer(422, encode(records))
