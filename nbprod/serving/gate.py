"""The outermost layer of a worker: access, the queue's bound, the hot routes, and a count of everything.

What it does not answer itself goes to the FastAPI application, which is made after the worker is ready: importing it
takes longer than loading a model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nbprod.serving.access import Access
from nbprod.serving.answers import Answer, busy, error
from nbprod.serving.service import Service

__all__ = ["IDS", "Gate"]

log = logging.getLogger("nbprod.serving")
Hot = Callable[[bytes], Awaitable[Answer]]
PLAIN = (b"x-content-type-options", b"nosniff")
SLOW_REQUEST_S = 1.0
IDS = "nbprod.prediction_ids"  #: of a request's scope: what the log says
MOST_IDS = 100


class Gate:
    """An ASGI application around another.

    Parameters
    ----------
    service
        Answers the hot routes.
    application
        Makes the application for everything else; called once, in a thread.
    """

    def __init__(self, service: Service, application: Callable[[], Any]) -> None:
        self.service = service
        self.access = Access((), is_open=False)
        self.is_logging = False
        self._make = application
        self._rest: asyncio.Task[Any] | None = None
        self._in_flight = 0
        self._hot: Mapping[tuple[str, str], Hot] = {
            ("POST", "/predict"): service.predict,
            ("GET", "/v2/health/live"): service.live,
            ("GET", "/v2/health/ready"): service.ready,
        }

    def start(self) -> None:
        """Make the rest of the application, beside."""
        self._rest = asyncio.create_task(asyncio.to_thread(self._make))

    @property
    def in_flight(self) -> int:
        """Requests being answered now."""
        return self._in_flight

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        method, path = scope["method"], scope["path"]
        refusal = self.access.refusal(method, path, scope["headers"])
        if refusal is not None:
            await self._refuse(scope, send, *refusal)
            self._count("(refused)", refusal[0], started, scope)
            return
        if self._in_flight >= self.service.limits.in_flight:
            await _send(send, busy("too many requests are being answered"))
            self._count("(busy)", 503, started, scope)
            return
        self._in_flight += 1
        try:
            hot = self._hot.get((method, path))
            if hot is None:
                await self._rest_of(scope, receive, send, started)
                return
            body = await _body(receive)
            if body is None:
                return
            answer = await hot(body)
            await _send(send, answer)
            self._count(path, answer.status, started, scope, answer.ids)
        finally:
            self._in_flight -= 1

    async def _rest_of(self, scope: Any, receive: Any, send: Any, started: float) -> None:
        status = 500

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], PLAIN]
            await send(message)

        assert self._rest is not None
        application = await self._rest
        try:
            await application(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            self._count(route, status, started, scope, scope.get(IDS, ()))

    async def _refuse(self, scope: Any, send: Any, status: int, sentence: str) -> None:
        headers = [(b"www-authenticate", b"Bearer")] if status == 401 else []
        wants_page = any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
        if status == 401 and wants_page and scope["method"] == "GET":
            from nbprod.serving.pages import sign_in_page  # delayed: jinja2

            page, policy = sign_in_page()
            headers += [(b"content-security-policy", policy.encode())]
            await _send(send, Answer(401, page.encode(), b"text/html; charset=utf-8", tuple(headers)))
            return
        await _send(send, error(status, sentence, *headers))

    def _count(self, route: str, status: int, started: float, scope: Any, ids: Sequence[str] = ()) -> None:
        seconds = time.perf_counter() - started
        self.service.metrics.answered(route, status, seconds)
        if self.is_logging or status >= 500 or seconds > SLOW_REQUEST_S:
            facts = {"route": route, "method": scope["method"], "status": status, "ms": round(seconds * 1000, 3)}
            log.info("request", extra={"facts": facts | ({"prediction_ids": ids[:MOST_IDS]} if ids else {})})


async def _body(receive: Any) -> bytes | None:
    """The whole body, which the protocol has bounded; ``None`` when the client went away."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    if not message.get("more_body"):
        return message["body"]
    parts = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message["body"])
    return b"".join(parts)


async def _send(send: Any, answer: Answer) -> None:
    length = str(len(answer.body)).encode()
    headers = [(b"content-type", answer.media), (b"content-length", length), PLAIN, *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
