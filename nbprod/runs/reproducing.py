"""Whether a run can be made again, and whether it came out the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.domain.markup import card
from nbprod.domain.run import Run
from nbprod.notebook.document import ADDED_TAGS, code_digest, has_tag
from nbprod.runs.capture import capture_environment, git_state
from nbprod.runs.comparison import ABSENT, different, versions
from nbprod.runs.finalizing import modules_of
from nbprod.runs.keys import imports
from nbprod.runs.output_similarity import Output, OutputSimilarity, outputs
from nbprod.runs.preparing import Plan

if TYPE_CHECKING:
    from nbformat import NotebookNode  # nbformat takes a second to import

__all__ = ["Reproduction", "as_written", "differences", "obstacles"]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of making a run again."""

    run: str
    again: str | None = None  #: the new run; ``None`` when nothing was executed
    outputs: tuple[Output, ...] = ()
    obstacles: tuple[str, ...] = ()  #: why it cannot be the same
    notes: tuple[str, ...] = ()  #: what else is not as it was

    @classmethod
    def of(cls, first: Run, again: Run, *, tolerance: float, **details: Any) -> Reproduction:
        """Hold a run against the one it is to be the same as."""
        found = tuple(outputs(first, again, tolerance=tolerance))
        return cls(run=first.id, again=again.id, outputs=found, **details)

    @property
    def verdict(self) -> str:
        """``identical``, ``within tolerance``, ``different`` or ``not reproduced``."""
        if self.again is None:
            return "not reproduced"
        found = {output.likeness for output in self.outputs}
        order = (OutputSimilarity.DIFFERENT, OutputSimilarity.WITHIN, OutputSimilarity.IDENTICAL)
        return next((one.value for one in order if one in found), OutputSimilarity.IDENTICAL.value)

    @property
    def is_same(self) -> bool:
        """Whether every output is identical or within the tolerance."""
        return self.verdict in {OutputSimilarity.IDENTICAL, OutputSimilarity.WITHIN}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"verdict": self.verdict, **asdict(self)}

    def __str__(self) -> str:
        lines = [f"{self.run} → {self.again or ABSENT}: {self.verdict}"]
        lines += [f"cannot be the same: {reason}" for reason in self.obstacles]
        lines += [f"note: {note}" for note in self.notes]
        width = max((len(f"{one.kind} {one.name}") for one in self.outputs), default=0)
        lines += [
            f"{f'{one.kind} {one.name}':<{width}}  {one.likeness}" + (f" ({one.note})" if one.note else "")
            for one in self.outputs
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Reproduction of {self.run}: {self.verdict}>"

    def _repr_html_(self) -> str:
        rows = [("cannot be the same", reason) for reason in self.obstacles]
        rows += [(f"{one.kind} {one.name}", one.likeness.value) for one in self.outputs]
        return card(f"{self.run}: {self.verdict}", rows)


def as_written(notebook: NotebookNode) -> NotebookNode:
    """An executed notebook as its author wrote it: without outputs and what executions add."""
    nb = copy.deepcopy(notebook)
    nb.cells = [cell for cell in nb.cells if not any(has_tag(cell, tag) for tag in ADDED_TAGS)]
    for part in (nb, *nb.cells):
        for name in ("papermill", "nbprod", "widgets", "execution"):
            part.metadata.pop(name, None)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nb


def obstacles(first: Run, plan: Plan) -> tuple[str, ...]:
    """Why a run made now cannot be the same: its notebook, data, local modules or packages are not those of then."""
    found = []
    if code_digest(plan.source.notebook) != first.template_digest:
        found.append("the notebook in the run's folder is not the one that was run")
    if not plan.cwd.is_dir():
        found.append(f"its working folder {plan.cwd} is gone")
    found += [f"the data of {name} changed since" for name in different(first.data, plan.data)]
    modules = modules_of(first)
    found += [
        f"the local module {name} " + ("changed since" if after else "is gone")
        for name, (before, after) in different(modules, plan.modules).items()
        if before
    ]
    return (*found, *missing(first, plan, modules))


def missing(first: Run, plan: Plan, modules: Mapping[str, str]) -> Iterator[str]:
    """Imports that cannot be found, where packages of then are gone."""
    gone = [name for name, (_, after) in environment(first).items() if after is None]
    wanted = {name.partition(".")[0] for cell in plan.source.notebook.cells for name in imports(cell.source)}
    for name in sorted(wanted - modules.keys() if gone else ()):
        if find_spec(name) is None and not (plan.cwd / f"{name}.py").exists() and not (plan.cwd / name).exists():
            yield f"the package that provides {name} is missing (gone since: {', '.join(gone[:5])})"


def environment(first: Run) -> dict[str, tuple[str | None, str | None]]:
    """Versions then and now that differ."""
    now = capture_environment()
    return different(versions(Path(first.folder)), {"python": now["python"], **now["distributions"]})


def differences(first: Run, plan: Plan) -> tuple[str, ...]:
    """What else is not as it was: packages and the git tree."""
    found = [f"{name} {before or ABSENT} → {after or ABSENT}" for name, (before, after) in environment(first).items()]
    git = git_state(plan.source.path.parent) if plan.source.path.parent.is_dir() else None
    if first.git and git != first.git:
        found.append(
            f"git {first.git[:12]} → {(git or ABSENT)[:12]}; the notebook is the one of the run all the same"
        )
    return tuple(found)
