"""Commands that set things up: ``init``, ``doctor``, ``config``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from nbprod.cli.output import AsJson, emit, put, say
from nbprod.errors import EnvironmentProblem
from nbprod.settings import Settings, find_folder

__all__ = ["config", "doctor", "init"]


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the workspace; made if it does not exist.")],
) -> None:
    """Make a workspace: settings, templates, a first notebook, example data."""
    from nbprod.scaffold import create_workspace

    written = create_workspace(folder)
    for path in written:
        put(path)
    say(
        f"{len(written)} files in {folder}. Next: cd {folder} && nbprod run train -p data=electricity -p target=class"
    )


def doctor(as_json: AsJson = False) -> None:
    """Look at Python, libraries, kernel and workspace; say what is wrong and how to fix it."""
    from nbprod.doctor import examine

    findings = examine()
    if as_json:
        emit(findings, [], as_json=True)
    else:
        for finding in findings:
            put(f"{'ok  ' if finding.is_fine else 'BAD '} {finding.name}: {finding.sentence}")
            if finding.mend:
                put(f"     fix: {finding.mend}")
    if bad := [finding.name for finding in findings if not finding.is_fine]:
        raise EnvironmentProblem(
            f"Problems with {', '.join(bad)}", hint="Each line marked BAD is followed by how to fix it."
        )


def config(as_json: AsJson = False) -> None:
    """Show each setting, its value and where it came from."""
    settings = Settings.load(find_folder(os.environ.get("NBPROD_WORKSPACE", ".")))
    rows = [
        {"name": s.name, "value": _without_password(s.value), "origin": s.origin, "help": s.help}
        for s in settings.values.values()
    ]
    rows += [
        {"name": f"[{table}.{name}]", "value": dict(entry), "origin": "nbprod.toml", "help": ""}
        for table, entries in settings.tables.items()
        for name, entry in entries.items()
    ]
    emit(rows, ["name", "value", "origin", "help"], as_json=as_json)


def _without_password(value: object) -> object:
    """Settings may hold addresses with credentials; those are never shown."""
    if isinstance(value, list):
        return [_without_password(item) for item in value]
    if isinstance(value, str) and "://" in value and (parts := urlsplit(value)).netloc:
        path = (
            "/…"
            if parts.path.strip("/") and "@" not in parts.netloc and parts.scheme in {"http", "https"}
            else parts.path
        )
        netloc = "…@" + parts.netloc.rpartition("@")[2] if "@" in parts.netloc else parts.netloc
        return f"{parts.scheme}://{netloc}{path}"
    return value
