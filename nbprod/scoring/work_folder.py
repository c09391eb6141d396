"""The work folder of a job beside its output: what is done, piece by piece, so that the same command goes on.

``OUTPUT.score/`` holds ``job.json`` (what the job is, and since when), for each piece that is done
``part-000012.parquet`` with its predictions and counts, and where there are such, ``rejected-000012.parquet`` and
``inputs-000012.parquet``. All of them appear whole or not at all. When everything is published, the folder goes.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nbprod.clock import format_utc, now, parse_utc
from nbprod.disk import make_folder
from nbprod.errors import ConflictError
from nbprod.scoring.job import Done
from nbprod.scoring.places import Place

__all__ = ["INPUTS", "MANIFEST", "PART", "REJECTED", "WorkFolder", "part_name"]

PART, REJECTED, INPUTS = "part", "rejected", "inputs"
NAME = re.compile(r"(part|rejected|inputs)-(\d{6,})\.parquet")
MANIFEST = "job.json"


def part_name(kind: str, number: int) -> str:
    """The name of what belongs to a piece."""
    return f"{kind}-{number:06d}.parquet"


class WorkFolder:
    """Where the parts of a job are until they are published.

    Parameters
    ----------
    output
        What the job writes.
    """

    def __init__(self, output: Place) -> None:
        self.place = output.beside(f"{output.name}.score")

    @property
    def facts(self) -> dict[str, Any] | None:
        """What ``job.json`` says; ``None`` where no job was begun."""
        manifest = self.place / MANIFEST
        return dict(json.loads(manifest.read())) if manifest.exists() else None

    def begin(self, key: str, told: dict[str, Any]) -> datetime:
        """Begin a job, or go on with the one that is here; return when it was begun.

        Parameters
        ----------
        key
            Of the job.
        told
            What it is made of, so that a refusal can say what is different.

        Raises
        ------
        ConflictError
            The job that was begun here is another one.
        """
        facts = self.facts
        if facts is None:
            self.place.remove()  # what a killed process left before it wrote what the job is
            begun = now()
            self.place.make()
            content = {"key": key, "begun_at": format_utc(begun), "told": told}
            (self.place / MANIFEST).write(json.dumps(content, indent=1, default=str).encode())
            return parse_utc(format_utc(begun))
        if facts["key"] != key:
            raise ConflictError(
                f"{self.place.url} holds an unfinished job that differs in {_difference(facts['told'], told)}",
                hint="Repeat the command it was begun with, or give --overwrite to begin anew.",
            )
        return parse_utc(facts["begun_at"])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second process of this machine from the same output.

        Raises
        ------
        ConflictError
            One is at work.
        """
        if not self.place.is_local:  # the parts of two are the same, and each is published whole
            yield
            return
        place = Path(self.place.path)
        make_folder(place.parent)
        lock = place.with_name(f".{place.name}.lock")
        descriptor = _locked(lock)
        try:
            if descriptor is None:
                raise ConflictError(
                    f"another process writes {place.name.removesuffix('.score')} at this moment",
                    hint="Wait for it, or stop it and repeat this command, which then goes on.",
                )
            yield
        finally:
            if descriptor is not None:
                lock.unlink(missing_ok=True)
                os.close(descriptor)

    def done(self) -> list[Done]:
        """What is done, in the order of the pieces."""
        return [self._read(name) for name in self.names(PART)]

    def names(self, kind: str) -> list[str]:
        """The files of a kind, in the order of the pieces."""
        found = [
            (int(match[2]), name)
            for name in self.place.names()
            if (match := NAME.fullmatch(name)) and match[1] == kind
        ]
        return [name for _, name in sorted(found)]

    def has(self, number: int) -> bool:
        """Whether a piece is done, as seen from here."""
        return (self.place / part_name(PART, number)).exists()

    def table(self, name: str) -> pa.Table:
        """One part."""
        with (self.place / name).open() as file:
            return pq.read_table(file)

    def remove(self) -> None:
        """Remove it with all parts; what the job is goes last, so that half a removal is no job."""
        for name in self.place.names():
            if name != MANIFEST:
                (self.place / name).remove()
        self.place.remove()

    def _read(self, name: str) -> Done:
        with (self.place / name).open() as file:
            return Done.from_json(pq.ParquetFile(file).schema_arrow.metadata[b"nbprod"])


def _locked(path: Path) -> int | None:
    """The lock, if nobody has it; a file its last holder removed meanwhile is none."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    plain = json.loads(json.dumps(after, default=str))
    names = [name for name in {**before, **plain} if before.get(name) != plain.get(name)]
    return ", ".join(names) or "its rows"
