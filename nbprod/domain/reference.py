"""References in a pipeline's parameters: ``{input}``, ``{train.package}``, ``{train.metrics.roc_auc}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from nbprod.errors import SettingsError

__all__ = ["Reference", "filled", "is_single_reference", "references"]

DOUBLE = (
    "Write {input}, {step.run}, {step.package}, {step.version}, {step.metrics.NAME} or {step.files.NAME}; "
    "a brace that is meant as one is doubled: {{."
)
FIELD = re.compile(
    r"(?P<input>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<step>[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)\.(?:(?P<part>run|package|version)|(?P<of>metrics|files)\.(?P<name>[^{}]+))"
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One name in braces."""

    step: str  #: empty for an input of the pipeline
    part: str  #: ``run``, ``package``, ``version``, ``metrics``, ``files``, or the name of an input
    name: str = ""  #: of the metric or the file

    @property
    def text(self) -> str:
        """As it is written."""
        return "{" + ".".join(filter(None, (self.step, self.part, self.name))) + "}"

    def __str__(self) -> str:
        return self.text


def references(value: Any) -> tuple[Reference, ...]:
    """Everything a value refers to, in its lists and tables too.

    Raises
    ------
    SettingsError
        Braces that hold no reference.

    Examples
    --------
    >>> [str(one) for one in references({"note": "{model}: {train.metrics.auc}", "plain": "{{not one}}"})]
    ['{model}', '{train.metrics.auc}']
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(one for item in value for one in references(item)))
    if isinstance(value, str):
        return tuple(dict.fromkeys(part for part in _parts(value) if isinstance(part, Reference)))
    return ()


def is_single_reference(value: Any) -> bool:
    """Whether a value is one reference and nothing else, so that what it stands for keeps its type."""
    return isinstance(value, str) and len(parts := _parts(value)) == 1 and isinstance(parts[0], Reference)


def filled(value: Any, look_up: Callable[[Reference], Any]) -> Any:
    """The value with what its references stand for; ``{{`` and ``}}`` become single braces.

    Examples
    --------
    >>> filled(["{n}", "{n} rows {{}}"], lambda reference: 3)
    [3, '3 rows {}']
    """
    if isinstance(value, Mapping):
        return {key: filled(one, look_up) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, look_up) for one in value]
    if not isinstance(value, str):
        return value
    parts = _parts(value)
    if is_single_reference(value):
        assert isinstance(parts[0], Reference)
        return look_up(parts[0])
    return "".join(part if isinstance(part, str) else str(look_up(part)) for part in parts)


def _parts(text: str) -> list[str | Reference]:
    """Plain text and references, in order."""
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as problem:
        raise SettingsError(f"{text!r} has a brace too many or too few: {problem}", hint=DOUBLE) from None
    found: list[str | Reference] = []
    for plain, name, form, conversion in pieces:
        if plain:
            found.append(plain)
        if name is None:
            continue
        match = FIELD.fullmatch(name)
        if match is None or form or conversion:
            raise SettingsError(f"{text!r} refers to nothing known", hint=DOUBLE)
        part = match["input"] or match["part"] or match["of"]
        found.append(Reference(step=match["step"] or "", part=part, name=match["name"] or ""))
    return found
