"""Outcomes: the truth about predictions, by their id or their unit, kept before the answer leaves.

What is known of an id is looked up in the spools of this machine and in the tables, by a process beside the worker:
reading tables takes libraries the worker does not load. An outcome is kept whatever is known: it may come first.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from nbprod.domain.schema import Schema
from nbprod.errors import StoreError
from nbprod.lake.entries import Outcomes
from nbprod.serving.answers import Answer, busy, error, json_answer, problems_answer
from nbprod.serving.requests import FormError, read_json
from nbprod.serving.service import Service

__all__ = ["Feedback", "read_outcomes"]

LOOK_UP_S = 10.0
FIELDS = {"prediction_id", "unit", "outcome", "at"}
MOST_KEY = 256  # characters
FORM = 'an object such as {"outcomes": [{"prediction_id": "…", "outcome": …}, …]}'


class Feedback:
    """Takes outcomes in for one worker.

    Parameters
    ----------
    service
        Its spool, limits and metrics.
    lake
        Where the tables are.
    """

    def __init__(self, service: Service, lake: str) -> None:
        self._service = service
        self._lake = lake
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._asked = 0

    async def add(self, body: bytes) -> Answer:
        """``POST /outcomes``: keep them, and say how many match, repeat or are not known (yet)."""
        service = self._service
        if service.model is None:
            return busy("no version is loaded yet")
        asked = read_json(body)
        try:
            entry = read_outcomes(asked, service.model.schema, most=service.limits.rows)
        except FormError as problem:
            return problems_answer([problem.record])
        if isinstance(entry, Answer):
            return entry
        known = await self._look_up(entry) if entry.ids else {}
        if entry.ids:
            try:
                kept = service.spool.put(entry, len(entry.ids), durable=service.assignment.durable)
                if kept is not None:
                    await kept
            except StoreError:
                return busy("outcomes cannot be kept at the moment, so none is taken")
        report = _report(entry, known)
        for kind in ("matched", "unknown", "repeated"):
            found = report[kind]
            service.metrics.outcome(kind, found if isinstance(found, int) else len(found))
        return json_answer(report)

    async def _look_up(self, entry: Outcomes) -> Mapping[str, list[str]] | None:
        """Ids and units that are known, and those that have an outcome; ``None`` when it cannot be told now."""
        self._asked += 1
        question = {
            "number": self._asked,
            "ids": [one for one in entry.ids if one is not None],
            "units": [one for one in entry.units if one is not None],
        }
        async with self._turn:
            try:
                async with asyncio.timeout(LOOK_UP_S):
                    process = await self._running()
                    assert process.stdin is not None
                    assert process.stdout is not None
                    process.stdin.write(msgspec.json.encode(question) + b"\n")
                    await process.stdin.drain()
                    while True:  # an answer that came too late for another is passed over
                        answer = msgspec.json.decode(await process.stdout.readline())
                        if answer.pop("number") == question["number"]:
                            return answer
            except TimeoutError:
                return None
            except (OSError, msgspec.MsgspecError):
                self.close()
                return None

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            deployment = self._service.assignment.deployment
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "nbprod.serving.lookups",
                self._lake,
                deployment,
                str(self._service.spool.path.parent),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=64 << 20,
            )
        return self._process

    def close(self) -> None:
        """End the process beside."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process = None


def read_outcomes(asked: Any, schema: Schema, *, most: int) -> Outcomes | Answer:
    """Outcomes of a body, of the type of the model's target.

    Raises
    ------
    FormError
        Naming the first at fault.
    """
    if not isinstance(asked, dict) or asked.keys() != {"outcomes"} or not isinstance(asked["outcomes"], list):
        raise FormError("outcomes", FORM)
    if len(asked["outcomes"]) > most:
        return error(413, f"a request may have {most:,} outcomes at most")
    entry = Outcomes([], [], [], [])
    present = time.time_ns() // 1000
    for number, one in enumerate(asked["outcomes"]):
        if not isinstance(one, dict):
            raise FormError("", FORM, row=number)
        if unknown := sorted(one.keys() - FIELDS):
            raise FormError(unknown[0], f"one of {', '.join(sorted(FIELDS))}", problem="unknown", row=number)
        given = [name for name in ("prediction_id", "unit") if one.get(name) is not None]
        if len(given) != 1:
            raise FormError("prediction_id", "prediction_id or unit, one of them", row=number)
        (key,) = given
        if not isinstance(one[key], str) or not 0 < len(one[key]) <= MOST_KEY:
            raise FormError(key, f"text of 1 to {MOST_KEY} characters", row=number)
        entry.ids.append(one[key] if key == "prediction_id" else None)
        entry.units.append(one[key] if key == "unit" else None)
        entry.outcomes.append(_outcome(one, schema, number))
        entry.at_us.append(_moment(one["at"], number) if one.get("at") is not None else present)
    return entry


def _outcome(one: Mapping[str, Any], schema: Schema, number: int) -> Any:
    if "outcome" not in one:
        raise FormError("outcome", "the truth", problem="missing", row=number)
    value = one["outcome"]
    if schema.classes:
        # JSON has one kind of number, so 1 and 1.0 are one class; true is none of them
        for known in schema.classes:
            if known == value and isinstance(known, bool) == isinstance(value, bool):
                return known
        raise FormError("outcome", "one of the model's classes", row=number)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise FormError("outcome", "a number", row=number)
    return float(value)


def _moment(value: Any, number: int) -> int:
    try:
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(aware.timestamp() * 1_000_000)
    except (TypeError, ValueError, OverflowError):
        raise FormError("at", "an ISO 8601 moment", row=number) from None


def _report(entry: Outcomes, known: Mapping[str, list[str]] | None) -> dict[str, Any]:
    keys = [name if name is not None else unit for name, unit in zip(entry.ids, entry.units, strict=True)]
    if known is None:
        return {"added": len(keys), "matched": 0, "unknown": [], "repeated": [], "is_looked_up": False}
    there = {*known.get("ids", ()), *known.get("units", ())}
    before = {*known.get("with_outcome", ())}
    seen: set[str | None] = set()
    repeated: list[Any] = []
    for key in keys:
        if key in seen or key in before:
            repeated.append(key)
        seen.add(key)
    unknown = [key for key in dict.fromkeys(keys) if key not in there]
    return {
        "added": len(keys),
        "matched": sum(key in there for key in keys),
        "unknown": unknown,
        "repeated": list(dict.fromkeys(repeated)),
        "is_looked_up": True,
    }
