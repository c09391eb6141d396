"""The service over runs: starts and keeps them, goes on with one that failed, makes one again, compares two."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbprod.domain.record import Figure
from nbprod.domain.request import REQUEST, RunRequest
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.sweep import Sweep
from nbprod.errors import ConflictError, NbprodError
from nbprod.notebook.document import read_notebook
from nbprod.notebook.kernel_retention import request_resume
from nbprod.notebook.naming import display_names
from nbprod.notebook.parameters import read_parameters
from nbprod.pages.run_comparison import run_comparison
from nbprod.runs.comparison import RunComparison, compare
from nbprod.runs.finalizing import modules_of
from nbprod.runs.finding import wait
from nbprod.runs.preparing import Plan, Source, make_plan, sources
from nbprod.runs.reproducing import Reproduction, as_written, differences, obstacles
from nbprod.runs.run_store import folder_of
from nbprod.runs.starting import RunLauncher
from nbprod.runs.sweeping import combinations, sweep

__all__ = ["Runs", "first_cell_to_execute"]


class Runs(RunLauncher):
    """Runs of a workspace, as ``ws.runs``."""

    def sweep(
        self,
        template: str,
        grid: Mapping[str, Sequence[Any]],
        /,
        *,
        random: int | None = None,
        seed: int = 0,
        jobs: int | None = None,
        again: bool = False,
        timeout_s: float | None = None,
        **how: Any,
    ) -> Sweep:
        """Execute a notebook for combinations of parameters, several at a time; see ``sweeping.sweep`` for more.

        Parameters
        ----------
        template
            The name of a template, or the path of any notebook.
        grid
            The values of each parameter.
        random
            Draw so many combinations instead of taking all.
        seed
            Of the draw.
        jobs
            How many at a time; by default one for each processor.
        again
            Execute also what an unchanged run has done before.
        timeout_s
            Limit of each run.
        **how
            ``caused_by``, ``on_update``, ``from_text``.
        """
        members = combinations(grid, random=random, seed=seed)
        return sweep(self, template, members, jobs=jobs, again=again, timeout_s=timeout_s, **how)

    def resume(
        self,
        run: str | Run,
        *,
        from_top: bool = False,
        progress: Callable[[Any], None] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> Run:
        """Go on with a failed run after a mend: a new run, caused by the failed one, with the same parameters.

        The notebook is read again. While the kernel is held, the new run goes on in it from the cell that failed, and
        its notebook shows what the earlier cells had shown, marked with the run they are from. Without a held kernel
        it starts from the top.

        Parameters
        ----------
        run
            The run that failed.
        from_top
            Start from the top in any case; a held kernel is let go.
        progress
            Called when a cell starts and ends, where the run is executed here.
        notify
            Called with a sentence that says from where the run goes on.

        Raises
        ------
        ConflictError
            There is nothing to resume, or the held kernel has used what was changed since; the message says what.
        NotFoundError
            The notebook is no longer where it was.
        """
        first = self.get(run)
        if first.succeeded or not first.is_finished:
            raise ConflictError(f"Run {first.id} is {first.status}: there is nothing to resume")
        notify = notify or (lambda _: None)
        folder = folder_of(first)
        plan = self._planned(first, replace(self.source(Path(first.source)), name=first.template))
        retained = self.retained_kernel(first)
        if retained and from_top:
            self.release(first)
            retained = None
        cell = first_cell_to_execute(first, plan) if retained else ""
        made: dict[str, Any] = {
            "caused_by": first.id,
            "limits": self.limits,
            "hold_s": RunRequest.from_json((folder / REQUEST).read_bytes()).hold_s,
            "status": RunStatus.QUEUED if retained else RunStatus.RUNNING,
        }
        if retained:
            new, request = self._prepare(plan, **made, resume_at=cell, details={"resumes": first.id})
            shutil.copytree(folder / "files", Path(new.folder) / "files", dirs_exist_ok=True)
            if request_resume(folder, Path(new.folder)):
                with self.store.write() as session:
                    session.event("run.resumed", new.id, data={"of": first.id, "cell": cell})
                notify(f"Run {new.id} goes on in the kernel of {first.id}, from cell {called(plan, cell)}")
                return self._awaited(new)
            shutil.rmtree(Path(new.folder) / "files", ignore_errors=True)
            (Path(new.folder) / "files").mkdir(mode=0o700)
            request = replace(request, resume_at="")
        else:
            new, request = self._prepare(plan, **made)
        notify(f"The kernel of run {first.id} is not held: run {new.id} starts from the top")
        return self._carry_out(new, request, progress=progress)

    def _awaited(self, run: Run) -> Run:
        """A run that another thread or process executes, when it has ended; Ctrl-C stops it."""
        try:
            ended = wait(lambda: self.get(run.id), math.inf)
        except KeyboardInterrupt:
            self.ask_to_stop(run)
            wait(lambda: self.get(run.id), 20)
            raise
        assert ended is not None
        return ended

    def _planned(self, first: Run, source: Source) -> Plan:
        """A notebook with the parameters of an earlier run, to work in the same folder with the same kernel."""
        request = RunRequest.from_json((folder_of(first) / REQUEST).read_bytes())
        plan = make_plan(
            source,
            first.parameters,
            from_text=False,
            kernel=request.kernel,
            root=self.root,
            resolve=self.resolve,
        )
        return replace(plan, cwd=Path(request.cwd))

    def reproduce(
        self,
        run: str | Run,
        *,
        tolerance: float = 1e-9,
        anyway: bool = False,
        progress: Callable[[Any], None] | None = None,
    ) -> Reproduction:
        """Make a run again from its own record, and hold what comes out against it.

        The notebook is the one in the run's folder; parameters (seeds among them), working folder and kernel are
        those of then. Data are known by their fingerprints.

        Parameters
        ----------
        run
            The run.
        tolerance
            Relative and absolute difference of numbers that still counts as the same.
        anyway
            Execute although data, code or packages are not those of then.
        progress
            Called when a cell starts and ends.
        """
        first = self.get(run)
        try:
            plan = self._plan_of(first)
        except (
            NbprodError
        ) as error:  # pruned, moved data, a secret or kernel that is gone: there is nothing to execute
            return Reproduction(run=first.id, obstacles=(error.message,))
        found = obstacles(first, plan)
        notes = differences(first, plan)
        if found and not anyway:
            return Reproduction(run=first.id, obstacles=found, notes=notes)
        request = RunRequest.from_json((folder_of(first) / REQUEST).read_bytes())
        again = self.execute(plan, caused_by=first.id, progress=progress, env=request.env, hold_s=0)
        return Reproduction.of(first, again, tolerance=tolerance, obstacles=found, notes=notes)

    def _plan_of(self, first: Run) -> Plan:
        """A run as it was started, checked once more."""
        notebook = as_written(read_notebook(folder_of(first) / "notebook.ipynb"))
        source = Source(
            name=first.template,
            path=Path(first.source),
            notebook=notebook,
            parameters=read_parameters(notebook),
            is_template=False,
        )
        return self._planned(first, source)

    def compare(self, a: str | Run, b: str | Run) -> RunComparison:
        """What differs between two runs, by meaning."""
        first, second = self.get(a), self.get(b)
        before, after = (read_notebook(folder_of(run) / "notebook.ipynb") for run in (first, second))
        return compare(
            first,
            second,
            cells=(sources(before), sources(after)),
            called={**display_names(before), **display_names(after)},
            figures=(self._figures(first), self._figures(second)),
        )

    def compare_page(self, a: str | Run, b: str | Run) -> str:
        """The same as one HTML file, with the figures side by side; it asks the network for nothing."""
        first, second = self.get(a), self.get(b)
        found = self.compare(first, second)
        return run_comparison(
            first,
            second,
            rows=[row for row in found.rows() if row[0] not in {"code", "figures"}],
            cells={found.called.get(cell, cell): change for cell, change in found.cells.items()},
            code={found.called.get(cell, cell): change for cell, change in found.code.items()},
            figures=(self._figures(first), self._figures(second)),
        )

    def _figures(self, run: Run) -> dict[str, Figure]:
        try:
            return self.results(run).figures
        except NbprodError:  # a record that is damaged is no reason to say nothing of the rest
            return {}


def called(plan: Plan, cell: str) -> str:
    """What people call a cell of the notebook that is to be executed."""
    return display_names(plan.source.notebook).get(cell, cell)


def first_cell_to_execute(first: Run, plan: Plan) -> str:
    """The cell of the mended notebook from which a run can go on.

    The kernel has executed the cells before the failed one, with the data and the local modules of then.

    Raises
    ------
    ConflictError
        Something the kernel has used was changed, and what.
    """
    before = sources(read_notebook(folder_of(first) / "notebook.ipynb"))
    executed = list(itertools.takewhile(lambda cell: cell[0] != first.failed_cell, before.items()))
    mended = list(sources(plan.source.notebook).items())
    changed = [
        f"cell {called(plan, id_)}"
        for number, (id_, source) in enumerate(executed)
        if number >= len(mended) or mended[number][1].rstrip() != source.rstrip()
    ]
    for part, old, new in (("data", first.data, plan.data), ("module", modules_of(first), plan.modules)):
        changed += [f"{part} {name}" for name in sorted(old) if old[name] != new.get(name)]
    hint = f"Start it from the top with nbprod runs resume {first.id} --from-top."
    if changed:
        raise ConflictError(
            f"Run {first.id} cannot go on in its kernel, which has used what was changed since: {', '.join(changed)}",
            hint=hint,
        )
    if len(mended) == len(executed):
        raise ConflictError(f"The notebook has no cell behind the ones that run {first.id} has executed", hint=hint)
    return mended[len(executed)][0]
