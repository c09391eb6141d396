"""Hostile and clumsy clients: too much, too slow, half sent, never read; the server answers why, or closes, in time."""

import contextlib
import socket
import ssl
import subprocess
import time

import psutil
import pytest

from tests.integration.serving.conftest import ROW, started

pytestmark = pytest.mark.slow
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WITHIN_S = 10.0


@pytest.fixture(scope="module")
def server(server_of_module):
    return server_of_module


def answer_of(connection, within_s=WITHIN_S):
    """What is sent until the server closes, and the seconds that took."""
    begun, content = time.monotonic(), b""
    connection.settimeout(within_s + 2)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := connection.recv(65536):
            content += part
    return content, time.monotonic() - begun


def status_of(content):
    return int(content.split(b" ", 2)[1]) if content else None


def send_all(connection, parts):
    """Send until the server has had enough; how much was sent."""
    sent = 0
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for part in parts:
            connection.sendall(part)
            sent += len(part)
    return sent


def worker_memory(server):
    (worker,) = server.children("nbprod.serving.worker")
    return worker.memory_info().rss


def test_a_body_that_says_it_is_too_large_is_refused_unread(server):
    """300 MB declared: 413 before twice the cap is read, and no memory for it."""
    before = worker_memory(server)
    connection = server.socket()
    connection.sendall(HEAD + b"Content-Length: 314572800\r\n\r\n")
    sent = send_all(connection, (b"x" * 65536 for _ in range(4800)))
    content, _ = answer_of(connection)
    assert sent < 32 << 20
    assert status_of(content) in {413, None}
    assert worker_memory(server) - before < 20 << 20
    polite = server.socket()
    polite.sendall(HEAD + b"Content-Length: 314572800\r\n\r\n")
    assert status_of(answer_of(polite)[0]) == 413


def test_a_client_that_waits_to_be_told_to_go_on_is_told(server):
    """Answers leave in one piece, but not this half of one: without it the body never comes."""
    body = b'{"rows": []}'
    connection = server.socket()
    connection.settimeout(WITHIN_S)
    connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert status_of(connection.recv(65536)) == 100
    connection.sendall(body)
    assert status_of(connection.recv(65536)) == 200


def test_only_the_head_of_an_answer_is_sent_where_that_was_asked_for(server):
    connection = server.socket()
    connection.sendall(b"HEAD /v2/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    content, seconds = answer_of(connection)
    assert content.startswith(b"HTTP/1.1 ")
    assert content.endswith(b"\r\n\r\n")
    assert seconds < WITHIN_S


def test_a_body_of_chunks_without_end_is_refused_at_the_cap(server):
    before = worker_memory(server)
    connection = server.socket()
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = send_all(connection, (chunk for _ in range(4800)))
    content, _ = answer_of(connection)
    assert sent < 32 << 20
    assert status_of(content) in {413, None}
    assert worker_memory(server) - before < 40 << 20
    polite = server.socket()
    polite.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 130)
    assert status_of(answer_of(polite)[0]) == 413


def test_a_million_rows_are_refused(server):
    row = b'{"load":1,"hour":3,"place":"x","kind":"a","holiday":true}'
    body = b'{"rows":[' + b",".join([row] * 100_000) + b"]}"
    assert server.json("POST", "/predict", body)[0] == 413  # within the body's cap, beyond that of rows
    connection = server.socket()
    big = b'{"rows":[' + b",".join([row] * 1_000_000) + b"]}"
    connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(big))
    assert status_of(answer_of(connection)[0]) == 413


@pytest.mark.parametrize(
    "head",
    [
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    ],
    ids=["one-long", "many", "target", "just-beyond"],
)
def test_headers_are_bounded(server, head):
    connection = server.socket()
    send_all(connection, [head])
    assert status_of(answer_of(connection)[0]) == 431


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    ],
    ids=range(8),
)
def test_what_is_no_request_is_refused(server, junk):
    connection = server.socket()
    connection.sendall(junk)
    connection.shutdown(socket.SHUT_WR)
    content, took_s = answer_of(connection)
    assert took_s < WITHIN_S
    assert content == b"" or 400 <= status_of(content) < 500
    assert server.predict()[0] == 200


def test_slow_half_open_and_deaf_clients_are_closed_and_keep_nobody_waiting(server):
    """Of each kind many at once: all are closed within ten seconds, those that sent something are told 408."""
    kinds = {
        "silent": [server.socket() for _ in range(50)],
        "half a head": [server.socket() for _ in range(50)],
        "half a body": [server.socket() for _ in range(50)],
        "line ends": [server.socket() for _ in range(20)],
        "deaf": [server.socket() for _ in range(10)],
    }
    begun = time.monotonic()
    for one in kinds["half a head"]:
        one.sendall(HEAD)
    for one in kinds["half a body"]:
        one.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    for one in kinds["deaf"]:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n" * 60)
    took = []
    while time.monotonic() - begun < WITHIN_S:
        for name, part in (("half a head", b"X"), ("half a body", b" "), ("line ends", b"\r\n")):
            for one in kinds[name][:10]:  # these trickle on
                with contextlib.suppress(OSError):
                    one.send(part)
        start = time.monotonic()
        assert server.predict()[0] == 200
        took.append(time.monotonic() - start)
        time.sleep(0.2)
    (worker,) = server.children("nbprod.serving.worker")
    deadline = begun + WITHIN_S + 5  # the machine that runs the test has other work
    while time.monotonic() < deadline and len(worker.net_connections("tcp")) > 5:
        time.sleep(0.2)
    left = [one for one in worker.net_connections("tcp") if one.status == psutil.CONN_ESTABLISHED]
    assert len(left) <= 2
    told = [status_of(answer_of(one)[0]) for one in kinds["half a head"][10:] + kinds["half a body"][10:]]
    assert set(told) == {408}
    assert sorted(took)[len(took) // 2] < 1.0


def test_sigterm_finishes_what_was_begun_within_ten_seconds(made_workspace, tmp_path):
    """A half-sent request does not keep the server from ending, and no prediction that was given is lost."""
    import shutil

    from nbprod.workspace import open_workspace

    root = tmp_path / "workspace"
    shutil.copytree(made_workspace, root, copy_function=shutil.copy)
    with started(root) as server:
        half = server.socket()
        half.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        told = server.predict()[1]["predictions"][0]["prediction_id"]
        begun = time.monotonic()
        server.process.terminate()
        server.process.wait(20)
        assert time.monotonic() - begun < WITHIN_S + 2
        assert server.process.returncode == 0
    ids = open_workspace(root).lake.window("power").to_table(["prediction_id"])["prediction_id"].to_pylist()
    assert ids == [told]


def test_tls_by_files_and_half_handshakes_are_closed(made_workspace, tmp_path):
    import shutil

    root = tmp_path / "workspace"
    shutil.copytree(made_workspace, root, copy_function=shutil.copy)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with started(root, "--certfile", str(tmp_path / "cert.pem"), "--keyfile", str(tmp_path / "key.pem")) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        half = server.socket()
        begun = time.monotonic()
        with context.wrap_socket(server.socket(), server_hostname="localhost") as connection:
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert status_of(answer_of(connection)[0]) == 200
        answer_of(half)
        assert time.monotonic() - begun < WITHIN_S


def test_a_body_of_the_right_size_still_passes(server):
    status, told = server.predict(*[ROW] * 2000)
    assert (status, len(told["predictions"])) == (200, 2000)
