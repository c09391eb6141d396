"""Commands of pipelines: ``run``, ``list``, ``show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, print_json, say
from nbprod.cli.run import Assignments, assignments
from nbprod.domain.pipeline import PipelineRun, StepResult, StepStatus
from nbprod.domain.plain import plain
from nbprod.errors import RefusedError, SettingsError

if TYPE_CHECKING:
    from nbprod.workspace import Workspace

# \b keeps the lines as they are
HELP = """Notebooks that need each other's results.

A pipeline is a table of nbprod.toml. A step needs what its parameters refer to: an input, or an earlier step's run,
package, metrics.NAME or files.NAME.

\b
    [pipelines.weekly]
    inputs = { data = "electricity" }
    [pipelines.weekly.steps.train]
    template = "train"
    parameters = { data = "{data}", target = "class", end = "1997-01-01" }
    [pipelines.weekly.steps.evaluate]
    template = "evaluate"
    parameters = { candidate = "{train.package}", data = "{data}", start = "1997-01-01" }
    [pipelines.weekly.steps.register]
    register = "electricity"
    parameters = { package = "{train.package}", verdict = "{evaluate.run}" }
"""

app = typer.Typer(help=HELP, short_help="Notebooks that need each other's results.", no_args_is_help=True)

STEPS = ("name", "status", "run_id", "version", "reason", "changes", "error")


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    inputs: Assignments = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="ID", help="Go on with this execution.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="How many steps at a time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Execute a pipeline; exit 1 when a step fails, 3 when a check says no."""
    pipelines = _workspace().pipelines
    if resume:
        if inputs:
            raise SettingsError("A resumed execution keeps its inputs", hint="Leave out -p, or start anew.")
        found = pipelines.get(resume)
        if found.pipeline != name:
            raise SettingsError(f"{found.id} is an execution of {found.pipeline}, not of {name}")
        done = pipelines.resume(found, jobs=jobs, on_step=_tell)
    else:
        done = pipelines.run(name, assignments(inputs), jobs=jobs, from_text=True, on_step=_tell)
    _end(done, as_json=as_json)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(metavar="ID", help="An execution's id, or a pipeline's name.")],
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="How many steps at a time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Go on with an execution from the step that failed; exit as `run` does."""
    _end(_workspace().pipelines.resume(run, jobs=jobs, on_step=_tell), as_json=as_json)


def _end(done: PipelineRun, *, as_json: bool) -> None:
    """Show how an execution ended, and leave with the code that says so."""
    _show(done, as_json=as_json)
    if done.is_refused:
        raise RefusedError(
            f"Pipeline run {done.id} was stopped by a check", hint=f"Look at {done.folder}/report.html"
        )
    if not done.succeeded:
        say(f"Mend it, then go on: nbprod pipeline resume {done.id}")
        raise typer.Exit(1)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="Executions of this pipeline; else the pipelines.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """The pipelines with their newest execution, or the executions of one."""
    pipelines = _workspace().pipelines
    if name:
        pipelines.pipeline(name)
        emit(
            pipelines.list(name, limit=limit), ["id", "status", "created_at", "inputs", "caused_by"], as_json=as_json
        )
        return
    rows = []
    for one in pipelines.names():
        last = next(iter(pipelines.list(one, limit=1)), None)
        rows.append(
            {
                "name": one,
                "steps": [step.name for step in pipelines.pipeline(one).steps],
                "last_run": last.id if last else None,
                "status": last.status if last else None,
            }
        )
    emit(
        rows,
        ["name", "steps", "last_run", "status"],
        as_json=as_json,
        empty="nbprod.toml has no [pipelines.NAME]. Copy one: nbprod pipeline --help",
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A pipeline's name, for its newest execution, or an execution's id.")],
    as_json: AsJson = False,
) -> None:
    """One execution: each step's health, and which earlier step's change reached which later one."""
    pipelines = _workspace().pipelines
    if name in pipelines.names() and not pipelines.list(name, limit=1):
        pipeline = pipelines.pipeline(name)
        if as_json:
            print_json(plain(pipeline))
            return
        rows = [{**plain(step), "what": step.notebook or f"a version of {step.register}"} for step in pipeline.steps]
        emit(rows, ("name", "what", "needs", "parameters"), as_json=False)
        say(f"It was not run yet: nbprod pipeline run {name}")
        return
    _show(pipelines.get(name), as_json=as_json)


def _show(run: PipelineRun, *, as_json: bool) -> None:
    if as_json:
        print_json({**plain(run), "sentence": run.sentence})
        return
    emit_one(
        {"id": run.id, "status": run.status, "inputs": run.inputs, "page": f"{run.folder}/report.html"}, as_json=False
    )
    emit(run.steps, STEPS, as_json=False)


def _tell(step: StepResult) -> None:
    if step.status is not StepStatus.WAITING:
        why = step.error or "; ".join(filter(None, (step.reason, step.changes)))
        say(f"{step.name} {step.status}" + (f": {why}" if why else ""))


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
