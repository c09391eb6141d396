"""Whether an alias may move: it names what its mover expects, to an approved and blessed version past its gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nbprod.domain.blessing import Blessing
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run
from nbprod.domain.version import Alias, Approval, ModelVersion
from nbprod.errors import RefusedError, StaleMoveError
from nbprod.store import Session

__all__ = ["Bless", "GatePolicy", "check_evidence", "check_expected", "check_ready"]

#: Loads a package, by digest, in a fresh process and compares its golden values.
Bless = Callable[[str], Blessing]
#: What the gates say of a version; ``None`` when none are set up for its model.
GatePolicy = Callable[[ModelVersion], CheckResult | None]


def check_expected(alias: str, current: Alias | None, expect: ModelVersion | str | None) -> None:
    """Refuse a move of an alias that names another version than its mover expects.

    Raises
    ------
    StaleMoveError
        Saying what it names now.
    """
    names = f"{current.model}/{current.number}" if current else "nothing"
    wanted = "nothing" if expect is None else str(expect)
    if names != wanted:
        raise StaleMoveError(
            f"{alias} names {names}, where {wanted} was expected; somebody else moved it first; nothing was changed",
            hint=f"Look at nbprod models history {alias.partition('@')[0]}, then decide again.",
        )


def check_ready(version: ModelVersion, gates: CheckResult | None, waive: str | None) -> dict[str, object]:
    """The facts a promotion records of its version, if it is ready for one.

    Raises
    ------
    RefusedError
        It is not approved, not blessed, or its gates have not passed and nobody waives them.
    """
    if version.approval is not Approval.APPROVED:
        raise RefusedError(
            f"{version.ref} is {version.approval}, so it cannot be promoted",
            hint=f"Approve it first: nbprod models approve {version.ref} --note WHY.",
        )
    if version.blessed_at is None:
        raise RefusedError(
            f"{version.ref} is not blessed: no fresh process has loaded it and got the golden values",
            hint=f"Bless it first: nbprod packages bless {version.package[:12]}.",
        )
    facts: dict[str, object] = {"version": version.number, "package": version.package}
    if gates is not None:
        facts["gates"] = f"{gates.outcome}: {gates.sentence}"
        if gates.outcome is not CheckOutcome.PASSED:
            if not (waive or "").strip():
                raise RefusedError(
                    f"the gates of {version.model} say {gates.outcome} for {version.ref}: {gates.sentence}",
                    hint="Evaluate it on more or newer data, or promote with a reason to waive them, kept for ever.",
                )
            facts["waived"] = waive
    return facts


def check_evidence(session: Session, evidence: Sequence[str]) -> None:
    """Refuse evidence that is no run, no package and no address.

    Raises
    ------
    NotFoundError
        Naming the first that is none.
    """
    for name in evidence:
        if "://" not in name and session.find(ModelPackage, name) is None:
            session.get(Run, name)
