"""Which version somebody means, and whether its package was blessed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbprod.domain.package import ModelPackage
from nbprod.domain.version import Alias, ModelRef, ModelVersion, RegisteredModel
from nbprod.errors import NotFoundError, SettingsError
from nbprod.store import Session

__all__ = ["package_of", "version_of", "with_blessings"]

BLESSED, REFUSED = "package.blessed", "package.refused"


def version_of(session: Session, ref: ModelVersion | ModelRef | str) -> ModelVersion:
    """The version meant by ``churn/3``, ``churn@champion``, ``churn`` if it has but one, or an older look at it.

    Raises
    ------
    NotFoundError
        There is none; the hint names the nearest.
    SettingsError
        The text names no version, or more than one.
    """
    (version,) = with_blessings(session, [_stored(session, ref)])
    return version


def package_of(session: Session, digest: str) -> ModelPackage:
    """The package whose digest begins so.

    Raises
    ------
    NotFoundError
        There is none, or there are several.
    """
    found = [one for one in session.list(ModelPackage, limit=None) if digest and one.digest.startswith(digest)]
    if len(found) != 1:
        raise NotFoundError(
            f"{len(found) or 'No'} packages have a digest that begins with {digest!r}",
            hint="nbprod packages list has the digests.",
        )
    return found[0]


def with_blessings(session: Session, versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    """Versions with the blessing of their package, where it was blessed apart from them."""
    digests = [version.package for version in versions if version.blessed_at is None]
    if not digests:
        return list(versions)
    latest = {event.subject: event for event in reversed(session.events(digests, (BLESSED, REFUSED), limit=None))}
    blessed = {digest: event.at for digest, event in latest.items() if event.kind == BLESSED}
    return [replace(version, blessed_at=version.blessed_at or blessed.get(version.package)) for version in versions]


def _stored(session: Session, ref: ModelVersion | ModelRef | str) -> ModelVersion:
    if isinstance(ref, ModelVersion):
        return session.get(ModelVersion, ref.model, ref.number)
    wanted = ModelRef.parse(ref) if isinstance(ref, str) else ref
    if wanted.number is not None:
        return session.get(ModelVersion, wanted.model, wanted.number)
    if wanted.alias is not None:
        return session.get(ModelVersion, wanted.model, session.get(Alias, wanted.model, wanted.alias).number)
    session.get(RegisteredModel, wanted.model)
    versions = session.list(ModelVersion, {"model": wanted.model}, limit=None)
    if len(versions) != 1:
        names = [f"{wanted.model}@{alias.name}" for alias in session.list(Alias, {"model": wanted.model}, limit=3)]
        names.append(max(versions, key=lambda version: version.number).ref)
        raise SettingsError(
            f"{wanted.model} has {len(versions)} versions", hint=f"Say which, for instance {' or '.join(names)}."
        )
    return versions[0]
