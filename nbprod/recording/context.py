"""The run a notebook is executed by, if any: what the executing process left in the folder that NBPROD_RUN names."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from nbprod.errors import EnvironmentProblem

__all__ = ["RunContext", "current", "private_columns", "trusted_names"]

VARIABLE = "NBPROD_RUN"


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Where results go, and which columns must stay out of them."""

    folder: Path
    id: str
    template: str
    private: frozenset[str]
    trusted: tuple[str, ...] = ()  #: types of models, and packages whose code may run, that the workspace trusts

    @property
    def files(self) -> Path:
        """Where files of the run go; made on first use."""
        folder = self.folder / "files"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def current() -> RunContext | None:
    """The run this process belongs to; ``None`` where a notebook is run by hand.

    Raises
    ------
    EnvironmentProblem
        The variable names no run folder.
    """
    variable = os.environ.get(VARIABLE)
    if not variable:
        return None
    folder = Path(variable)
    if not folder.is_dir():
        raise EnvironmentProblem(
            f"{VARIABLE} names {folder}, which is not a folder", hint=f"Unset {VARIABLE} to run the notebook by hand."
        )
    try:
        content = json.loads((folder / "run.json").read_bytes())
    except FileNotFoundError:  # executed by plain papermill: there is no workspace, so nothing is private
        content = {}
    except (OSError, ValueError) as error:
        raise EnvironmentProblem(
            f"{folder / 'run.json'} cannot be read: {error}", hint="Start the run again; its folder is damaged."
        ) from error
    return RunContext(
        folder=folder,
        id=str(content.get("id", folder.name)),
        template=str(content.get("template", "")),
        private=frozenset(map(str, content.get("private", ()))),
        trusted=tuple(map(str, content.get("trusted", ()))),
    )


def private_columns() -> tuple[str, ...]:
    """The columns that must stay out of results, sorted; none where a notebook is run by hand."""
    context = current()
    return tuple(sorted(context.private)) if context else ()


def trusted_names() -> tuple[str, ...]:
    """What this run's workspace trusts: types of models, and digests of packages whose code may run; none by hand."""
    context = current()
    return context.trusted if context else ()
