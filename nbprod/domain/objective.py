"""What a deployment promises: the objectives of its server, and when its batch jobs are to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nbprod.domain.duration import parse_duration
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError

__all__ = ["JobRules", "Objectives"]


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """``[monitors.NAME.objectives]``: service level objectives; zero where none is stated."""

    availability: float = 0.0  #: share of requests for predictions that must not end in an error of the server: 0.999
    latency_ms: float = 0.0  #: what an answer may take
    latency: float = 0.99  #: share of answers that must not take longer
    window: str = "30d"  #: the time a budget of bad requests is meant for

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> Objectives:
        """Read the table.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        where = f"[monitors.{name}.objectives]"
        found = cls(**SettingsTable(where, content).by_defaults(cls()))
        if not 0 <= found.availability < 1 or not 0 < found.latency < 1 or found.latency_ms < 0:
            raise SettingsError(
                f"{where} is out of range",
                hint="Shares below 1: availability = 0.999, latency = 0.99; latency_ms above 0.",
            )
        parse_duration(found.window)
        return found

    @property
    def are_stated(self) -> bool:
        """Whether there is any."""
        return self.availability > 0 or self.latency_ms > 0

    def to_parameters(self) -> dict[str, Any]:
        """Plain values, empty where nothing is stated; :meth:`parse` reads them back."""
        return asdict(self) if self.are_stated else {}


@dataclass(frozen=True, kw_only=True)
class JobRules:
    """``[monitors.NAME.jobs]``: how batch jobs are to run; empty or negative: as they usually do."""

    every: str = ""  #: from one to the next: ``1d``
    longest: str = ""  #: how long one may take: ``30m``
    max_rejected: float = -1.0  #: share of the rows

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> JobRules:
        """Read the table.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        where = f"[monitors.{name}.jobs]"
        found = cls(**SettingsTable(where, content).by_defaults(cls()))
        for length in (found.every, found.longest):
            if length:
                parse_duration(length)
        if found.max_rejected > 1:
            raise SettingsError(f"{where} max_rejected = {found.max_rejected:g} is no share", hint="0.01 is 1 %.")
        return found
