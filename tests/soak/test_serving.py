"""A server for long: six hundred kills, a hundred thousand mutated requests, five hundred sockets that do not read."""

import socket
import time

import pytest

from tests.integration.serving.conftest import fitted, made_workspace, serve, server_of_module, wait_for, workspace
from tests.integration.serving.test_durability import Traffic, hold_nothing_lost, kill_again_and_again
from tests.integration.serving.test_protocols import hold_mutations

__all__ = ["fitted", "made_workspace", "serve", "server_of_module", "wait_for", "workspace"]
pytestmark = pytest.mark.timeout(3600)


def test_six_hundred_kills_lose_and_double_nothing(serve, workspace):
    server = serve("power", "--workers", "3")
    with Traffic(server) as traffic:
        kill_again_and_again(server, 600, seed=6, pause_s=0.3)
    server.stop()
    hold_nothing_lost(workspace, traffic)


def test_a_hundred_thousand_mutated_requests_never_break_it_and_memory_stays(server_of_module):
    (worker,) = server_of_module.children("nbprod.serving.worker")
    hold_mutations(server_of_module, 10_000, seed=1)
    before = worker.memory_info().rss
    for seed in range(2, 11):
        hold_mutations(server_of_module, 10_000, seed=seed)
    assert worker.memory_info().rss - before < 50 << 20


def test_five_hundred_silent_sockets_refuse_nobody(server_of_module):
    begun = time.monotonic()
    idle = [socket.create_connection(server_of_module.address) for _ in range(500)]
    while time.monotonic() - begun < 12:
        assert server_of_module.predict()[0] == 200
    for one in idle:
        one.settimeout(5)
        assert one.recv(1) == b""  # closed
        one.close()
