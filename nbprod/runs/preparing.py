"""Makes the folder of a run, whole, before anything is executed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from nbprod import clock
from nbprod.disk import make_folder, private_opener, publish_folder, reporting_os_errors
from nbprod.domain.column_names import check_columns
from nbprod.domain.markers import Secret
from nbprod.domain.parameter import Parameter, bind, plain
from nbprod.domain.request import REQUEST, RunRequest
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.template import Template
from nbprod.notebook.document import code_digest, dump, has_tag, read_notebook
from nbprod.notebook.injection import inject
from nbprod.notebook.journal import JOURNAL
from nbprod.runs.capture import capture_environment, environment_digest, git_state
from nbprod.runs.finalizing import RUN, run_json
from nbprod.runs.keys import local_modules

__all__ = ["Plan", "Resolve", "Resolved", "Source", "make_plan", "prepare", "read_source", "sources"]


class Resolved(NamedTuple):
    """What stands behind the name of a data set or a model."""

    value: Any  #: what the notebook gets
    fingerprint: str | None
    columns: tuple[str, ...] = ()  #: of data
    read_as: str = ""  #: of a CSV file


Resolve = Callable[[Parameter, Any], Resolved | tuple[Any, str | None]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a run is started from."""

    name: str
    path: Path
    notebook: Any
    parameters: tuple[Parameter, ...]
    is_template: bool  #: found by name; it works in the workspace's folder, other notebooks in their own


