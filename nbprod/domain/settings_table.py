"""A table of ``nbprod.toml``: its values by type, and one wording for each way in which they cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from nbprod.domain.names import nearest
from nbprod.errors import SettingsError

__all__ = ["SettingsTable"]

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class SettingsTable:
    """The keys of one table; every method raises ``SettingsError`` with the table and the key named."""

    name: str  #: as it is written: ``[monitors.churn]``
    content: Mapping[str, Any]

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Refuse keys that nobody reads."""
        known = [*known]
        if unknown := sorted(set(self.content) - set(known)):
            raise SettingsError(f"{self.name} has an unknown setting {unknown[0]}", hint=nearest(unknown[0], known))

    def error(self, key: str, hint: str) -> SettingsError:
        """The refusal of a key's value."""
        return SettingsError(f"{self.name} {key} = {self.content.get(key)!r} cannot be used", hint=hint)

    def text(self, key: str, default: str) -> str:
        """A text that is not empty."""
        value = self.content.get(key, default)
        if not isinstance(value, str) or (key in self.content and not value):
            raise SettingsError(f"{self.name} {key} = {value!r} must be a text")
        return value

    def choice(self, key: str, default: Choice) -> Choice:
        """One of the values of an enumeration."""
        try:
            return type(default)(self.content.get(key, default))
        except ValueError:
            raise self.error(key, f"One of {', '.join(type(default))}.") from None

    def texts(self, key: str, hint: str) -> list[str]:
        """A list of texts, empty where it is left out."""
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.error(key, hint)
        return value

    def number(self, key: str, kind: type[int | float]) -> Any:
        """A number, zero or more; ``None`` where it is left out."""
        value = self.content.get(key)
        allowed = (int, float) if kind is float else int
        if value is not None and (isinstance(value, bool) or not isinstance(value, allowed) or value < 0):
            raise self.error(key, "A number, zero or more.")
        return None if value is None else kind(value)

    def table(self, key: str, hint: str) -> dict[str, Any]:
        """A table within this one, empty where it is left out."""
        value = self.content.get(key, {})
        if not isinstance(value, Mapping):
            raise SettingsError(f"{self.name} {key} must be a table", hint=hint)
        return dict(value)

    def by_defaults(self, defaults: Any) -> dict[str, Any]:
        """Every key that was given, each of the type its default has in a dataclass of settings."""
        known = {field.name: type(getattr(defaults, field.name)) for field in fields(defaults)}
        self.refuse_unknown(known)
        return {key: self._like(key, value, known[key]) for key, value in self.content.items()}

    def _like(self, key: str, value: Any, wanted: type) -> Any:
        if wanted is tuple:
            return tuple(self.texts(key, "A list of texts."))
        allowed = (int, float) if wanted is float else wanted
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise self.error(key, f"A {wanted.__name__}.")
        return wanted(value)
