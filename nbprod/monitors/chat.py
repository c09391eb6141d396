"""Sends alerts to chats, pagers and whatever else apprise knows; an extra."""

from __future__ import annotations

from dataclasses import dataclass

from nbprod.domain.alert import Severity
from nbprod.domain.delivery import Delivery
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import DeliveryError, EnvironmentProblem, SettingsError
from nbprod.monitors.channels import at_least, revealed

__all__ = ["ChatChannel"]


@dataclass(frozen=True, kw_only=True)
class ChatChannel:
    """Sends each message to addresses of apprise, which connects by itself: where they lead is not checked here."""

    addresses: tuple[str, ...]  #: or references to them, such as ``env:CHAT``; they hold credentials
    at_least: Severity = Severity.INFO

    @classmethod
    def parse(cls, table: SettingsTable) -> ChatChannel:
        """Read ``[channels.NAME]`` with ``kind = "chat"``."""
        table.refuse_unknown(("kind", "at_least", "addresses"))
        addresses = table.content.get("addresses")
        if not isinstance(addresses, list) or not addresses or not all(isinstance(one, str) for one in addresses):
            # what was given is not repeated: it may hold credentials
            raise SettingsError(
                f"{table.name} needs addresses",
                hint='A list of addresses of apprise, or of references: addresses = ["env:CHAT"].',
            )
        return cls(addresses=tuple(addresses), at_least=at_least(table))

    def send(self, delivery: Delivery) -> None:
        """Send one message to every address.

        Raises
        ------
        EnvironmentProblem
            The extra is not installed.
        DeliveryError
            An address is of no kind apprise knows, or did not take it.
        """
        try:
            import apprise  # an extra, and slow to import
        except ImportError:
            raise EnvironmentProblem(
                "apprise is not installed", hint='Chat channels need the extra: pip install "nbprod[notify]"'
            ) from None
        target = apprise.Apprise()
        for number, address in enumerate(self.addresses, 1):
            if not target.add(revealed(address)):
                # the address itself holds credentials, so only its place is told
                raise DeliveryError(f"address {number} is of no kind apprise knows")
        if not target.notify(title=delivery.title, body=delivery.text):
            raise DeliveryError("an address did not take the message")
