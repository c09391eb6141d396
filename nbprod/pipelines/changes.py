"""What differs between two executions of a step, and which earlier step it came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from nbprod.domain.pipeline import Step
from nbprod.domain.reference import references
from nbprod.runs.keys import changed

__all__ = ["Changes", "compare"]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed of what a step depends on."""

    description: str = ""
    reached_by: tuple[str, ...] = ()  #: earlier steps it came from, where the step's own code is the same


def compare(
    step: Step, before: Mapping[str, Any], after: Mapping[str, Any], changed_steps: Collection[str]
) -> Changes:
    """Compare what a step depended on with what it depends on now.

    Runs, packages and files have a new name whenever they are made; that alone is no change, so one counts where the
    step it came from changed, and a file where its content did. Numbers count when they differ.

    Ingredients are those of ``nbprod.runs.keys``; changed steps are those that changed or were reached by a change.
    """
    own_before, own_after = _copied(before), _copied(after)
    inherited_from: dict[str, list[str]] = {}  # step by the parameters that brought its change
    for name, value in step.parameters.items():
        sources = [one for one in references(value) if one.step]
        if not sources:
            continue
        pairs = [
            (side["parameters"].pop(name, None), side["data"].pop(name, None)) for side in (own_before, own_after)
        ]
        for one in sources:
            differs = pairs[0] != pairs[1]
            if one.part == "files" and None not in {pairs[0][1], pairs[1][1]}:
                differs = pairs[0][1] != pairs[1][1]
            elif one.part != "metrics":
                differs = differs and one.step in changed_steps
            if differs:
                inherited_from.setdefault(one.step, []).append(name)
    parts = changed(own_before, own_after)
    own = "; ".join(parts.values())
    inherited = "; ".join(
        f"{', '.join(dict.fromkeys(names))} from {source}" for source, names in inherited_from.items()
    )
    if inherited_from and not {"code", "modules"} & parts.keys():
        description = f"inputs changed although its code did not: {inherited}" + (f"; also {own}" if own else "")
        return Changes(description=description, reached_by=tuple(inherited_from))
    return Changes(description="; ".join(filter(None, (own, inherited))))


def _copied(ingredients: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **ingredients,
        "parameters": dict(ingredients.get("parameters") or {}),
        "data": dict(ingredients.get("data") or {}),
    }
