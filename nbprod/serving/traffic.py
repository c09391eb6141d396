"""Traffic for a server: rows sent one by one over several connections, and what came back how quickly."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nbprod.domain.markup import card
from nbprod.errors import EnvironmentProblem

__all__ = ["Traffic", "ask", "send_rows"]

TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What a server answered."""

    ids: tuple[str, ...]  #: of the predictions, in the order of the rows
    seconds: float
    latencies_ms: tuple[float, ...]  #: of each request, as the client saw it

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.ids) / self.seconds if self.seconds else 0.0

    @property
    def p99_ms(self) -> float:
        """The latency that one in a hundred exceeded."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] if ordered else 0.0

    def __repr__(self) -> str:
        return f"<Traffic of {len(self.ids):,} requests, {self.per_second:,.0f} a second, p99 {self.p99_ms:.1f} ms>"

    def _repr_html_(self) -> str:
        return card(
            f"{len(self.ids):,} requests",
            [("a second", f"{self.per_second:,.0f}"), ("p99", f"{self.p99_ms:.1f} ms")],
        )


def send_rows(
    url: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    units: Sequence[str] = (),
    connections: int = 8,
    token: str = "",
) -> Traffic:
    """Ask for a prediction of each row by a request of its own.

    Parameters
    ----------
    url
        Of the server, without a path.
    rows
        Field by name.
    units
        What each row is about, as many as rows: by it a rollout assigns arms. Without them no unit is named.
    connections
        That are open at once.
    token
        Where one is needed.

    Raises
    ------
    EnvironmentProblem
        A request was not answered 200.
    """
    named = [{"unit": unit} for unit in units] if units else [{}] * len(rows)
    bodies = [
        json.dumps({"rows": [row], **unit}, allow_nan=False).encode() for row, unit in zip(rows, named, strict=True)
    ]

    def client(number: int) -> list[tuple[int, str, float]]:
        connection = _connection(url)
        found = []
        for place in range(number, len(bodies), connections):
            start = time.perf_counter()
            answer = _post(connection, "/predict", bodies[place], token)
            took_ms = (time.perf_counter() - start) * 1000
            found.append((place, str(answer["predictions"][0]["prediction_id"]), took_ms))
        connection.close()
        return found

    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        answered = sorted(one for part in pool.map(client, range(connections)) for one in part)
    return Traffic(
        ids=tuple(name for _, name, _ in answered),
        seconds=time.perf_counter() - begun,
        latencies_ms=tuple(took for _, _, took in answered),
    )


def ask(url: str, path: str, body: Mapping[str, Any], *, token: str = "") -> dict[str, Any]:
    """One request and its answer.

    Raises
    ------
    EnvironmentProblem
        It was not answered 200; the message is the server's.
    """
    connection = _connection(url)
    try:
        return _post(connection, path, json.dumps(body, allow_nan=False).encode(), token)
    finally:
        connection.close()


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)


def _post(connection: http.client.HTTPConnection, path: str, body: bytes, token: str) -> dict[str, Any]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as problem:
        raise EnvironmentProblem(f"the server at {connection.host}:{connection.port} does not answer") from problem
    if answer.status != 200:
        raise EnvironmentProblem(f"{path} was answered {answer.status}: {content.decode(errors='replace')[:500]}")
    return dict(json.loads(content))
