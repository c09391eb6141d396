"""The service over registered models: every move is a compare-and-set, and an event with who, when, why, evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from nbprod.clock import now
from nbprod.domain.event import Event
from nbprod.domain.lineage import Lineage
from nbprod.domain.names import check_name
from nbprod.domain.package import ModelPackage
from nbprod.domain.status import check_move
from nbprod.domain.version import Alias, Approval, ModelRef, ModelVersion, RegisteredModel
from nbprod.errors import ConflictError, EnvironmentProblem, NotFoundError, SettingsError
from nbprod.lake import Lake
from nbprod.models.alias_history import MOVES, PROMOTED, ROLLED_BACK, version_at, version_stack
from nbprod.models.lineage import why
from nbprod.models.readiness import Bless, GatePolicy, check_evidence, check_expected, check_ready
from nbprod.models.references import package_of, version_of, with_blessings
from nbprod.store import Session, Store

__all__ = ["Models"]


class Models:
    """Registered models, their versions, and the aliases that name them.

    Parameters
    ----------
    store
        The ledger.
    lake
        Where predictions are, for ``why``.
    gate_policy, bless
        Asked before each promotion; loads a package in a fresh process and compares its golden values.
    """

    def __init__(
        self, store: Store, lake: Lake, *, gate_policy: GatePolicy | None = None, bless: Bless | None = None
    ) -> None:
        self._store = store
        self._lake = lake
        self._gate_policy = gate_policy
        self._bless = bless

    def register(
        self,
        package: ModelPackage | str,
        model: str,
        *,
        caused_by: str | None = None,
        note: str = "",
        actor: str | None = None,
    ) -> ModelVersion:
        """Give a package the next integer under a model, which is made if it is new; the version is pending.

        The same package again gives the same version back.

        Parameters
        ----------
        package
            From ``packages.build`` or ``packages.get``, or the beginning of the digest of one the ledger knows.
        model
            The model's name.
        caused_by
            The alert, pipeline or run behind it.
        note
            In words, for those who decide.
        actor
            Who, if not the store's actor.

        Raises
        ------
        SettingsError
            The name is none.
        NotFoundError
            No package, or more than one, has a digest that begins so.
        """
        check_name(model, "model")
        at, who = now(), actor or self._store.actor
        with self._store.write() as session:
            if isinstance(package, str):
                package = package_of(session, package)
            if session.find(ModelPackage, package.digest) is None:
                session.add(package)
            if session.find(RegisteredModel, model) is None:
                session.add(RegisteredModel(name=model, created_at=at))
                session.event("model.created", model, actor=who)
            versions = session.list(ModelVersion, {"model": model}, limit=None)
            for version in versions:
                if version.package == package.digest:
                    session.event("version.registered-again", version.ref, reason=note, actor=who)
                    return version
            version = ModelVersion(
                model=model,
                number=max((version.number for version in versions), default=0) + 1,
                package=package.digest,
                run_id=package.run_id,
                registered_at=at,
                registered_by=who,
                note=note,
                caused_by=caused_by,
            )
            session.add(version)
            evidence = [package.digest, *([package.run_id] if package.run_id else [])]
            session.event(
                "version.registered",
                version.ref,
                reason=note,
                evidence=evidence,
                data={"caused_by": caused_by},
                actor=who,
            )
        return version

    def approve(
        self, version: ModelVersion | str, note: str, *, evidence: Sequence[str] = (), actor: str | None = None
    ) -> ModelVersion:
        """Decide that a version may be promoted.

        Raises
        ------
        IllegalMoveError
            It is approved already.
        NotFoundError
            There is no such version, or no such evidence.
        SettingsError
            The note is empty.
        """
        return self._decide(version, Approval.APPROVED, note, evidence, actor)

    def reject(
        self, version: ModelVersion | str, note: str, *, evidence: Sequence[str] = (), actor: str | None = None
    ) -> ModelVersion:
        """Decide that a version may not be promoted.

        Raises
        ------
        ConflictError
            An alias names it: roll back, or promote another, first.
        IllegalMoveError
            It is rejected already.
        """
        return self._decide(version, Approval.REJECTED, note, evidence, actor)

    def bless(self, version: ModelVersion | str) -> ModelVersion:
        """Have a fresh process load the package and get the golden values.

        Raises
        ------
        RefusedError
            It gets others.
        """
        if self._bless is None:
            raise EnvironmentProblem("these models cannot bless", hint="Use those of a workspace: ws.models.")
        chosen = self.resolve(version)
        return self.bless_recorded(chosen, self._bless(chosen.package).blessed_at)

    def bless_recorded(self, version: ModelVersion | str, at: datetime, *, actor: str | None = None) -> ModelVersion:
        """Record that a fresh process loaded the package and got the golden values."""
        with self._store.write() as session:
            current = version_of(session, version)
            current = session.get(ModelVersion, current.model, current.number)
            blessed = replace(current, blessed_at=at)
            session.replace(blessed, expecting={"blessed_at": current.blessed_at})
            session.event("version.blessed", current.ref, evidence=[current.package], actor=actor)
        return blessed

    def promote(
        self,
        version: ModelVersion | str,
        alias: str = "champion",
        *,
        expect: ModelVersion | str | None,
        reason: str = "",
        evidence: Sequence[str] = (),
        waive: str | None = None,
        actor: str | None = None,
        also: Callable[[Session], None] = lambda session: None,  # noqa: ARG005 — nothing else
    ) -> Alias:
        """Let an alias name a version, if it still names the one the caller expects.

        Parameters
        ----------
        version
            An approved and blessed version.
        alias
            The name that moves.
        expect
            The version it names now, or ``None`` for: nobody yet.
        reason, evidence
            Why, and the runs that show it.
        waive
            Promote although the gates do not say yes, for this reason, which is kept for ever.
        actor
            Who, if not the store's actor.
        also
            What is recorded with the move, or not at all.

        Raises
        ------
        StaleMoveError
            The alias names another version than expected.
        RefusedError
            The version is not approved or not blessed, or its gates have not passed.
        """
        check_name(alias, "alias")
        who = actor or self._store.actor
        chosen = self.resolve(version)
        gates = self._gate_policy(chosen) if self._gate_policy else None
        with self._store.write() as session:
            chosen = version_of(session, chosen)
            current = session.find(Alias, chosen.model, alias)
            check_expected(f"{chosen.model}@{alias}", current, expect)
            if current is not None and current.number == chosen.number:
                raise ConflictError(f"{chosen.ref} is {current.ref} already; nothing was changed")
            data = {**check_ready(chosen, gates, waive), "previous": current.number if current else None}
            check_evidence(session, evidence)
            also(session)
            moved = self._move(session, chosen, alias, current, who)
            session.event(
                PROMOTED, moved.ref, reason=reason, evidence=evidence or chosen.evidence, data=data, actor=who
            )
        return moved

    def rollback(
        self,
        model: str,
        alias: str = "champion",
        *,
        reason: str,
        evidence: Sequence[str] = (),
        expect: ModelVersion | str | None = None,
        actor: str | None = None,
        also: Callable[[Session], None] = lambda session: None,  # noqa: ARG005 — nothing else
    ) -> Alias:
        """Let an alias name again the version it named before, in one step.

        Parameters
        ----------
        model, alias
            What is rolled back.
        reason, evidence
            Why, and the runs that show it.
        expect
            The version to be left; of two people who roll back at once, the second is told.
        actor
            Who, if not the store's actor.
        also
            As of :meth:`promote`.

        Raises
        ------
        ConflictError
            There is no earlier version that is still approved.
        StaleMoveError
            The alias names another version than expected.
        """
        who = actor or self._store.actor
        with self._store.write() as session:
            current = session.get(Alias, model, alias)
            if expect is not None:
                check_expected(current.ref, current, expect)
            check_evidence(session, evidence)
            earlier = version_stack(reversed(session.events(current.ref, MOVES, limit=None)))[:-1]
            for number in reversed(earlier):
                previous = session.get(ModelVersion, model, number)
                if previous.approval is Approval.APPROVED and number != current.number:
                    break
            else:
                raise ConflictError(
                    f"{current.ref} cannot be rolled back: no earlier version is approved",
                    hint=f"Promote another: nbprod models promote {model}/N --expect {model}/{current.number}.",
                )
            also(session)
            moved = self._move(session, previous, alias, current, who)
            data = {"version": previous.number, "package": previous.package, "previous": current.number}
            session.event(ROLLED_BACK, moved.ref, reason=reason, evidence=evidence, data=data, actor=who)
        return moved

    def resolve(self, ref: ModelVersion | ModelRef | str) -> ModelVersion:
        """The version somebody means by ``churn/3``, ``churn@champion``, or ``churn`` if it has but one.

        Raises
        ------
        NotFoundError
            There is none; the hint names the nearest.
        SettingsError
            The text names no version, or more than one.
        """
        with self._store.read() as session:
            return version_of(session, ref)

    def find(self, ref: str) -> ModelVersion | None:
        """The version of a reference, or ``None`` where there is none (yet)."""
        try:
            return self.resolve(ref)
        except NotFoundError:
            return None

    def list(self, model: str | None = None, *, limit: int | None = 50) -> list[ModelVersion]:
        """Versions, newest first; of one model, or of all."""
        with self._store.read() as session:
            if model is not None:
                session.get(RegisteredModel, model)
            where = {"model": model} if model else None
            return with_blessings(session, session.list(ModelVersion, where, limit=limit))

    def aliases(self, model: str | None = None) -> Sequence[Alias]:
        """The aliases of one model, or of all, the last moved first."""
        with self._store.read() as session:
            return session.list(Alias, {"model": model} if model else None, limit=None)

    def history(self, model: str, *, limit: int | None = None) -> Sequence[Event]:
        """Every event of a model, its versions and its aliases, newest first."""
        with self._store.read() as session:
            session.get(RegisteredModel, model)
            subjects = [version.ref for version in session.list(ModelVersion, {"model": model}, limit=None)]
            subjects += [alias.ref for alias in session.list(Alias, {"model": model}, limit=None)]
            return session.events([model, *subjects], limit=limit)

    def champion_at(self, model: str, at: datetime, alias: str = "champion") -> ModelVersion:
        """The version an alias named at a moment.

        Raises
        ------
        NotFoundError
            It named none.
        """
        with self._store.read() as session:
            number = version_at(reversed(session.events(f"{model}@{alias}", MOVES, limit=None)), at)
            if number is None:
                session.get(RegisteredModel, model)
                raise NotFoundError(f"{model}@{alias} named no version at {at:%Y-%m-%d %H:%M}")
            return version_of(session, ModelRef(model=model, number=number))

    def why(self, subject: ModelVersion | str) -> Lineage:
        """The whole lineage of a version, an alias, or the version behind a prediction.

        Parameters
        ----------
        subject
            ``churn/3``, ``churn@champion``, ``churn`` (its champion), a version, or a prediction id.

        Raises
        ------
        NotFoundError
            It is neither a version nor a prediction that was kept.
        """
        return why(self._store, self._lake, subject)

    def _decide(
        self,
        version: ModelVersion | str,
        approval: Approval,
        note: str,
        evidence: Sequence[str],
        actor: str | None,
    ) -> ModelVersion:
        if not note.strip():
            raise SettingsError("a decision needs a note", hint="Say why in a sentence; it is kept with the version.")
        who = actor or self._store.actor
        with self._store.write() as session:
            current = version_of(session, version)
            check_move(current.ref, current.approval, approval)
            check_evidence(session, evidence)
            naming = session.list(Alias, {"model": current.model, "number": current.number}, limit=None)
            if approval is Approval.REJECTED and naming:
                raise ConflictError(
                    f"{current.ref} is {naming[0].ref} and cannot be rejected",
                    hint="Roll back or promote another version first.",
                )
            decided = replace(
                current,
                approval=approval,
                decided_at=now(),
                decided_by=who,
                note=note,
                evidence=tuple(dict.fromkeys([*current.evidence, *evidence])),
            )
            session.replace(decided, expecting={"approval": current.approval})
            session.event(f"version.{approval}", current.ref, reason=note, evidence=evidence, actor=who)
        return decided

    @staticmethod
    def _move(session: Session, version: ModelVersion, alias: str, current: Alias | None, who: str) -> Alias:
        moved = Alias(model=version.model, name=alias, number=version.number, moved_at=now(), moved_by=who)
        if current is None:
            session.add(moved)
        else:
            session.replace(moved, expecting={"number": current.number})
        return moved

    def __repr__(self) -> str:
        return f"<Models of {self._store!r}>"
