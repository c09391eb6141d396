"""What can be put to use under a name, and what cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nbprod.domain.version import Approval, ModelRef, ModelVersion
from nbprod.errors import RefusedError, SettingsError

__all__ = ["check_external", "check_model"]

TASKS = ("classification", "regression")


def check_model(
    model: ModelVersion | str | None, facts: Mapping[str, str | None], resolve: Callable[[str], ModelVersion]
) -> None:
    """Refuse a model that cannot be put to use, and facts that its package says already.

    Raises
    ------
    SettingsError
        The arguments contradict each other.
    RefusedError
        The version is not approved or not blessed.
    """
    if model is None:
        raise SettingsError(
            "a deployment needs a model, or is external",
            hint="Give model='electricity@champion', or external=True with a task.",
        )
    if given := [name for name, value in facts.items() if value is not None]:
        raise SettingsError(
            f"{', '.join(given)} cannot be given with a model: its package says it",
            hint="Leave it out, or make the deployment external.",
        )
    ref = ModelRef.parse(str(model))
    if ref.number is None and ref.alias is None:
        raise SettingsError(
            f"{ref} does not say which version is in use",
            hint=f"Write {ref}@champion to follow the alias, or {ref}/1 to stay with a version.",
        )
    version = resolve(str(ref))
    if version.approval is not Approval.APPROVED:
        raise RefusedError(
            f"{version.ref} is {version.approval}, so it cannot be deployed",
            hint=f"Approve it first: nbprod models approve {version.ref} --note WHY.",
        )
    if version.blessed_at is None:
        raise RefusedError(
            f"{version.ref} is not blessed, so it cannot be deployed",
            hint=f"Bless it first: nbprod packages bless {version.package[:12]}.",
        )


def check_external(model: ModelVersion | str | None, task: str | None) -> None:
    """Refuse an external deployment with a model, or without a task.

    Raises
    ------
    SettingsError
        The arguments contradict each other.
    """
    if model is not None:
        raise SettingsError(f"a deployment of {model} is not external", hint="Give a model, or external=True.")
    if task not in TASKS:
        raise SettingsError(
            f"an external deployment needs a task, and {task!r} is none", hint=f"Give {' or '.join(TASKS)}."
        )
