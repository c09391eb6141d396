"""Reads back what a notebook recorded: from its outputs and the run's files, without executing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from nbprod.domain.check import CheckResult
from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.domain.numbers import number
from nbprod.domain.record import RECORD_TYPE, Figure
from nbprod.errors import NotebookError, NotFoundError
from nbprod.recording.blobs import Blobs
from nbprod.recording.encoding import decode
from nbprod.recording.results import FORMAT
from nbprod.visible import escape

__all__ = ["Records", "read_records"]

RUN_AGAIN = "Run the notebook again."


class Records(Mapping[str, Any]):
    """What a notebook recorded, by name; of several values under one name, the last.

    A value is decoded when it is asked for, so that reading the numbers of a run opens none of its tables.
    """

    def __init__(self, nodes: Mapping[str, Any], figures: Mapping[str, Figure], blobs: Blobs) -> None:
        self._nodes, self._figures, self._blobs = dict(nodes), dict(figures), blobs
        self._decoded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._nodes:
            raise NotFoundError(f"Nothing is recorded as {name!r}", hint=nearest(str(name), self._nodes))
        if name in self._figures:
            return self._figures[name]
        if name not in self._decoded:
            node = self._nodes[name]
            try:
                self._decoded[name] = decode(node["value"] if _kind(node) == "model" else node, self._blobs)
            except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
                is_gone = isinstance(error, LookupError) and not isinstance(error, KeyError | IndexError)
                problem = "is not there" if is_gone else "is damaged"
                raise NotebookError(f"What is recorded as {name!r} {problem}: {error}", hint=RUN_AGAIN) from error
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The recorded numbers in their order, the one that counts first; truth values are none.

        Which one counts a notebook says by recording its name as ``metric``.
        """
        found = {}
        for name in self._of({"float", "int", "numpy", None}):
            value = self[name]
            if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "f") not in "iuf":
                continue
            try:
                found[name] = float(value)
            except (TypeError, ValueError, OverflowError):
                continue
        first = str(self._nodes.get("metric", ""))
        return {first: found[first], **found} if first in found else found

    @property
    def tables(self) -> dict[str, Any]:
        """The recorded frames and series."""
        return {name: self[name] for name in self._of({"frame", "series"})}

    @property
    def figures(self) -> dict[str, Figure]:
        """The recorded pictures."""
        return dict(self._figures)

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """What ``save_model`` said of the models it saved."""
        return {name: self[name] for name in self._of({"model"})}

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """All recorded checks, in order."""
        found: list[CheckResult] = []
        for name, node in self._nodes.items():
            nodes = node if isinstance(node, list) else node.get("value") if _kind(node) == "tuple" else [node]
            if isinstance(nodes, list) and nodes and all(_kind(one) == "check" for one in nodes):
                value = self[name]
                found += [value] if isinstance(value, CheckResult) else value
        return tuple(found)

    def _of(self, kinds: set[str | None]) -> Iterator[str]:
        return (name for name, node in self._nodes.items() if _kind(node) in kinds)

    def __repr__(self) -> str:
        return f"<Records {', '.join(self._nodes) or 'none'}>"

    def _repr_html_(self) -> str:
        rows = [(name, number(value)) for name, value in self.metrics.items()]
        rows += [
            (name, _kind(node) or type(node).__name__)
            for name, node in self._nodes.items()
            if name not in self.metrics
        ]
        return card("Recorded", rows) if rows else f"<em>{escape(repr(self))}</em>"


def read_records(notebook: Mapping[str, Any], folder: str | Path | None = None) -> Records:
    """What an executed notebook recorded.

    Parameters
    ----------
    notebook
        As read with ``read_notebook`` or from JSON.
    folder
        The run's folder, which has the large values.

    Raises
    ------
    NotebookError
        A record is damaged, or was written by a later nbprod.
    """
    nodes: dict[str, Any] = {}
    figures: dict[str, Figure] = {}
    for data in _bundles(notebook):
        content = data[RECORD_TYPE]
        if not isinstance(content, Mapping) or not isinstance(content.get("records"), list):
            raise NotebookError("A record in the notebook is damaged", hint=RUN_AGAIN)
        if not isinstance(content.get("format"), int) or content["format"] > FORMAT:
            raise NotebookError(
                f"A record has format {content.get('format')!r}; this nbprod reads up to {FORMAT}",
                hint="Use a newer nbprod.",
            )
        for one in content["records"]:
            if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or "value" not in one:
                raise NotebookError("A record in the notebook is damaged", hint=RUN_AGAIN)
            name, node = one["name"], one["value"]
            nodes.pop(name, None)  # a value that is recorded again comes last
            figures.pop(name, None)
            nodes[name] = node
            if _kind(node) == "figure":
                figures[name] = _figure(name, node, data)
    return Records(nodes, figures, _blobs_in(folder))


def _bundles(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            if RECORD_TYPE in output.get("data", {}):
                yield output["data"]


def _figure(name: str, node: Mapping[str, Any], data: Mapping[str, Any]) -> Figure:
    media_type = str(node.get("media_type"))
    content = data.get(media_type)
    if isinstance(content, list):  # as a notebook's JSON keeps it
        content = "".join(content)
    if media_type not in {"image/svg+xml", "image/png"} or not isinstance(content, str):
        raise NotebookError(f"The figure recorded as {name!r} is not in the notebook", hint=RUN_AGAIN)
    title, alt = str(node.get("title", name)), str(node.get("alt", name))
    return Figure(name=name, title=title, alt=alt, media_type=media_type, content=content)


def _blobs_in(folder: str | Path | None) -> Blobs:
    if folder is None:
        return Blobs()
    files = Path(folder) / "files"

    def get(digest: str, ending: str) -> bytes:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):  # it comes from the notebook and becomes a path
            raise ValueError("its digest is not a digest")
        try:
            content = (files / f"{digest}{ending}").read_bytes()
        except OSError as error:
            raise LookupError(f"{digest[:12]}…{ending} is missing from {files} ({error.strerror})") from error
        if sha256(content).hexdigest() != digest:
            raise ValueError(f"{digest[:12]}…{ending} has been changed")
        return content

    return Blobs(get=get)


def _kind(node: Any) -> str | None:
    """The type a JSON node states; ``None`` for JSON's own numbers."""
    if isinstance(node, Mapping):
        return str(node.get("type"))
    return None if isinstance(node, int | float) else type(node).__name__
