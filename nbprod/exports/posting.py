"""Hands JSON to a server that somebody named: over HTTP, without following it elsewhere."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nbprod.errors import EnvironmentProblem, SettingsError

__all__ = ["checked_url", "post_json"]

TIMEOUT_S = 10.0


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: what is sent was meant for the server that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def checked_url(url: str) -> str:
    """An address of HTTP, as it is.

    Raises
    ------
    SettingsError
        It is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{url!r} is no address of HTTP", hint="Write http://127.0.0.1:4318, say.")
    return url


def post_json(url: str, content: Any, headers: Mapping[str, str]) -> Any:
    """Send JSON, and return what is answered, or ``None`` where that is no JSON.

    Raises
    ------
    EnvironmentProblem
        The server is away or refuses; its address is named without user and path.
    """
    request = urllib.request.Request(  # noqa: S310 — the scheme is checked
        checked_url(url), data=json.dumps(content).encode(), headers={"Content-Type": "application/json", **headers}
    )
    place = f"{urlsplit(url).hostname}:{urlsplit(url).port or ''}".rstrip(":")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError as problem:
        problem.close()
        raise EnvironmentProblem(
            f"{place} answered {problem.code} {problem.reason}",
            hint="Look whether it takes OTLP or OpenLineage there.",
        ) from None
    except OSError as problem:
        why = getattr(problem, "reason", problem)
        raise EnvironmentProblem(
            f"{place} does not answer: {why}", hint="Start it, or give another address."
        ) from None
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
