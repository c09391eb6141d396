"""A template: a notebook with a contract, found by name."""

from __future__ import annotations

from dataclasses import dataclass

from nbprod.domain.markup import card
from nbprod.domain.parameter import Parameter

__all__ = ["Template"]


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a notebook says of itself before anything of it is run."""

    name: str  #: the stem of its file
    path: str
    title: str  #: its first heading
    summary: str  #: the paragraph below it
    digest: str  #: SHA-256 over its code and text
    parameters: tuple[Parameter, ...] = ()

    def __repr__(self) -> str:
        return f"<Template {self.name}: {self.title}>"

    def _repr_html_(self) -> str:
        return card(
            f"Template {self.name}",
            [
                ("title", self.title),
                ("summary", self.summary),
                *((parameter.name, parameter.help or parameter.allowed) for parameter in self.parameters),
                ("file", self.path),
            ],
        )
