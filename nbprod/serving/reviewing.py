"""Reviews over HTTP: what people are to look at, and what they say, by a process beside that opens the ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nbprod.domain.review import check_reviewer
from nbprod.errors import SettingsError
from nbprod.serving.answers import Answer, busy, error, json_answer, problems_answer
from nbprod.serving.requests import FormError, read_json
from nbprod.serving.service import Service

__all__ = ["MOST_ITEMS", "ReviewDesk"]

WAIT_S = 30.0  #: the first question waits until the process has opened the ledger
MOST_ITEMS = 100  #: of one request
MOST_KEY = 256  #: characters of an id
FORM = 'an object such as {"reviewer": "…", "answers": [{"prediction_id": "…", "outcome": …}, …]}'
NAME = "a name of 1 to 128 characters that can be seen"


class ReviewDesk:
    """Asks the process beside one worker.

    Parameters
    ----------
    service
        Its metrics.
    command
        Of the process; empty where there is none.
    """

    def __init__(self, service: Service, command: Sequence[str]) -> None:
        self._service = service
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._asked = 0

    async def hand_out(self, query: Mapping[str, str]) -> Answer:
        """``GET /review``: predictions that nobody else is given for half an hour."""
        if unknown := sorted(query.keys() - {"reviewer", "limit"}):
            return error(400, f"there is no parameter {unknown[0]!a}; reviewer and limit are known")
        try:
            reviewer = check_reviewer(query.get("reviewer"))
        except SettingsError:
            return error(400, f"reviewer must be {NAME}")
        limit = query.get("limit", "1")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MOST_ITEMS):
            return error(400, f"limit must be a number from 1 to {MOST_ITEMS}")
        answer = await self._ask({"reviewer": reviewer, "limit": int(limit)})
        if answer.status == 200:
            self._service.metrics.reviewed("given", len(msgspec.json.decode(answer.body)["items"]))
        return answer

    async def take_in(self, body: bytes) -> Answer:
        """``POST /review``: what a person says, kept before the answer leaves."""
        try:
            reviewer, answers = read_reviews(read_json(body))
        except FormError as problem:
            return problems_answer([problem.record])
        answer = await self._ask({"reviewer": reviewer, "answers": answers})
        if answer.status == 200:
            self._service.metrics.reviewed("answered", len(answers))
        return answer

    async def _ask(self, question: Mapping[str, Any]) -> Answer:
        if not self._command:
            return busy("this server hands out no reviews")
        async with self._turn:
            self._asked += 1
            asked = {"number": self._asked, **question}
            try:
                async with asyncio.timeout(WAIT_S):
                    said = await self._exchange(asked)
            except TimeoutError:
                self._end()
                return busy("reviews are slow at the moment")
            except (OSError, msgspec.MsgspecError):
                self._end()
                return busy("reviews cannot be had at the moment")
        if said["status"] == 422:
            expected = said["body"]["error"]
            return problems_answer([{"row": None, "field": "outcome", "problem": "type", "expected": expected}])
        return busy(said["body"]["error"]) if said["status"] == 503 else json_answer(said["body"], said["status"])

    async def _exchange(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=64 << 20
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(asked) + b"\n")
        await self._process.stdin.drain()
        while True:  # an answer to somebody who went away meanwhile is passed over
            said = msgspec.json.decode(await self._process.stdout.readline())
            if said["number"] == asked["number"]:
                return said

    def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process = None


def read_reviews(asked: Any) -> tuple[str, dict[str, Any]]:
    """The reviewer, and by prediction id what was answered.

    Raises
    ------
    FormError
        Naming the first at fault.
    """
    if not isinstance(asked, dict) or asked.keys() != {"reviewer", "answers"}:
        raise FormError("", FORM)
    try:
        reviewer = check_reviewer(asked["reviewer"])
    except SettingsError:
        raise FormError("reviewer", NAME) from None
    if not isinstance(asked["answers"], list) or len(asked["answers"]) > MOST_ITEMS:
        raise FormError("answers", f"a list of at most {MOST_ITEMS}")
    answers: dict[str, Any] = {}
    for number, one in enumerate(asked["answers"]):
        if not isinstance(one, dict) or one.keys() != {"prediction_id", "outcome"}:
            raise FormError("", FORM, row=number)
        name = one["prediction_id"]
        if not isinstance(name, str) or not 0 < len(name) <= MOST_KEY or name in answers:
            raise FormError("prediction_id", f"text of 1 to {MOST_KEY} characters, each once", row=number)
        if not isinstance(one["outcome"], str | int | float | bool):
            raise FormError("outcome", "the truth", row=number)
        answers[name] = one["outcome"]
    return reviewer, answers
