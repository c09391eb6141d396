"""Two runs side by side, by meaning: parameters, numbers, data, code, figures and environment."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from nbprod.domain.numbers import number
from nbprod.domain.record import Figure
from nbprod.domain.run import Run
from nbprod.visible import escape

__all__ = ["RunComparison", "compare"]

ABSENT = "—"


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """What differs between two runs; what is equal is left out, except the metrics."""

    a: str
    b: str
    status: tuple[str, str]
    parameters: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    metrics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)  #: all of them
    data: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  #: fingerprints
    cells: Mapping[str, str] = field(default_factory=dict)  #: ``added``, ``removed`` or ``changed`` by cell id
    code: Mapping[str, str] = field(default_factory=dict)  #: a unified diff by cell id
    called: Mapping[str, str] = field(default_factory=dict)  #: what people call the cells whose ids say nothing
    figures: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  #: digests of the pictures
    environment: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  #: versions
    duration_s: tuple[float | None, float | None] = (None, None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str, Any, Any]]:
        """Every difference as (part, name, a, b)."""
        found: list[tuple[str, str, Any, Any]] = []
        if self.status[0] != self.status[1]:
            found.append(("run", "status", *self.status))
        for part in ("parameters", "metrics", "data", "environment", "figures"):
            found += [(part, name, *pair) for name, pair in getattr(self, part).items()]
        return found + [("code", self.called.get(cell, cell), "", diff) for cell, diff in self.code.items()]

    def __str__(self) -> str:
        lines = [f"{self.a} → {self.b}"]
        for part, name, a, b in self.rows():
            lines += [f"code {name}:", b] if part == "code" else [f"{part} {name}: {shown(a)} → {shown(b)}"]
        return "\n".join(lines) if len(lines) > 1 else f"{lines[0]}\nno difference"

    def __repr__(self) -> str:
        return f"<RunComparison {self.a} → {self.b}: {len(self.rows())} rows>"

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><td>{escape(part)}</td><td>{escape(name)}</td>"
            + (
                f"<td colspan='2'><pre style='margin:0'>{escape(str(b))}</pre></td></tr>"
                if part == "code"
                else f"<td>{escape(shown(a))}</td><td>{escape(shown(b))}</td></tr>"
            )
            for part, name, a, b in self.rows()
        )
        head = f"<tr><th></th><th></th><th>{escape(self.a)}</th><th>{escape(self.b)}</th></tr>"
        return f"<table class='nbp-compare'>{head}{body}</table>"


def compare(
    a: Run,
    b: Run,
    *,
    cells: tuple[Mapping[str, str], Mapping[str, str]],
    called: Mapping[str, str] | None = None,
    figures: tuple[Mapping[str, Figure], Mapping[str, Figure]] = ({}, {}),
) -> RunComparison:
    """Compare two runs.

    Cells are the sources of each run's code cells by id, injected values left out, and ``called`` what people call
    those whose ids say nothing; figures are by name.
    """
    before, after = ({name: digest(figure) for name, figure in each.items()} for each in figures)
    return RunComparison(
        a=a.id,
        b=b.id,
        status=(a.status.value, b.status.value),
        parameters=different(a.parameters, b.parameters),
        metrics={name: (a.metrics.get(name), b.metrics.get(name)) for name in {**a.metrics, **b.metrics}},
        data=different(a.data, b.data),
        cells=cell_changes(*cells),
        code=code_changes(*cells),
        called=called or {},
        figures=different(before, after),
        environment={}
        if a.environment and a.environment == b.environment
        else different(versions(Path(a.folder)), versions(Path(b.folder))),
        duration_s=(seconds(a), seconds(b)),
    )


def different(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The names whose values differ; a missing one is ``None``."""
    return {name: (a.get(name), b.get(name)) for name in sorted({*a, *b}) if a.get(name) != b.get(name)}


def cell_changes(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, str]:
    """What became of each cell that differs, in the order of the notebooks."""
    return {
        cell: "added" if cell not in a else "removed" if cell not in b else "changed"
        for cell in dict.fromkeys([*a, *b])
        if a.get(cell, "").rstrip() != b.get(cell, "").rstrip() or (cell in a) != (cell in b)
    }


def digest(figure: Figure) -> str:
    """SHA-256 of a picture, shortened as people compare them."""
    return sha256(figure.content.encode()).hexdigest()[:16]


def code_changes(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, str]:
    """A unified diff of each cell that differs, in the order of the notebooks."""
    found = {}
    for cell in dict.fromkeys([*a, *b]):
        before, after = a.get(cell, ""), b.get(cell, "")
        if before.rstrip() != after.rstrip():
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
            found[cell] = "\n".join(list(lines)[2:])
    return found


def versions(folder: Path) -> dict[str, str]:
    """Python and every distribution of a run's environment."""
    try:
        content = json.loads((folder / "environment.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {"python": content["python"], **content["distributions"]}


def seconds(run: Run) -> float | None:
    """How long a run took."""
    return run.duration.total_seconds() if run.duration else None


def shown(value: Any) -> str:
    """A value in a cell of the table."""
    if value is None:
        return ABSENT
    return number(value, 6) if isinstance(value, float) else str(value)
