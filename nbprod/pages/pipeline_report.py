"""The page of one execution of a pipeline: its graph, each step's health, and what changed since the one before."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from nbprod.domain.pipeline import PipelineRun, StepResult
from nbprod.pages.formatting import duration, tone
from nbprod.pages.graphs import Node, graph
from nbprod.pages.layout import Link, figure, render, when

__all__ = ["pipeline_report"]


def pipeline_report(run: PipelineRun, *, pages: Mapping[str, str] | None = None, nav: Sequence[Link] = ()) -> str:
    """Make the page of an execution.

    Parameters
    ----------
    run
        As the ledger has it.
    pages
        Addresses of other pages by id; by default the runs' own reports, as seen from the execution's folder.
    nav
        The site's navigation; none for a page that stands alone.
    """
    known = pages if pages is not None else {
        step.run_id: f"../../runs/{step.run_id}/report.html" for step in run.steps if step.run_id
    }  # fmt: skip
    nodes = [
        Node(
            name=step.name,
            note=str(step.status) + (f", {duration(step.seconds)}" if step.seconds else ""),
            tone=tone(step.status),
            needs=step.needs,
            reached_by=step.reached_by,
        )
        for step in run.steps
    ]
    return render(
        "pipeline.html.j2",
        title=f"{run.pipeline}: {run.status}",
        nav=list(nav),
        run=run,
        facts=_facts(run, known),
        picture=figure(
            "Each step after what it needs; a dashed line is a change that was passed on",
            lambda width: graph(f"Steps of {run.pipeline}", nodes, width=width),
        ),
        reached=[step for step in run.steps if step.reached_by],
        steps=[_step(step, known) for step in run.steps],
        inputs=list(run.inputs.items()),
        command=_command(run),
    )


def _facts(run: PipelineRun, pages: Mapping[str, str]) -> list[tuple[str, object]]:
    cause = run.caused_by or ""
    behind = Markup('<a href="{}">{}</a>').format(pages[cause], cause) if cause in pages else cause
    return [
        ("Pipeline run", Markup("<code>{}</code>").format(run.id)),
        ("Started", when(run.created_at)),
        ("Took", duration(run.duration.total_seconds()) if run.duration else ""),
        ("By", run.actor),
        ("Caused by", behind),
    ]


def _step(step: StepResult, pages: Mapping[str, str]) -> dict[str, Any]:
    return {
        "step": step,
        "run": Link(label=step.run_id, href=pages.get(step.run_id)) if step.run_id else None,
        "version": Link(label=step.version, href=pages.get(step.version)) if step.version else None,
        "package": Link(label=f"package {step.package[:12]}", href=pages.get(step.package)) if step.package else None,
    }


def _command(run: PipelineRun) -> str:
    if not run.succeeded:
        return f"nbprod pipeline run {run.pipeline} --resume {run.id}"
    if any(not isinstance(value, str | int | float | bool) for value in run.inputs.values()):
        return ""  # a list or a table has no short form on a command line
    given = [f"-p {shlex.quote(f'{name}={value}')}" for name, value in run.inputs.items()]
    return " ".join(["nbprod pipeline run", run.pipeline, *given])
