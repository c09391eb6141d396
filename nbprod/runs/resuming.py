"""What has to be unchanged for a run to go on in the kernel of the one that failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nbprod.domain.run import Run
from nbprod.errors import ConflictError
from nbprod.notebook.document import has_tag
from nbprod.runs.finalizing import modules_of
from nbprod.runs.preparing import Plan, sources

__all__ = ["going_on_at"]


def going_on_at(first: Run, plan: Plan) -> str:
    """The cell of the mended notebook from which a run can go on.

    The kernel has executed the cells before the failed one, with the data and the local modules of then.

    Parameters
    ----------
    first
        The run that failed.
    plan
        The mended notebook with the same parameters.

    Raises
    ------
    ConflictError
        Something the kernel has used was changed, and what.
    """
    executed = done_before(sources(Path(first.folder)), str(first.failed_cell))
    mended = [
        (cell.id, cell.source)
        for cell in plan.source.notebook.cells
        if cell.cell_type == "code" and not has_tag(cell, "injected-parameters")
    ]
    changed = [
        f"cell {id_}"
        for number, (id_, source) in enumerate(executed)
        if number >= len(mended) or mended[number][1].rstrip() != source.rstrip()
    ]
    changed += [
        f"{part} {name}"
        for part, old, new in (
            ("data", first.data, plan.data),
            ("module", modules_of(first), plan.modules),
        )
        for name in sorted({*old, *new})
        if name in old and old[name] != new.get(name)
    ]
    hint = f"Start it from the top with nbprod runs resume {first.id} --from-top."
    if changed:
        raise ConflictError(
            f"Run {first.id} cannot go on in its kernel, which has used what was changed since: {', '.join(changed)}",
            hint=hint,
        )
    if len(mended) == len(executed):
        raise ConflictError(f"The notebook has no cell behind the ones that run {first.id} has executed", hint=hint)
    return mended[len(executed)][0]


def done_before(cells: Mapping[str, str], failed: str) -> list[tuple[str, str]]:
    """Ids and sources of the cells before the failed one."""
    found = []
    for id_, source in cells.items():
        if id_ == failed:
            break
        found.append((id_, source))
    return found
