"""Commands of monitors: ``run``, ``list``, ``show``, ``trend``, ``calibrate``, ``metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, say
from nbprod.domain.advice import Verdict
from nbprod.domain.monitor import side_label
from nbprod.domain.numbers import number
from nbprod.errors import RefusedError

if TYPE_CHECKING:
    from nbprod.domain.monitor import MonitorReport
    from nbprod.workspace import Workspace

app = typer.Typer(help="Hold deployments against their package's reference.", no_args_is_help=True)

Deployment = Annotated[str, typer.Argument(help="Name of the deployment.")]


@app.command()
def run(
    deployment: Deployment,
    window: Annotated[str | None, typer.Option(help="A length that ends at --end: 24h, 30d, 4w.")] = None,
    start: Annotated[str | None, typer.Option(help="Event time, ISO 8601; UTC without a zone.")] = None,
    end: Annotated[str | None, typer.Option(help="Event time, not included; now by default.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Leave out outcomes that arrived later.")] = None,
    rich: Annotated[str, typer.Option(help="evidently's report: auto (when it alarms), always, never.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Look at one window; exit 3 when it alarms."""
    report = _workspace().monitors.run(deployment, window=window, start=start, end=end, as_of=as_of, rich=rich)
    if as_json:
        emit_one(report, as_json=True)
    else:
        _tell(report)
    if report.verdict is Verdict.ALARM:
        raise RefusedError(f"{deployment} alarms: {report.sentence}", hint=f"nbprod alerts list {deployment}")


@app.command("list")
def list_(
    deployment: Annotated[str | None, typer.Argument(help="Only of this deployment.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Reports, newest first."""
    reports = _workspace().monitors.list(deployment, limit=limit)
    emit(reports, ["deployment", "start", "end", "verdict", "sentence", "run_id"], as_json=as_json)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="DEPLOYMENT", help="A deployment, for its newest report, or a monitor run's id.")
    ],
    as_json: AsJson = False,
) -> None:
    """One report with its checks."""
    report = _workspace().monitors.get(name)
    if as_json:
        emit_one(report, as_json=True)
    else:
        _tell(report)


@app.command()
def trend(deployment: Deployment, as_json: AsJson = False) -> None:
    """One row a window, oldest first, with each metric as it was, as it was estimated, and in the reference."""
    rows = _workspace().monitors.trend(deployment)
    columns = [name for name in (rows[-1] if rows else {}) if name not in {"version", "end"}]
    emit(rows, columns, as_json=as_json)


@app.command()
def calibrate(
    deployment: Deployment,
    days: Annotated[int, typer.Option(min=1, help="Length of a window.")] = 1,
    per_year: Annotated[
        float | None,
        typer.Option(
            "--per-year",
            "--budget",
            min=0.01,
            help="False alarms a year to accept; by default as in nbprod.toml.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the false alarms of the present configuration on the reference itself."""
    found = _workspace().monitors.calibrate(deployment, days=days, per_year=per_year)
    if not as_json:
        say(found.sentence)
    emit_one(found, as_json=as_json)


def _tell(report: MonitorReport) -> None:
    """For people: the verdict, each metric, what to do; then the checks."""
    say(f"{report.verdict.upper()}: {report.sentence}")
    for metric, sides in report.by_metric.items():
        contradicted = metric in report.contradicted
        told = (f"{number(value)} {side_label(side, contradicted=contradicted)}" for side, value in sides.items())
        say(f"{metric}: {', '.join(told)}")
    if report.contradiction:
        say(report.contradiction)
    say(f"Next: {report.next_step}")
    say(f"Run {report.run_id}, {report.window}")
    emit(report.checks, ["name", "subject", "outcome", "value", "sentence"], as_json=False)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
