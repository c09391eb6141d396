"""What the references of a step stand for, once the steps it needs have ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from nbprod.domain.names import nearest
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.reference import Reference
from nbprod.errors import NotFoundError
from nbprod.runs import Runs

__all__ = ["look_up"]


def look_up(reference: Reference, run: PipelineRun, inputs: Mapping[str, Any], runs: Runs) -> Any:
    """The value of a reference.

    Raises
    ------
    NotFoundError
        The step recorded no such number, or left no such file.
    """
    if not reference.step:
        return inputs[reference.part]
    result = run[reference.step]
    if reference.part in {"run", "package", "version"}:
        return {"run": result.run_id, "package": result.package, "version": result.version}[reference.part]
    assert result.run_id
    member = runs.get(result.run_id)
    if reference.part == "metrics":
        if reference.name not in member.metrics:
            raise NotFoundError(
                f"{reference.step} recorded no number {reference.name!r}",
                hint=nearest(reference.name, member.metrics),
            )
        return member.metrics[reference.name]
    return _file(Path(member.folder) / "files", reference)


def _file(folder: Path, reference: Reference) -> str:
    parts = PurePosixPath(reference.name).parts
    path = folder.joinpath(*parts)
    if ".." in parts or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        there = [one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()]
        raise NotFoundError(
            f"{reference.step} left no file {reference.name!r}", hint=nearest(reference.name, there[:200])
        )
    return str(path)
