"""The report of a run: one HTML file that says what was done, with what, what came out, and where it comes from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from markupsafe import Markup

from nbprod.domain.check import CheckResult
from nbprod.domain.run import CellResult, Run
from nbprod.pages.charts import IntervalRow, cell_timeline, intervals
from nbprod.pages.formatting import duration, run_sentence
from nbprod.pages.layout import Link, figure, render, when
from nbprod.pages.notebook import Reader, read
from nbprod.pages.scoring_form import ScoringForm

__all__ = ["ReportFinding", "run_report"]

MOST_TILES = 24


@dataclass(frozen=True, kw_only=True)
class ReportFinding:
    """What a run came to, told before how it went: it recorded ``verdict``, ``sentence`` and ``next_step``."""

    verdict: str
    sentence: str
    next_step: str = ""


def run_report(
    run: Run,
    notebook: Mapping[str, Any] | None = None,
    *,
    cells: Sequence[CellResult] = (),
    checks: Sequence[CheckResult] = (),
    finding: ReportFinding | None = None,
    links: Sequence[Link] = (),
    pages: Mapping[str, str] | None = None,
    nav: Sequence[Link] = (),
    form: ScoringForm | None = None,
    scoring: str = "",
) -> str:
    """Make the report of a run; under 300 kB without its pictures.

    Parameters
    ----------
    run
        As the ledger has it.
    notebook
        The executed notebook, of format 4; ``None`` when there is none yet.
    cells
        What happened to each code cell, in order.
    checks
        Recorded checks, shown with their intervals.
    finding
        What the run concluded, if it did; it comes first.
    links
        The run's files, by relative address. An HTML file is linked only when it is boxed
        (:func:`nbprod.pages.box.boxed`): its scripts are driven by data.
    pages
        Addresses of other pages by id: runs, alerts, model versions.
    nav
        The site's navigation; none for a report that stands alone.
    form
        That asks the model the run made.
    scoring
        A sentence about the form, or why there is none; empty where there is nothing to say.
    """
    statuses = {cell.id: cell.status for cell in cells}
    reader = (
        read(notebook, statuses=statuses, failed_cell=run.failed_cell)
        if notebook is not None
        else Reader(title="", cells=())
    )
    known = pages or {}
    shown = [cell for cell in cells if cell.id not in reader.injected]
    return render(
        "run.html.j2",
        title=f"{reader.title or run.template}: {run.status}",
        heading=reader.title or run.template,
        nav=list(nav),
        **({"policy": form.policy} if form is not None else {}),
        form=form.html if form is not None else None,
        scoring=scoring,
        run=run,
        sentence=run_sentence(run),
        finding=finding,
        next_step=_commands(finding.next_step) if finding is not None else "",
        facts=_facts(run, known),
        metrics=list(run.metrics.items())[:MOST_TILES],
        checks=list(checks),
        interval_figure=_interval_figure(checks),
        cells=shown,
        timeline=figure("Code cells, when they ran and how long; the solid part is CPU time", _timeline(shown)),
        reader=reader,
        failed_here=any(cell.is_failed for cell in reader.cells),
        parameters=[
            (name, value, "default" if _is_default(name, value, reader) else "given")
            for name, value in run.parameters.items()
        ],
        links=list(links),
        provenance=_provenance(run),
        command=_command(run, reader),
    )


def _commands(text: str) -> Markup:
    """A sentence with what stands between backticks as code."""
    parts = text.split("`")
    return Markup().join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _facts(run: Run, pages: Mapping[str, str]) -> list[tuple[str, object]]:
    cause = run.caused_by or ""
    behind = Markup('<a href="{}">{}</a>').format(pages[cause], cause) if cause in pages else cause
    return [
        ("Run", Markup("<code>{}</code>").format(run.id)),
        ("Started", when(run.started_at or run.created_at)),
        ("Took", duration(run.duration.total_seconds()) if run.duration else ""),
        ("By", run.actor),
        ("Caused by", behind),
    ]


def _provenance(run: Run) -> list[tuple[str, object]]:
    code = Markup("<code>{}</code>")
    git = (run.git or "").removesuffix("+")
    changed = " with changes not committed" if (run.git or "").endswith("+") else ""
    return [
        ("Notebook", "/".join(PurePath(run.source).parts[-2:])),
        ("Digest of its cells", code.format(run.template_digest[:16])),
        *((f"Data: {name}", code.format(fingerprint)) for name, fingerprint in run.data.items()),
        ("Commit", code.format(git[:12]) + changed if git else ""),
        ("Environment", code.format(run.environment[:16]) if run.environment else ""),
        ("Asked for", when(run.created_at)),
    ]


def _command(run: Run, reader: Reader) -> str:
    given = [(name, value) for name, value in run.parameters.items() if not _is_default(name, value, reader)]
    if any(not isinstance(value, str | int | float | bool) for _, value in given):
        return f"nbprod runs reproduce {run.id}"  # a list or a mapping has no short form on a command line
    pieces = [f"-p {shlex.quote(f'{name}={value}')}" for name, value in given]
    return " ".join(["nbprod run", shlex.quote(run.template), *pieces])


def _is_default(name: str, value: Any, reader: Reader) -> bool:
    default = reader.defaults.get(name, ...)
    default = list(default) if isinstance(default, tuple | set) else default  # JSON has lists alone
    return type(default) is type(value) and bool(default == value)


def _interval_figure(checks: Sequence[CheckResult]) -> Markup:
    measured = [check for check in checks if check.value is not None and None not in {check.low, check.high}]
    if not measured:
        return Markup()
    rows = [
        IntervalRow(
            label=f"{check.name} {check.subject}".strip(),
            value=check.value,
            low=check.low,
            high=check.high,
            outcome=check.outcome,
        )
        for check in measured[:20]
    ]
    return figure("Values with their intervals", lambda width: intervals("Checks", rows, width=width))


def _timeline(cells: Sequence[CellResult]) -> Any:
    return lambda width: cell_timeline("Timeline of the cells", cells, width=width)
