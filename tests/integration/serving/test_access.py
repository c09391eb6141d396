"""Who may ask: tokens over every route the running application has, hosts, origins, and where it binds."""

import random
import string
import time

import httpx
import pytest

from nbprod.serving.access import SCOPES
from tests.integration.serving.conftest import ROW

pytestmark = pytest.mark.slow
FILL = {"name": "power", "number": "1", "act": "keep"}


def routes_of(server, workspace):
    """Every route of the running application, found by importing what the worker imports."""
    from nbprod.serving.application import make_application
    from nbprod.serving.assignment import Assignment, Limits
    from nbprod.serving.service import Service

    service = Service(Assignment(deployment="power", arms=()), spool=None, metrics=None, limits=Limits())
    application = make_application(service, "lake")
    found = [(method, route.path.format(**FILL)) for route in application.routes for method in sorted(route.methods)]
    told = server.json("GET", "/openapi.json")[1]["paths"]
    assert {path for _, path in found} >= {path.format(**FILL) for path in told}
    return found


def test_every_route_is_closed_once_a_token_exists(serve, workspace, wait_for):
    """Without a token, with a wrong one, one of another scope, a revoked one: 401 or 403, on every route there is."""
    server = serve()
    routes = routes_of(server, workspace)
    assert len(routes) >= 19
    assert server.predict()[0] == 200
    tokens = {scope: workspace.tokens.create(f"my-{scope}", scopes=[scope]) for scope in ("predict", "read", "admin")}
    wait_for(lambda: server.ask("GET", "/metrics")[0] == 401)  # until it knows of them, everything is answered
    wait_for(lambda: server.ask("GET", "/metrics", headers={"authorization": f"Bearer {tokens['admin']}"})[0] == 200)
    body = {"rows": [ROW]}
    for method, path in [*routes, ("GET", "/nowhere"), ("POST", "/admin"), ("DELETE", "/predict")]:
        for given in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {tokens['admin']}"},
                      {"authorization": f"Bearer {tokens['admin'][:-1]}x"}):  # fmt: skip
            status, headers, content = server.ask(method, path, body if method == "POST" else None, given)
            assert (status, headers["www-authenticate"]) == (401, "Bearer"), (method, path)
            assert b"power" not in content
    for scope, path, allowed in [
        ("predict", "/metrics", 403), ("read", "/metrics", 200), ("admin", "/metrics", 200),
        ("predict", "/v2/models/power", 200), ("read", "/", 200), ("predict", "/nowhere", 403), ("admin", "/nowhere", 404),
    ]:  # fmt: skip
        assert server.ask("GET", path, headers={"authorization": f"Bearer {tokens[scope]}"})[0] == allowed, (
            scope,
            path,
        )
    for scope, allowed in [("predict", 200), ("read", 403), ("admin", 200)]:
        assert server.ask("POST", "/predict", body, {"authorization": f"Bearer {tokens[scope]}"})[0] == allowed
    workspace.tokens.revoke("my-predict")
    wait_for(lambda: server.ask("POST", "/predict", body, {"authorization": f"Bearer {tokens['predict']}"})[0] == 401)
    for name in ("my-read", "my-admin"):
        workspace.tokens.revoke(name)
    time.sleep(1.5)
    assert server.predict()[0] == 401  # the last one that is revoked does not open what it closed


def test_random_credentials_are_refused_alike(serve, workspace, wait_for):
    """Bytes of any kind, too long, not ASCII: 401 or 431, never another word."""
    workspace.tokens.create("mine")
    server = serve()
    chance = random.Random(7)
    bodies = set()
    for _ in range(300):
        junk = bytes(
            chance.choice(string.printable.encode() + bytes(range(128, 256))) for _ in range(chance.randrange(80))
        )
        junk = junk.replace(b"\r", b"").replace(b"\n", b"")
        with server.socket() as connection:
            head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
            connection.sendall(head + junk + b"\r\n\r\n")
            content = b""
            while part := connection.recv(65536):
                content += part
        status = int(content.split(b" ")[1])
        assert status in {400, 401}
        if status == 401:
            bodies.add(content.partition(b"\r\n\r\n")[2])
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "localhost.evil.example"}, 403),
        ({"host": "127.0.0.1.nip.io:80"}, 403),
        ({"host": "localhost:9"}, 200),
        ({"host": "[::1]:80"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_other_names_and_pages_of_other_sites_are_refused(server_of_module, headers, status):
    assert httpx.post(f"{server_of_module.url}/predict", json={"rows": [ROW]}, headers=headers).status_code == status


def test_the_same_origin_may_ask(server_of_module):
    given = {"origin": server_of_module.url}
    assert httpx.post(f"{server_of_module.url}/predict", json={"rows": [ROW]}, headers=given).status_code == 200


def test_without_a_token_only_the_loopback_is_bound(serve, workspace):
    with pytest.raises(AssertionError, match=r"(?s)ended with 3: .*nbprod tokens create"):
        serve("power", "--host", "0.0.0.0")
    workspace.tokens.create("mine")
    server = serve("power", "--host", "0.0.0.0")
    assert server.predict()[0] == 401


def test_every_path_of_the_table_of_scopes_is_a_route(server_of_module, workspace):
    """The table names no route that does not exist, so that none is open by a slip."""
    import re

    paths = {path for _, path in routes_of(server_of_module, workspace)}
    for _, method, pattern in SCOPES:
        for one in re.sub(r"\(([^()]*)\)\?", "", pattern).split("|"):
            if "(" not in one and ")" not in one:
                known = re.compile(one)
                assert any(known.fullmatch(path) for path in paths), (method, one)
