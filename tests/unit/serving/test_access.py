"""The table of scopes, tokens and names, without a server."""

from hashlib import sha256

import pytest

from nbprod.serving.access import Access, is_loopback
from nbprod.serving.assignment import AccessToken
from nbprod.serving.tokens import Tokens
from tests.unit.packages.conftest import store

__all__ = ["store"]
HOST = (b"host", b"localhost:8000")


def access(*scopes, is_open=False):
    text = b"nbprod_ab12cd34_" + b"0" * 64
    token = AccessToken(id="ab12cd34", digest=sha256(text).hexdigest(), scopes=scopes)
    return Access([token], is_open=is_open), (b"authorization", b"Bearer " + text)


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("predict", "POST", "/predict", None),
        ("predict", "POST", "/v2/models/m/versions/1/infer", None),
        ("predict", "GET", "/metrics", 403),
        ("read", "POST", "/predict", 403),
        ("read", "GET", "/metrics", None),
        ("read", "HEAD", "/metrics", None),
        ("predict", "DELETE", "/predict", 403),
        ("predict", "POST", "/predict/", 403),
        ("predict", "POST", "/PREDICT", 403),
        ("read", "GET", "/something-new", 403),
        ("admin", "GET", "/something-new", None),
        ("predict", "POST", "/v2/models/a/b/infer", 403),
    ],
)
def test_a_route_needs_its_scope_and_what_is_not_listed_needs_admin(scope, method, path, status):
    checked, header = access(scope)
    found = checked.refusal(method, path, [HOST, header])
    assert (found[0] if found else None) == status


def test_a_wrong_or_missing_token_is_401_and_text_that_is_no_ascii_too():
    checked, (name, right) = access("admin")
    for value in (
        None,
        b"",
        b"Bearer",
        right[:-1],
        right + b"0",
        b"Bearer \xff\xfe",
        right.replace(b"ab12", b"ffff"),
        b"Basic x",
    ):
        headers = [HOST] if value is None else [HOST, (name, value)]
        assert checked.refusal("GET", "/metrics", headers)[0] == 401
    assert checked.refusal("GET", "/metrics", [HOST, (name, right)]) is None


def test_hosts_and_origins():
    open_, _ = access("predict", is_open=True)
    for host, is_right in [
        (b"localhost", True), (b"LOCALHOST:1", True), (b"127.0.0.1:8", True), (b"[::1]:80", True), (b"10.1.2.3", True),
        (b"evil.example", False), (b"localhost.evil.example", False), (b"", False), (b"127.0.0.1.nip.io", False),
    ]:  # fmt: skip
        assert (open_.refusal("GET", "/ping", [(b"host", host)]) is None) is is_right, host
    for origin, is_right in [(b"http://localhost:8000", True), (b"https://localhost:8000", True), (b"null", False),
                             (b"http://localhost:8001", False), (b"http://localhost:8000.evil.example", False)]:  # fmt: skip
        assert (open_.refusal("POST", "/predict", [HOST, (b"origin", origin)]) is None) is is_right, origin


def test_loopback_addresses():
    assert all(map(is_loopback, ["127.0.0.1", "127.8.8.8", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "localhost.example"]))


def test_tokens_are_shown_once_and_kept_as_a_digest(store):
    """The ledger has nothing a token could be made from; a revoked name stays known."""
    tokens = Tokens(store)
    text = tokens.create("ana", scopes=["predict", "read"])
    (kept,) = tokens.list()
    assert text not in repr(vars(type(kept))) + repr(kept) + kept.digest
    assert kept.digest == sha256(text.encode()).hexdigest()
    assert kept.scopes == ("predict", "read")
    tokens.revoke("ana")
    assert tokens.list(valid=True) == []
    assert tokens.list()[0].revoked_by == "tester"
    with pytest.raises(Exception, match="was revoked"):
        tokens.revoke("ana")
    with pytest.raises(Exception, match="no scope"):
        tokens.create("bob", scopes=["everything"])