def read_source(found: Template, *, is_template: bool) -> Source:
    """Read a template's notebook, or any other."""
    path = Path(found.path).absolute()
    name = re.sub(r"[^a-z0-9_]+", "-", path.stem.lower()).strip("-_")[:40] or "notebook"
    notebook = read_notebook(path)
    return Source(name=name, path=path, notebook=notebook, parameters=found.parameters, is_template=is_template)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run that was checked and not yet started."""

    source: Source
    given: Mapping[str, Any]  #: the parameters as they are recorded
    resolved: Mapping[str, Any]  #: the values the notebook gets
    data: Mapping[str, str]
    read_as: Mapping[str, str] = field(default_factory=dict)  #: how each CSV file is read, in words
    kernel: str
    secrets: tuple[str, ...]
    cwd: Path

    @cached_property
    def modules(self) -> dict[str, str]:
        """Digests of the local modules the notebook imports."""
        code = [cell.source for cell in self.source.notebook.cells if cell.cell_type == "code"]
        return local_modules(code, {self.cwd, self.source.path.parent})

    @cached_property
    def ingredients(self) -> dict[str, Any]:
        """What the results will depend on."""
        return {
            "code": code_digest(self.source.notebook),
            "parameters": {name: plain(value) for name, value in self.given.items()},
            "data": dict(self.data),
            "modules": self.modules,
            "environment": environment_digest(capture_environment()),
        }


def make_plan(
    source: Source,
    values: Mapping[str, Any],
    *,
    from_text: bool,
    kernel: str,
    root: Path,
    resolve: Resolve | None,
) -> Plan:
    """Check everything that can be checked before a run, and write nothing.

    Without the name of a kernel it is the one that the notebook names. Templates work in the root, other notebooks
    in their own folder.

    Raises
    ------
    ParameterError, EnvironmentProblem
        A parameter, a secret or the kernel.
    """
    given = bind(source.parameters, values, text=from_text)
    kernel = kernel or source.notebook.metadata.get("kernelspec", {}).get("name") or "python3"
    from nbprod.kernels.live import check_kernel  # delayed: zmq

    kernel = check_kernel(kernel)
    secrets = references(list(given.values()))
    for reference in secrets:
        Secret(reference).reveal()  # one that cannot be read is a fault before anything starts
    found = resolved(source.parameters, given, resolve)
    check_columns(source.parameters, given, {name: one.columns for name, one in found.items() if one.columns})
    return Plan(
        source=source,
        given=given,
        resolved=given | {name: one.value for name, one in found.items()},
        data={name: one.fingerprint for name, one in found.items() if one.fingerprint is not None},
        read_as={name: one.read_as for name, one in found.items() if one.read_as},
        kernel=kernel,
        secrets=secrets,
        cwd=root if source.is_template else source.path.parent,
    )


def prepare(
    runs_folder: Path,
    plan: Plan,
    request: RunRequest,
    *,
    private: tuple[str, ...],
    trusted: tuple[str, ...] = (),
    status: RunStatus = RunStatus.QUEUED,
    root: Path,
    details: Mapping[str, Any] | None = None,
    **known: Any,
) -> tuple[Run, RunRequest]:
    """Make the run's folder below ``runs_folder``; the run it belongs to, and the request with both filled in.

    Parameters
    ----------
    private
        Columns that the notebook must not record.
    trusted
        Types of models, and digests of packages whose code may run.
    root
        Where to look for a git tree if the notebook is in none.
    details
        Further facts for ``run.json``.
    **known
        Further fields of the run.

    Raises
    ------
    StoreError
        The disk refuses; no folder is left.
    """
    source, environment, created_at = plan.source, capture_environment(), clock.now()
    make_folder(runs_folder)
    run_id = new_id(runs_folder, source.name)
    folder = runs_folder / run_id
    run = Run(
        id=run_id,
        template=source.name,
        source=str(source.path),
        template_digest=plan.ingredients["code"],
        status=status,
        started_at=created_at if status is RunStatus.RUNNING else None,
        folder=str(folder),
        created_at=created_at,
        parameters=plan.ingredients["parameters"],
        data=plan.ingredients["data"],
        git=git_state(source.path.parent) or git_state(root),
        environment=plan.ingredients["environment"],
        **known,
    )
    request = replace(request, run_id=run_id, folder=str(folder))
    notebook = inject(source.notebook, plan.resolved) if plan.resolved else source.notebook
    staging = runs_folder / f".{run_id}"
    try:
        content = {
            "notebook.ipynb": dump(notebook),
            RUN: run_json(
                run, private=list(private), trusted=list(trusted), modules=plan.modules, **(details or {})
            ).encode(),
            REQUEST: request.to_json().encode(),
            "environment.json": json.dumps(environment, indent=1).encode(),
            JOURNAL: b"",
        }
        with reporting_os_errors(f"writing the run folder {folder}"):
            (staging / "files").mkdir(mode=0o700)
            for name, raw in content.items():
                with open(staging / name, "wb", opener=private_opener) as file:
                    file.write(raw)
        publish_folder(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return run, request


def new_id(runs_folder: Path, name: str) -> str:
    """An id nobody has; its staging folder is made, and so it stays ours."""
    while True:
        run_id = clock.time_id(name.replace("_", "-"))
        with reporting_os_errors(f"making a run folder in {runs_folder}"), suppress(FileExistsError):
            (runs_folder / f".{run_id}").mkdir(mode=0o700)
            if not (runs_folder / run_id).exists():
                return run_id


def resolved(
    parameters: Iterable[Parameter], given: Mapping[str, Any], resolve: Resolve | None
) -> dict[str, Resolved]:
    """What stands behind each data set and model that was given, by parameter."""
    return {
        parameter.name: Resolved(*resolve(parameter, given[parameter.name]))
        for parameter in parameters
        if resolve and (parameter.is_dataset or parameter.is_model) and given.get(parameter.name) is not None
    }


def sources(notebook: Any) -> dict[str, str]:
    """The author's code cells of a notebook by id: not those that a run has added."""
    return {
        cell.id: cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and not has_tag(cell, "injected-parameters")
    }


def references(value: Any) -> tuple[str, ...]:
    """Where the secrets among some values are."""
    if isinstance(value, Secret):
        return (value.reference,)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(reference for one in value for reference in references(one)))
    return ()
