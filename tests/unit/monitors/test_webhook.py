import hashlib
import hmac
import socket

import pytest

from nbprod.errors import DeliveryError
from nbprod.monitors import webhook


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1", "fc00::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_in_every_disguise(monkeypatch, address):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [(2, 1, 6, "", (address, 443))])

    with pytest.raises(DeliveryError, match="private network") as caught:
        webhook._checked("hooks.example.org", 443, allow_private=False)
    assert "allow_private" in caught.value.hint
    assert webhook._checked("hooks.example.org", 443, allow_private=True) == [address]


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    found = [(2, 1, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)

    with pytest.raises(DeliveryError):
        webhook._checked("hooks.example.org", 443, allow_private=False)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_connected_to(monkeypatch, address):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [(2, 1, 6, "", (address, 443))])

    assert webhook._checked("hooks.example.org", 443, allow_private=False) == [address]


def test_a_signature_is_an_hmac_over_time_and_body():
    expected = hmac.new(b"key", b'1764000000.{"a":1}', hashlib.sha256).hexdigest()

    assert webhook.signature("key", "1764000000", b'{"a":1}') == f"sha256={expected}"
