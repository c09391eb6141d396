"""Mails alerts by SMTP; the password is a reference and is read when it is needed."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from enum import StrEnum

from nbprod.domain.alert import Severity
from nbprod.domain.delivery import Delivery
from nbprod.domain.markers import Secret
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import DeliveryError, SettingsError
from nbprod.monitors.channels import at_least, reference
from nbprod.visible import visible

__all__ = ["MailChannel", "Tls"]

LIMIT_S = 10.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Tls(StrEnum):
    """How the connection is protected."""

    STARTTLS = "starttls"  #: usually port 587
    TLS = "tls"  #: from the first byte, usually port 465
    NONE = "none"  #: for a server on this machine


PORTS = {Tls.STARTTLS: 587, Tls.TLS: 465, Tls.NONE: 25}


@dataclass(frozen=True, kw_only=True)
class MailChannel:
    """Sends each message as a mail in plain text; its Message-ID is the same each time, so that doubles are one.

    Mail servers usually are in the same network, so a private address needs no leave.
    """

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    tls: Tls = Tls.STARTTLS
    user: str = ""
    password: str = ""  #: a reference, such as ``env:SMTP_PASSWORD``
    at_least: Severity = Severity.INFO

    @classmethod
    def parse(cls, table: SettingsTable) -> MailChannel:
        """Read ``[channels.NAME]`` with ``kind = "mail"``.

        Raises
        ------
        SettingsError
            A key is unknown or missing, an address is none, or a password would be sent in the clear.
        """
        table.refuse_unknown(("kind", "at_least", "host", "port", "from", "to", "tls", "user", "password"))
        tls = table.choice("tls", Tls.STARTTLS)
        port = table.number("port", int) or PORTS[tls]
        made = cls(
            host=table.text("host", ""),
            port=port,
            sender=_address(table, "from", table.text("from", "")),
            to=tuple(_address(table, "to", one) for one in table.texts("to", "A list of mail addresses.")),
            tls=tls,
            user=table.text("user", ""),
            password=reference(table, "password"),
            at_least=at_least(table),
        )
        if not made.host or not made.to:
            raise SettingsError(f"{table.name} needs host, from and to", hint='to = ["team@example.org"]')
        if bool(made.user) != bool(made.password):
            raise SettingsError(f"{table.name} needs user and password, or neither", hint='password = "env:NAME"')
        if made.password and tls is Tls.NONE and made.host not in LOOPBACK:
            raise table.error("tls", "A password is not sent in the clear: starttls or tls.")
        return made

    def send(self, delivery: Delivery) -> None:
        """Send one mail.

        Raises
        ------
        DeliveryError
            The server said no; its code is told, and nothing it wrote.
        OSError
            Nobody answers in time.
        """
        message = EmailMessage()
        message["Subject"] = visible(delivery.title).replace("\n", " ")
        message["From"], message["To"] = self.sender, ", ".join(self.to)
        message["Date"] = format_datetime(delivery.created_at)
        message["Message-ID"] = f"<{delivery.id}@nbprod>"
        message.set_content(visible(delivery.text))
        context = ssl.create_default_context()
        name = socket.gethostname()  # else smtplib asks for it, slowly
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, name, timeout=LIMIT_S, context=context)
                if self.tls is Tls.TLS
                else smtplib.SMTP(self.host, self.port, name, timeout=LIMIT_S)
            ) as server:
                if self.tls is Tls.STARTTLS:
                    server.starttls(context=context)
                if self.user:
                    server.login(self.user, Secret(self.password).reveal())
                refused = server.send_message(message)
        except smtplib.SMTPResponseException as problem:
            raise DeliveryError(f"it answered {problem.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as problem:
            raise DeliveryError(f"it refused all {len(problem.recipients)} recipients") from None
        if refused:
            raise DeliveryError(f"it refused {len(refused)} of {len(self.to)} recipients")


def _address(table: SettingsTable, key: str, text: str) -> str:
    if not text.isprintable() or "@" not in parseaddr(text)[1]:
        raise table.error(key, "A mail address: team@example.org.")
    return text
