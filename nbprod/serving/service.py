"""What a worker does with requests, whatever route they came by: predict, keep, take outcomes in, tell its health."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from nbprod.domain.prediction_ids import prediction_ids
from nbprod.domain.review import Chooser
from nbprod.domain.rollout import Arm
from nbprod.errors import StoreError
from nbprod.lake.entries import Failures, Predictions
from nbprod.lake.spool import Spool
from nbprod.serving.answers import Answer, busy, encode, error, json_answer, problems_answer
from nbprod.serving.assignment import Assignment, Limits
from nbprod.serving.comparing import Comparison
from nbprod.serving.metrics import Metrics
from nbprod.serving.models import Answered, ServedModel
from nbprod.serving.requests import BodyError, FormError, read_predict
from nbprod.serving.routing import Router, broken

__all__ = ["Made", "Service"]

log = logging.getLogger("nbprod.serving")
MANY_ROWS = 64  #: from here on a request is worked on in a thread


class Made:
    """Predictions that are kept, and their ids."""

    __slots__ = ("answered", "ids", "model")

    def __init__(self, model: ServedModel, ids: list[str], answered: Answered) -> None:
        self.model = model
        self.ids = ids
        self.answered = answered


class Service:
    """One worker's work; its ``assignment`` and ``model`` are exchanged while it answers."""

    def __init__(self, assignment: Assignment, spool: Spool, metrics: Metrics, limits: Limits) -> None:
        self.assignment = assignment
        self.spool = spool
        self.metrics = metrics
        self.limits = limits
        self.model: ServedModel | None = None  #: the stable version
        self.candidate: ServedModel | None = None  #: of a rollout
        self.router = Router(self._keep_failure)
        self.refusals: dict[str, str] = {}  #: versions that could not be loaded, and why
        self.unseen: dict[str, int] = {}  #: by column, since the supervisor was told
        self.comparison: Comparison | None = None  #: of the compiled model in use with its pipeline
        self.differing: set[str] = set()  #: digests whose compiled model was seen to differ
        self.choosers: dict[str, Chooser] = {}  #: by digest, what sends predictions to people
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="candidate")

    async def predict(self, body: bytes) -> Answer:
        """``POST /predict``."""
        try:
            asked = read_predict(body)
        except BodyError as problem:
            return error(400, problem.message)
        except FormError as problem:
            return problems_answer([problem.record])
        made = await self.make(asked.rows, asked.unit if isinstance(asked.unit, str) else None)
        if isinstance(made, Answer):
            return made
        outputs = made.answered.outputs
        names = ("prediction_id", *outputs)
        predictions = [dict(zip(names, row, strict=True)) for row in zip(made.ids, *outputs.values(), strict=True)]
        deployment, version = self.assignment.deployment, made.model.arm.version
        body = encode({"deployment": deployment, "version": version, "predictions": predictions})
        return Answer(200, body, ids=tuple(made.ids))

    async def make(self, rows: Sequence[Mapping[str, Any]], unit: str | None = None) -> Made | Answer:
        """Predict rows and keep the predictions; or say why not, and then nothing was given."""
        started = time.perf_counter()
        model, assignment = self.model, self.assignment
        if model is None:
            return busy("no version is loaded yet")
        count = len(rows)
        if count > self.limits.rows:
            return error(413, f"a request may have {self.limits.rows:,} rows at most")
        at_ns = time.time_ns()
        ids = prediction_ids(count, datetime.fromtimestamp(at_ns / 1e9, UTC))
        candidate = self.candidate
        ticket = self.router.assign(
            unit, ids[0] if ids else "", now_us=at_ns // 1000, has_candidate=candidate is not None
        )
        tried: Answered | str = ""
        if candidate is not None and ticket.arm is Arm.CANDIDATE:
            tried = await self._tried(candidate, rows)
        if isinstance(tried, Answered) and candidate is not None:
            model, answered = candidate, tried
        else:
            try:
                answered = await self._answered(model, rows)
            except Exception:
                if ticket.arm is Arm.STABLE:
                    self.router.failed(ticket, "error", model.arm.version)
                raise
            if isinstance(tried, str) and tried and candidate is not None and not answered.problems:
                self.router.failed(ticket, tried, candidate.arm.version)
        if answered.problems:
            return problems_answer(answered.problems)
        arm = model.arm
        if count:
            inputs, chooser = answered.inputs, self.choosers.get(arm.digest)
            if private := assignment.private:
                inputs = {name: values for name, values in inputs.items() if name not in private}
            entry = Predictions(
                ids=ids,
                at_us=at_ns // 1000,
                version=arm.version,
                latency_ms=(time.perf_counter() - started) * 1000,
                outputs=answered.outputs,
                inputs=inputs,
                arm=ticket.arm.value,
                share=ticket.share,
                stratum=ticket.stratum,
                unit=unit,
                review=chooser.chances(answered.outputs, answered.inputs) if chooser is not None else [],
            )
            try:
                kept = self.spool.put(entry, count, durable=assignment.durable)
                if kept is not None:
                    await kept
            except StoreError:
                return busy("predictions cannot be kept at the moment, so none is given")
        if self.comparison is not None and count:
            self.comparison.see(arm, rows, answered.outputs)
        for column, times in answered.unseen.items():
            self.unseen[column] = self.unseen.get(column, 0) + times
        self.metrics.predicted(arm.version, ticket.arm.value, count, answered.unseen)
        return Made(model, ids, answered)

    async def _answered(self, model: ServedModel, rows: Sequence[Mapping[str, Any]]) -> Answered:
        refuse_unseen = self.assignment.unseen == "refuse"
        if not model.is_slow and len(rows) <= MANY_ROWS:
            return model.answer(rows, refuse_unseen=refuse_unseen)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: model.answer(rows, refuse_unseen=refuse_unseen))

    async def _tried(self, candidate: ServedModel, rows: Sequence[Mapping[str, Any]]) -> Answered | str:
        """The candidate's answer, or why it gave none that may be handed on: then the stable version answers."""
        routing = self.router.routing
        loop = asyncio.get_running_loop()
        try:
            if candidate.is_slow:
                asked = loop.run_in_executor(self._beside, lambda: candidate.answer(rows))
                answered = await asyncio.wait_for(asked, routing.timeout_s if routing is not None else None)
            else:
                answered = await self._answered(candidate, rows)
        except TimeoutError:
            self._beside = ThreadPoolExecutor(1, thread_name_prefix="candidate")  # the other thread still works
            return "timeout"
        except Exception as problem:  # noqa: BLE001 — whatever it raises, somebody waits for an answer
            log.warning("%s failed: %s", candidate.arm.version, type(problem).__name__)
            return "error"
        if answered.problems:
            return "refused"
        return "not-a-number" if broken(answered.outputs) else answered

    def _keep_failure(self, failure: Failures) -> None:
        try:
            self.spool.put(failure, 1, durable=False)
        except StoreError as problem:  # the answer itself is kept, or refused, by the same spool
            log.warning("a failure could not be kept: %s", problem.message)

    @property
    def problems(self) -> list[str]:
        """What somebody should know although requests are answered."""
        found = list(self.assignment.problems)
        found += [f"{version} could not be taken into use: {why}" for version, why in self.refusals.items()]
        if self.differing:
            found.append("the compiled model was seen to differ from its pipeline, which answers since")
        if self.spool.failure is not None:
            found.append(f"predictions cannot be kept: {self.spool.failure}")
        return found

    async def live(self, _: bytes = b"") -> Answer:
        """``GET /v2/health/live``: whether this process answers at all."""
        return json_answer({"live": True})

    async def ready(self, _: bytes = b"") -> Answer:
        """``GET /v2/health/ready``: whether it can predict, by which version, and what somebody should know."""
        model = self.model
        state = {
            "ready": model is not None,
            "deployment": self.assignment.deployment,
            "version": model.arm.version if model else None,
            "problems": self.problems,
        }
        return json_answer(state, 200 if model else 503)

    def close(self) -> None:
        """Keep what waits, and end."""
        if self.comparison is not None:
            self.comparison.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._beside.shutdown(wait=False, cancel_futures=True)
        self.spool.close()
