"""Tokens: made once and shown once, kept as a digest, revoked for good."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from nbprod.clock import now
from nbprod.domain.names import check_name
from nbprod.domain.token import SCOPES, Token
from nbprod.errors import NotFoundError, SettingsError
from nbprod.store import Store

__all__ = ["Tokens"]


class Tokens:
    """The bearer tokens of a workspace; they open every server of it.

    Parameters
    ----------
    store
        The ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, *, scopes: Sequence[str] = ("predict",), actor: str | None = None) -> str:
        """Make a token, and return it: it is shown this once and cannot be shown again.

        Parameters
        ----------
        name
            Who or what has it.
        scopes
            ``predict``, ``read``, ``review``, ``admin``.
        actor
            Who makes it, if not the store's actor.

        Raises
        ------
        SettingsError
            There is no such scope.
        ConflictError
            There is a token of this name.
        """
        check_name(name, "token")
        if not scopes or (unknown := [scope for scope in scopes if scope not in SCOPES]):
            raise SettingsError(
                f"{', '.join(unknown)} is no scope" if scopes else "a token needs a scope",
                hint=f"Scopes: {', '.join(SCOPES)}.",
            )
        identity = secrets.token_hex(4)
        text = f"nbprod_{identity}_{secrets.token_hex(32)}"
        token = Token(
            name=name,
            id=identity,
            digest=sha256(text.encode()).hexdigest(),
            scopes=tuple(dict.fromkeys(scopes)),
            created_at=now(),
            created_by=actor or self._store.actor,
        )
        with self._store.write() as session:
            session.add(token)
            session.event("token.created", name, data={"scopes": list(token.scopes)}, actor=actor)
        return text

    def admit(self, name: str, text: str, *, scopes: Sequence[str] = ("predict",), actor: str | None = None) -> None:
        """Let a token in that was made elsewhere, under a name whose earlier token it replaces.

        A container is given one as a file; every start may give another.

        Raises
        ------
        SettingsError
            The text is no token.
        """
        check_name(name, "token")
        kind, _, rest = text.strip().partition("_")
        identity, _, secret = rest.partition("_")
        if kind != "nbprod" or not identity or len(secret) < 32:
            raise SettingsError(
                "what was given as a token is none", hint="Make one, and keep it: nbprod tokens create NAME."
            )
        with self._store.write() as session:
            known = session.find(Token, name)
            token = Token(
                name=name,
                id=identity,
                digest=sha256(text.strip().encode()).hexdigest(),
                scopes=tuple(scopes),
                created_at=now() if known is None else known.created_at,
                created_by=actor or self._store.actor,
            )
            if known is None:
                session.add(token)
            elif known != token:
                session.replace(token, expecting={"digest": known.digest})
            if known != token:
                session.event("token.admitted", name, data={"scopes": [*token.scopes]}, actor=actor)

    def list(self, *, valid: bool = False) -> builtins.list[Token]:
        """Tokens, newest first; ``valid`` leaves out those that were revoked."""
        with self._store.read() as session:
            return session.list(Token, {"revoked_at": None} if valid else None, limit=None)

    def revoke(self, name: str, *, actor: str | None = None) -> Token:
        """Take a token's rights away for good; servers follow within two seconds.

        Raises
        ------
        NotFoundError
            There is no valid token of that name.
        """
        with self._store.write() as session:
            token = session.get(Token, name)
            if token.revoked_at is not None:
                raise NotFoundError(f"the token {name} was revoked at {token.revoked_at:%Y-%m-%d %H:%M}")
            revoked = replace(token, revoked_at=now(), revoked_by=actor or self._store.actor)
            session.replace(revoked, expecting={"revoked_at": None})
            session.event("token.revoked", name, actor=actor)
        return revoked

    def __repr__(self) -> str:
        return f"<Tokens of {self._store!r}>"
