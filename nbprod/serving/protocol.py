"""HTTP with limits: uvicorn's protocol, which bounds neither headers nor bodies nor the time a request may take.

What is too large or too slow is answered 413, 431 or 408 by the connection itself and then closed; a body is never
read past its cap. The answer is followed by a short wait in which what still comes is thrown away, so that a client
that sends on can read why. A sweeper closes connections whose request does not arrive or whose answer is not read.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from nbprod.serving.assignment import Limits

__all__ = ["GuardedServer", "limited_protocol"]

LINGER_S = 1.0
SWEEP_S = 0.5
PROGRESS_BYTES = 16 << 10  #: what a client must read on within the time of a request
PROBLEMS = {
    400: "this is no HTTP/1.1 request",
    408: "the request did not arrive in time",
    413: "the body is too large",
    431: "the headers are too large",
}


class LimitedProtocol(HttpToolsProtocol):
    """One connection; ``limits`` is set by :func:`limited_protocol`."""

    limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.since: float | None = self.loop.time()  # of the request that is arriving
        self.stalled: tuple[int, float] | None = None  # bytes the client has not read, and since when
        self._status = 0  # of the refusal, once there is one
        self._pending = 0  # a limit that was passed while parsing
        self._heads = self._size = self._count = self._thrown = 0
        self._body = -1  # bytes of it; -1 while the headers arrive
        self._is_silent = True

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless the request was refused."""
        if self._status:
            self._thrown += len(data)
            if self._thrown > self.limits.body_bytes:
                self.transport.abort()
            return
        self._is_silent = False
        if self.since is None:
            self.since = self.loop.time()
        self._heads += len(data)
        super().data_received(data)
        if self._heads > self.limits.header_bytes and self._body < 0:
            self.refuse(431)

    def on_message_begin(self) -> None:
        """Count anew."""
        self._heads = self._size = self._count = 0
        self._body = -1
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the bytes of the target."""
        self._bound(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the headers and their bytes."""
        self._count += 1
        self._bound(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse a body that says it is too large, before any of it is read."""
        self._body = 0
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self.limits.body_bytes:
                self._fail(413)
        super().on_headers_complete()
        if self.cycle is not None and self.scope["method"] != "HEAD":
            self.cycle.transport = _WholeAnswers(self.transport)  # type: ignore[assignment]  # all it needs

    def on_body(self, body: bytes) -> None:
        """Stop at the cap, whatever was said."""
        self._body += len(body)
        if self._body > self.limits.body_bytes:
            self._fail(413)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here: the clock stops."""
        self.since = None
        self._heads = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or is beyond a limit."""
        del msg
        self.refuse(self._status or 400)

    def _bound(self, size: int) -> None:
        self._size += size
        if self._size > self.limits.header_bytes or self._count > self.limits.headers:
            self._fail(431)

    def _fail(self, status: int) -> None:
        """End parsing: the parser turns what a callback raises into an error of its own."""
        self._pending = status
        raise _LimitError

    def refuse(self, status: int) -> None:
        """Answer for the application, if it has not begun to, and close."""
        if self._status or self.transport is None or self.transport.is_closing():
            return
        self._status = status = self._pending or status
        cycle = self.cycle
        is_answered = False
        if cycle is not None and not cycle.response_complete:
            is_answered = cycle.response_started or bool(self.pipeline)
            cycle.disconnected = True
            cycle.message_event.set()
        self._unset_keepalive_if_required()
        if not is_answered:
            body = msgspec.json.encode({"error": PROBLEMS[status]})
            self.transport.write(
                STATUS_LINE[status]
                + b"content-type: application/json\r\nx-content-type-options: nosniff\r\nconnection: close\r\n"
                + f"content-length: {len(body)}\r\n\r\n".encode()
                + body
            )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def sweep(self, now: float, within_s: float) -> None:
        """Close the connection if its client is too slow."""
        if self._status or self.transport.is_closing():
            return
        if self.since is not None and now - self.since > within_s:
            if self._is_silent:
                self.transport.close()
            else:
                self.refuse(408)
            return
        left = self.transport.get_write_buffer_size()
        if not left:
            self.stalled = None
        elif self.stalled is None or self.stalled[0] - left >= PROGRESS_BYTES or left > self.stalled[0]:
            self.stalled = (left, now)
        elif now - self.stalled[1] > within_s:
            self.transport.abort()


class _WholeAnswers:
    """What an answer is written to: its head leaves together with the beginning of its body.

    uvicorn writes them one after the other, and each is a call of the system that wakes the client up.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Hold the head back until there is more."""
        if self._head is None:
            if data.startswith(b"HTTP/1.1 100 "):  # the client waits for it before it sends on
                self._transport.write(data)
            else:
                self._head = data
            return
        self._transport.write(self._head + data if self._head else data)
        self._head = b""

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return bool(self._transport.is_closing())

    def close(self) -> None:
        """Send what was held back, and end."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._transport.close()


class _LimitError(Exception):
    """A limit was passed; never seen outside of the parser."""


def limited_protocol(limits: Limits) -> type[LimitedProtocol]:
    """The protocol with some limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


class GuardedServer(uvicorn.Server):
    """uvicorn's server with a sweeper over its connections and a deadline for TLS handshakes."""

    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self._limits = limits

    async def startup(self, sockets: Any = None) -> None:
        """Listen on sockets that are bound already."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        protocol = limited_protocol(self._limits)

        def connection() -> asyncio.Protocol:
            return protocol(config=self.config, server_state=self.server_state, app_state={}, _loop=loop)

        context: ssl.SSLContext | None = self.config.ssl
        deadline = self._limits.receive_s if context else None
        self.servers = [
            await loop.create_server(connection, sock=one, ssl=context, backlog=2048, ssl_handshake_timeout=deadline)
            for one in sockets
        ]
        self._sweeper = asyncio.create_task(self._sweep())
        self.started = True

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            within_s = min(self._limits.receive_s, 3.0) if self.should_exit else self._limits.receive_s
            for connection in list(self.server_state.connections):
                if isinstance(connection, LimitedProtocol):
                    connection.sweep(loop.time(), within_s)
