"""``nbprod export``: tell Prometheus, OpenTelemetry, OpenLineage and evidently what the records say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, emit_one, put, say
from nbprod.clock import parse_utc
from nbprod.errors import SettingsError

if TYPE_CHECKING:
    from nbprod.exports.telemetry import Telemetry

__all__ = ["app"]

app = typer.Typer(help="Tell other tools: Prometheus, OpenTelemetry, OpenLineage, evidently.", no_args_is_help=True)

Deployment = Annotated[str | None, typer.Argument(metavar="[DEPLOYMENT]", help="By default all.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Leave out what is older, UTC.")]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", envvar="NBPROD_EXPORT_HEADERS", help="Name: value, of each request; repeatable."),
]


@app.command()
def prometheus(
    deployment: Deployment = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="A file for a textfile collector: nbprod.prom.")
    ] = None,
) -> None:
    """Write every check of the newest monitor reports, to stdout or a file that is replaced whole."""
    if output is None:
        put(_telemetry().prometheus(deployment), end="")
    else:
        put(str(_telemetry().write_prometheus(output, deployment)))


@app.command()
def opentelemetry(
    endpoint: Annotated[str, typer.Argument(metavar="URL", help="Of the collector: http://127.0.0.1:4318.")],
    since: Since = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Send runs as spans, counts and checks as gauges, alerts as log records: OTLP over HTTP, in JSON."""
    sent = _telemetry().opentelemetry(endpoint, since=_moment(since), headers=_headers(header))
    emit_one(sent, as_json=as_json)


@app.command()
def openlineage(
    output: Annotated[Path | None, typer.Option("--output", help="A file, one event a line.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="A server: http://127.0.0.1:5000/api/v1/lineage.")] = None,
    since: Since = None,
    header: Header = None,
) -> None:
    """Tell of runs and packages: what started, how it ended, inputs with fingerprints, outputs."""
    if output is None and url is None:
        raise SettingsError("lineage goes to a file or a server", hint="Give --output FILE or --url URL.")
    headers = _headers(header)
    events = _telemetry().openlineage(url=url, path=output, since=_moment(since), headers=headers)
    say(f"{len(events):,} events.")


@app.command()
def evidently(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="evidently's workspace; made if need be.")],
    deployment: Deployment = None,
    windows: Annotated[int, typer.Option("--windows", min=1, help="At most so many, the newest.")] = 12,
) -> None:
    """Add monitored windows to a workspace of evidently."""
    for name, added in _telemetry().evidently(folder, deployment, limit=windows).items():
        say(f"{name}: {added} windows added.")
    say(f"Show them: evidently ui --workspace {folder}")


def _headers(given: list[str] | None) -> dict[str, str]:
    headers = {}
    for one in given or ():
        name, colon, value = one.partition(":")
        if not colon or not name.strip():
            raise SettingsError("a header is written Name: value")  # without its value, which may be a secret
        headers[name.strip()] = value.strip()
    return headers


def _moment(given: datetime | None) -> datetime | None:
    return parse_utc(given.isoformat()) if given is not None else None


def _telemetry() -> Telemetry:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().telemetry
