"""The panel of a run as plain HTML: what the live widget shows, and its twin where there is no kernel.

Only elements and styles that survive a page's cleaning are used, so it reads the same in Jupyter, in a page made by
nbconvert and in our own reports.
"""

from __future__ import annotations

from nbprod.domain.run import CellResult, CellStatus, RunStatus
from nbprod.pages.formatting import CAUSES, duration
from nbprod.pages.terminal import plain
from nbprod.panels.run_follower import Standing
from nbprod.visible import escape

__all__ = ["draw", "sentence"]

SIGNS = {
    CellStatus.COMPLETED: "✓",
    CellStatus.FAILED: "✕",
    CellStatus.RUNNING: "▸",
    CellStatus.SKIPPED: "—",
    CellStatus.PENDING: "·",
}
EDGES = {
    RunStatus.SUCCEEDED: "#2e7d4f",
    RunStatus.FAILED: "#b3261e",
    RunStatus.LOST: "#b3261e",
    RunStatus.CANCELLED: "#9a6700",
}
CALM = "#2f6f8f"
PRINTED = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;padding:2px 0;margin:2px 0"
MOST_ROWS = 12
BAR = 24


def draw(standing: Standing) -> str:
    """The whole panel, everything in it escaped; nothing in it is loaded from anywhere."""
    result = standing.result
    edge = EDGES.get(result.status, CALM)
    head = f"<strong>Run {escape(standing.title)}</strong><br>{escape(sentence(standing))}"
    parts = [f'<div style="padding:2px 0">{head}</div>']
    if result.cells:
        parts += [_bar(result.cells), _table(standing)]
    if standing.tail.strip():
        text = escape(plain(standing.tail).strip("\n"))
        parts.append(
            f'<div style="opacity:.75;padding:2px 0">Printed by {escape(standing.tail_of)}</div>'
            f'<pre style="{PRINTED}" tabindex="0">{text}</pre>'
        )
    moment = f"As of {standing.at:%Y-%m-%d %H:%M:%S} UTC"
    parts.append(f'<div style="opacity:.75;padding:2px 0"><small>{moment}</small></div>')
    style = f"border-left:3px solid {edge};padding:2px 0 2px 10px;margin:4px 0;line-height:1.45"
    body = "".join(parts)
    return f'<div class="nbp-panel" role="group" aria-label="Progress of a run" style="{style}">{body}</div>'


def sentence(standing: Standing) -> str:
    """How the run stands, in one line: status, cells, time, and the cause where it did not end well."""
    result = standing.result
    done = sum(cell.status is CellStatus.COMPLETED for cell in result.cells)
    facts = [str(result.status)]
    if standing.stopping:
        facts.append(f"stopping ({standing.stopping})")
    if result.cells:
        facts.append(f"{done} of {len(result.cells)} cells")
    if result.started_at:
        facts.append(duration(((result.ended_at or standing.at) - result.started_at).total_seconds()))
    text = " · ".join(facts)
    if result.cause:
        where = f" in {result.failed_at}" if result.failed_at else ""
        text += f". Ended{where}: {CAUSES[result.cause]}" + (f" ({plain(result.error)})" if result.error else "")
    return text


def _bar(cells: tuple[CellResult, ...]) -> str:
    done = sum(cell.status is CellStatus.COMPLETED for cell in cells)
    filled = BAR * done // len(cells)
    return f'<div style="padding:2px 0" aria-hidden="true">{"█" * filled}{"░" * (BAR - filled)}</div>'


def _table(standing: Standing) -> str:
    cells = standing.result.cells
    at = next((n for n, cell in enumerate(cells) if cell.status in {CellStatus.RUNNING, CellStatus.FAILED}), None)
    reached = sum(cell.status is not CellStatus.PENDING for cell in cells) if at is None else at + 1
    start = max(0, min(reached + 3, len(cells)) - MOST_ROWS)
    shown = cells[start : start + MOST_ROWS]
    rows = [_row(cell, standing) for cell in shown]
    if start:
        rows.insert(0, _note(f"… {start} cells above"))
    if rest := len(cells) - start - len(shown):
        rows.append(_note(f"… {rest} cells below"))
    return f'<table style="border-collapse:collapse">{"".join(rows)}</table>'


def _row(cell: CellResult, standing: Standing) -> str:
    duration_text = ""
    if cell.started_at and cell.status is not CellStatus.PENDING:
        duration_text = duration(((cell.ended_at or standing.at) - cell.started_at).total_seconds())
    weight = "font-weight:600;" if cell.status in {CellStatus.RUNNING, CellStatus.FAILED} else ""
    style = f"{weight}text-align:left;padding:1px 12px 1px 0"
    status = "" if cell.status is CellStatus.COMPLETED else str(cell.cause or cell.status)
    return (
        "<tr>"
        + "".join(
            f'<td style="{style}">{escape(text)}</td>'
            for text in (f"{SIGNS[cell.status]} {cell.called}", duration_text, status.replace("pending", "not yet"))
        )
        + "</tr>"
    )


def _note(text: str) -> str:
    return f'<tr><td colspan="3" style="opacity:.75;text-align:left;padding:1px 0">{escape(text)}</td></tr>'
