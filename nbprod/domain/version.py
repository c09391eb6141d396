"""Registered models, their versions, the aliases that name them, and how all three are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nbprod.domain.markup import card
from nbprod.domain.names import check_name
from nbprod.errors import SettingsError

__all__ = ["Alias", "Approval", "ModelRef", "ModelVersion", "RegisteredModel"]


class Approval(StrEnum):
    """What people (or a policy) have decided about a version."""

    PENDING = "pending"  #: nobody has decided
    APPROVED = "approved"  #: may be promoted
    REJECTED = "rejected"  #: may not


@dataclass(frozen=True, kw_only=True)
class RegisteredModel:
    """A name under which versions are numbered."""

    name: str
    created_at: datetime
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One package under a registered model's next integer."""

    model: str
    number: int
    package: str  #: digest
    run_id: str | None  #: the run that trained it
    registered_at: datetime
    registered_by: str
    approval: Approval = Approval.PENDING
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str = ""
    evidence: tuple[str, ...] = ()  #: runs of the evaluations that speak for or against it
    blessed_at: datetime | None = None  #: a fresh process loaded the package and got the golden values
    caused_by: str | None = None

    @property
    def ref(self) -> str:
        """How people write it: ``electricity/2``."""
        return f"{self.model}/{self.number}"

    def __str__(self) -> str:
        return self.ref

    def __repr__(self) -> str:
        return f"<ModelVersion {self.ref} {self.approval}{'' if self.blessed_at else ', not blessed'}>"

    def _repr_html_(self) -> str:
        return card(
            f"Model version {self.ref}",
            [
                ("approval", f"{self.approval}" + (f" by {self.decided_by}" if self.decided_by else "")),
                ("note", self.note),
                ("blessed", f"{self.blessed_at:%Y-%m-%d %H:%M}" if self.blessed_at else "not yet"),
                ("package", self.package[:12]),
                ("trained by", self.run_id),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A movable name of one version of a model; moved by compare-and-set alone."""

    model: str
    name: str
    number: int
    moved_at: datetime
    moved_by: str

    @property
    def ref(self) -> str:
        """How people write it: ``electricity@champion``."""
        return f"{self.model}@{self.name}"


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """What somebody wrote to name a version: a number, an alias, or neither yet."""

    model: str
    number: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Read ``churn/3``, ``churn@champion`` or ``churn``.

        Raises
        ------
        SettingsError
            The text is none of the three.

        Examples
        --------
        >>> ModelRef.parse("churn@champion").alias
        'champion'
        """
        if match := re.fullmatch(r"([^/@]+)/([1-9][0-9]{0,8})", text):
            return cls(model=check_name(match[1], "model"), number=int(match[2]))
        if match := re.fullmatch(r"([^/@]+)@([^/@]+)", text):
            return cls(model=check_name(match[1], "model"), alias=check_name(match[2], "alias"))
        if re.fullmatch(r"[^/@]+", text):
            return cls(model=check_name(text, "model"))
        raise SettingsError(f"{text!r} does not name a model version", hint="Write churn/3, churn@champion or churn.")

    def __str__(self) -> str:
        if self.number is not None:
            return f"{self.model}/{self.number}"
        return f"{self.model}@{self.alias}" if self.alias else self.model
