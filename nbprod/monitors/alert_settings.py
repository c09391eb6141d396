"""The settings of alerts: a policy a deployment, and the channels they are told in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from nbprod.domain.alert_policy import AlertPolicy
from nbprod.domain.names import check_name, nearest
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError
from nbprod.monitors.channels import Channel, FileChannel, LogChannel, at_least
from nbprod.monitors.chat import ChatChannel
from nbprod.monitors.mail import MailChannel
from nbprod.monitors.webhook import WebhookChannel
from nbprod.settings import Settings

__all__ = ["LOG", "AlertSettings"]

LOG = "log"  #: the channel that is always told
KINDS = ("log", "file", "webhook", "mail", "chat")
OF_ALL = ("digest",)  #: settings that hold for the workspace and not for one deployment


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """What ``nbprod.toml`` says of alerts, checked whole."""

    general: AlertPolicy
    policies: Mapping[str, AlertPolicy]  #: of deployments that have their own
    channels: Mapping[str, Channel]

    @classmethod
    def read(cls, settings: Settings) -> AlertSettings:
        """Read ``[alerts]``, ``[alerts.NAME]``, ``[channels.NAME]`` and their short forms in ``[notify]``.

        Raises
        ------
        SettingsError
            One cannot be used, or names a channel there is not.
        """
        names = [one.name for one in fields(AlertPolicy) if f"alerts.{one.name}" in settings.values]
        usual: dict[str, Any] = {name: settings[f"alerts.{name}"] for name in names}
        policies = {}
        for name, own in settings.tables["alerts"].items():
            if wrong := sorted(set(own) & set(OF_ALL)):
                raise SettingsError(f"[alerts.{name}] {wrong[0]} is of all deployments", hint="Write it in [alerts].")
            policies[name] = AlertPolicy.parse(f"[alerts.{name}]", {**usual, **own})
        read = cls(general=AlertPolicy.parse("[alerts]", usual), policies=policies, channels=_channels(settings))
        for table, policy in (("[alerts]", read.general), *((f"[alerts.{one}]", policies[one]) for one in policies)):
            for channel in (*policy.channels, *policy.escalate_to):
                if channel not in read.channels:
                    raise SettingsError(
                        f"{table} names a channel {channel!r} that is not there",
                        hint=f"Add [channels.NAME]. {nearest(channel, read.channels)}",
                    )
        return read

    def policy(self, deployment: str) -> AlertPolicy:
        """What holds for a deployment's alerts."""
        return self.policies.get(deployment, self.general)

    def told(self, policy: AlertPolicy, names: Iterable[str] = ()) -> list[str]:
        """The channels that are told of alerts, the log always."""
        chosen = [*names] or policy.channels or self.channels
        return [*dict.fromkeys((LOG, *chosen))]


def _channels(settings: Settings) -> dict[str, Channel]:
    found: dict[str, Channel] = {LOG: LogChannel()}
    if settings["notify.webhook"]:
        private = settings["notify.allow_private"]
        found["webhook"] = WebhookChannel.checked("notify.webhook", settings["notify.webhook"], private=private)
    if settings["notify.apprise"]:
        found["chat"] = ChatChannel(addresses=tuple(settings["notify.apprise"]))
    for name, content in settings.tables["channels"].items():
        table = SettingsTable(f"[channels.{check_name(name, 'channel')}]", content)
        found[name] = _channel(table, settings)
    return found


def _channel(table: SettingsTable, settings: Settings) -> Channel:
    kind = table.content.get("kind")
    if kind == "file":
        return FileChannel.parse(table, settings.folder)
    if kind == "webhook":
        return WebhookChannel.parse(table)
    if kind == "mail":
        return MailChannel.parse(table)
    if kind == "chat":
        return ChatChannel.parse(table)
    if kind == "log":
        table.refuse_unknown(("kind", "at_least"))
        return LogChannel(at_least=at_least(table))
    raise table.error("kind", f"One of {', '.join(KINDS)}.")
