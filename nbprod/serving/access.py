"""Who may ask for what: bearer tokens with scopes, the names this server is called by, and where a page came from.

Tokens carry 256 bits of chance, so that a plain SHA-256 is enough to keep them by (nothing to guess), and are
compared in constant time. What is not listed here needs the scope ``admin``: a route that is forgotten is closed, not
open.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from nbprod.serving.assignment import AccessToken

__all__ = ["LOOPBACK", "Access", "is_loopback"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ADMIN = "admin"
READ = frozenset({"read"})
CALL = frozenset({"predict"})
REVIEW = frozenset({"review"})
LOOK = frozenset({"predict", "read"})
#: Scopes of which one is needed, by method and path; ``*`` stands for one part of a path.
SCOPES: tuple[tuple[frozenset[str], str, str], ...] = (
    (CALL, "POST", r"/predict|/outcomes|/invocations|/v2/models/[^/]+(/versions/[^/]+)?/infer"),
    (LOOK, "GET", r"/|/docs|/openapi\.json|/ping|/health|/version|/v2|/v2/health/(live|ready)"),
    (LOOK, "GET", r"/v2/models/[^/]+(/versions/[^/]+)?(/ready)?"),
    (READ, "GET", r"/metrics|/rollout|/rollout/may/[^/]+"),
    (READ, "POST", r"/rollout/may/[^/]+"),  # a question, however webhooks ask it
    (REVIEW, "GET", r"/review"),
    (REVIEW, "POST", r"/review"),
)
PATTERNS = tuple((scopes, method, re.compile(path)) for scopes, method, path in SCOPES)
NOBODY = AccessToken(id="", digest="0" * 64, scopes=())
MOST_SEEN = 1024  # names kept as known to be right


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """The check every request passes before anything else looks at it.

    Parameters
    ----------
    tokens
        Those that are valid now.
    is_open
        Whether requests without a token are answered.
    hosts
        Names beside the loopback's and beside plain addresses that clients may call this server by.
    """

    def __init__(self, tokens: Sequence[AccessToken], *, is_open: bool, hosts: Sequence[str] = ()) -> None:
        self._tokens: Mapping[bytes, AccessToken] = {token.id.encode(): token for token in tokens}
        self._is_open = is_open
        self._hosts = {*LOOPBACK, *(host.lower() for host in hosts)}
        self._right: set[bytes] = set()
        self._needed: dict[tuple[str, str], frozenset[str]] = {}

    def refusal(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        """A status and a sentence, or ``None`` for a request that may pass."""
        host = origin = authorization = None
        site = b""
        for name, value in headers:
            if name == b"host":
                if host is not None:
                    return 400, "the request names two hosts"
                host = value
            elif name == b"authorization":
                authorization = value
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
        if host is None:
            return 400, "the request names no host"
        if host not in self._right and not self._knows(host):
            return 403, "this server is not known by that name; it is started with --allow-host NAME"
        if origin is not None and not _is_same(origin, host):
            return 403, "pages of other sites may not ask"
        if site == b"cross-site" and method not in {"GET", "HEAD"}:
            return 403, "pages of other sites may not ask"
        if self._is_open:
            return None
        token = self._token(authorization)
        if token is None:
            return 401, "a valid bearer token is needed: nbprod tokens create NAME"
        needed = self._scopes(method, path)
        if ADMIN in token.scopes or not needed.isdisjoint(token.scopes):
            return None
        return 403, f"the token has not the scope {' or '.join(sorted(needed)) or ADMIN}"

    def _knows(self, host: bytes) -> bool:
        name = host.decode("latin-1").lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.rsplit(":", 1)[0]
        if name not in self._hosts:
            try:  # an address cannot be rebound to another machine, a name can
                ipaddress.ip_address(name)
            except ValueError:
                return False
        if len(self._right) < MOST_SEEN:
            self._right.add(host)
        return True

    def _token(self, authorization: bytes | None) -> AccessToken | None:
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return None
        given = authorization[7:].strip()
        kind, _, rest = given.partition(b"_")
        identity, _, _ = rest.partition(b"_")
        token = self._tokens.get(identity, NOBODY) if kind == b"nbprod" else NOBODY
        is_right = hmac.compare_digest(sha256(given).hexdigest(), token.digest)
        return token if is_right and token is not NOBODY else None

    def _scopes(self, method: str, path: str) -> frozenset[str]:
        key = ("GET" if method == "HEAD" else method, path)
        if key not in self._needed:
            found = (scopes for scopes, of, pattern in PATTERNS if of == key[0] and pattern.fullmatch(path))
            needed = next(found, frozenset())
            if len(self._needed) >= MOST_SEEN:
                return needed
            self._needed[key] = needed
        return self._needed[key]


def _is_same(origin: bytes, host: bytes) -> bool:
    """Whether a page of this very server asks."""
    return origin.lower() in {b"http://" + host.lower(), b"https://" + host.lower()}
