"""``nbprod serve``: answer requests for a deployment, or write the files that watch it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from nbprod.cli.output import put, say
from nbprod.errors import SettingsError

__all__ = ["serve"]


def serve(
    deployment: Annotated[
        str, typer.Argument(metavar="DEPLOYMENT | export", help="Name of the deployment; or export, then grafana.")
    ],
    kind: Annotated[str | None, typer.Argument(metavar="[grafana]", help="What to export.")] = None,
    host: Annotated[str, typer.Option("--host", help="Address to bind; others than the loopback need tokens.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer.")] = 1,
    certfile: Annotated[Path | None, typer.Option("--certfile", help="TLS: the certificate, PEM.")] = None,
    keyfile: Annotated[Path | None, typer.Option("--keyfile", help="TLS: its key, PEM.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A name clients call this server by; repeatable.")
    ] = None,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="A line of JSON for each request.")] = False,
    output: Annotated[Path, typer.Option("--output", help="export: the folder to write to.")] = Path("monitoring"),
    attached: Annotated[bool, typer.Option("--attached", hidden=True)] = False,
) -> None:
    """Answer requests for a deployment until Ctrl-C; every answered prediction is kept.

    nbprod serve export grafana writes what Prometheus and Grafana need to watch it: scrape configuration, alert rules
    and a dashboard.
    """
    if deployment == "export":
        _export(kind, output, f"{host}:{port}")
        return
    if kind is not None:
        raise SettingsError(
            f"{kind!r} is not understood", hint="nbprod serve DEPLOYMENT, or nbprod serve export grafana."
        )
    from nbprod.serving.logs import log_to_stderr
    from nbprod.serving.supervisor import Options
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    options = Options(
        host=host,
        port=port,
        workers=workers,
        certfile=certfile,
        keyfile=keyfile,
        hosts=tuple(allow_host or ()),
        log_requests=log_requests,
    )
    supervisor = open_workspace().supervisor(deployment, options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.end)
    log_to_stderr()
    if attached:

        def follow() -> None:  # whoever started this process has ended, or wants it to
            sys.stdin.read()
            supervisor.end()

        threading.Thread(target=follow, daemon=True).start()

    def ready() -> None:
        if attached:
            put(json.dumps({"url": supervisor.url}))
            sys.stdout.flush()
        version = supervisor.assignment.arms[0].version
        say(f"{deployment} is served by {version} at {supervisor.url} (form at /, documentation at /docs)")
        if supervisor.assignment.is_open:
            say("No token exists, so it answers this machine alone, and anybody on it: nbprod tokens create NAME")

    supervisor.run(ready)


def _export(kind: str | None, folder: Path, target: str) -> None:
    from nbprod.serving.grafana import export_grafana
    from nbprod.workspace import open_workspace

    if kind != "grafana":
        raise SettingsError(
            f"a server cannot be exported as {kind or 'nothing'}", hint="nbprod serve export grafana."
        )
    has_token = bool(open_workspace().tokens.list())
    for path in export_grafana(folder.expanduser(), target=target, has_token=has_token):
        put(path)
    if has_token:
        say(f"Put a token with the scope read into {folder / 'nbprod-token'}: nbprod tokens create NAME --scope read")
