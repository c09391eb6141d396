"""Posts alerts as signed JSON to an address that was checked, and to no other.

The host is resolved once, every address it has is checked, and the connection goes to one that was checked: a name
that answers otherwise the next time (DNS rebinding) leads nowhere else. A redirection is an answer that is not 2xx,
like any other: it is not followed. No proxy of the environment is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from nbprod.clock import now
from nbprod.domain.alert import Severity
from nbprod.domain.alert_policy import is_web_address
from nbprod.domain.delivery import Delivery
from nbprod.domain.markers import Secret
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import DeliveryError, SettingsError
from nbprod.monitors.channels import at_least, body_of, reference, revealed

__all__ = ["WebhookChannel", "signature"]

LIMIT_S = 10.0  #: for the whole exchange, however slowly the other side speaks
NAT64 = ipaddress.ip_network("64:ff9b::/96")  #: addresses of IPv4 in IPv6, which lead to the IPv4 address


@dataclass(frozen=True, kw_only=True)
class WebhookChannel:
    """Posts each message as JSON.

    Headers: ``Idempotency-Key`` is the same each time a message is sent; with a ``secret``, ``X-Nbprod-Timestamp``
    holds the seconds since 1970 and ``X-Nbprod-Signature`` what `signature` gives for it and the body. A receiver
    computes the signature again, compares in constant time, and drops what is older than a few minutes.
    """

    url: str  #: or a reference to it, such as ``env:ALERT_HOOK``
    secret: str = ""  #: reference to the key that signs; empty: unsigned
    allow_private: bool = False  #: whether it may lead to this machine or a private network
    at_least: Severity = Severity.INFO

    @classmethod
    def parse(cls, table: SettingsTable) -> WebhookChannel:
        """Read ``[channels.NAME]`` with ``kind = "webhook"``.

        Raises
        ------
        SettingsError
            A key is unknown, the address is none, or the secret is not a reference.
        """
        table.refuse_unknown(("kind", "at_least", "url", "secret", "allow_private"))
        allow_private = table.content.get("allow_private", False)
        if not isinstance(allow_private, bool):
            raise table.error("allow_private", "true or false.")
        secret = reference(table, "secret")
        url = table.text("url", "")
        return cls.checked(f"{table.name} url", url, secret=secret, private=allow_private, least=at_least(table))

    @classmethod
    def checked(
        cls, where: str, url: str, *, secret: str = "", private: bool = False, least: Severity = Severity.INFO
    ) -> WebhookChannel:
        """A channel whose address is a web address or a reference to one; the address is not repeated in errors."""
        if not url.startswith(("env:", "cmd:")) and not is_web_address(url):
            raise SettingsError(
                f"{where} is not a web address",
                hint="It starts with https:// or http://, or is env:NAME or cmd:COMMAND.",
            )
        return cls(url=url, secret=secret, allow_private=private, at_least=least)

    def send(self, delivery: Delivery) -> None:
        """Post one message; 2xx is taken for an answer, anything else is none.

        Raises
        ------
        DeliveryError
            The address is private, or the answer is not 2xx.
        OSError
            Nobody answers in time.
        """
        address = revealed(self.url)
        if not is_web_address(address):
            raise DeliveryError("the address it was given is not a web address")
        body = json.dumps(body_of(delivery), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "nbprod",
            "Idempotency-Key": delivery.id,
            "Connection": "close",
        }
        if self.secret:
            stamp = str(int(now().timestamp()))
            headers["X-Nbprod-Timestamp"] = stamp
            headers["X-Nbprod-Signature"] = signature(Secret(self.secret).reveal(), stamp, body)
        status = _post(urlsplit(address), body, headers, allow_private=self.allow_private)
        if not 200 <= status < 300:
            raise DeliveryError(f"it answered {status}")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) over ``timestamp.body``, as ``sha256=`` and hex.

    Parameters
    ----------
    secret
        The shared key.
    timestamp
        Seconds since 1970, as in the header.
    body
        The bytes as they were received.
    """
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _post(address: SplitResult, body: bytes, headers: dict[str, str], *, allow_private: bool) -> int:
    """The status of the answer."""
    host, is_secure = address.hostname or "", address.scheme == "https"
    port = address.port or (443 if is_secure else 80)
    kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    connection = kind(host, port, timeout=LIMIT_S)
    plain = _connected(_checked(host, port, allow_private=allow_private), port)
    # each byte has its own time limit: this one ends an answer that drips
    timer = threading.Timer(LIMIT_S, _cut, (plain,))
    timer.daemon = True
    timer.start()
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_secure else plain
        )
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("POST", target, body=body, headers=headers)
        return connection.getresponse().status
    finally:
        timer.cancel()
        connection.close()
        plain.close()


def _connected(places: Sequence[str], port: int) -> socket.socket:
    """A connection to the first of some addresses that answers."""
    for place in places[:-1]:
        with suppress(OSError):
            return socket.create_connection((place, port), timeout=LIMIT_S)
    return socket.create_connection((places[-1], port), timeout=LIMIT_S)


def _checked(host: str, port: int, *, allow_private: bool) -> Sequence[str]:
    """The addresses of a host, where each is one that may be connected to."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not allow_private and any(not _is_public(one) for one in found):
        raise DeliveryError(
            "its address is of this machine or a private network",
            hint="If that is meant: allow_private = true.",
        )
    return found


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return _is_public(str(within))
    return address.is_global and not address.is_multicast


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
