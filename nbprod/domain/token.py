"""A bearer token of the server, as the ledger knows it: never the token itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nbprod.domain.markup import card

__all__ = ["SCOPES", "Token"]

#: Ask for predictions and tell outcomes; look at metrics; look at what is to be reviewed and answer; everything.
SCOPES = ("predict", "read", "review", "admin")


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is kept of a bearer token: enough to know it again, nothing to make it from."""

    name: str
    id: str  #: part of the token, so that it is found without trying each
    digest: str  #: SHA-256 of the token, hex
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def __repr__(self) -> str:
        return f"<Token {self.name} for {', '.join(self.scopes)}{', revoked' if self.revoked_at else ''}>"

    def _repr_html_(self) -> str:
        return card(
            f"Token {self.name}",
            [
                ("scopes", ", ".join(self.scopes)),
                ("made", f"{self.created_at:%Y-%m-%d %H:%M} by {self.created_by}"),
                ("revoked", f"{self.revoked_at:%Y-%m-%d %H:%M} by {self.revoked_by}" if self.revoked_at else None),
            ],
        )
