"""A prediction to be reviewed as plain HTML: what the live panel shows, and its twin where there is no kernel."""

from __future__ import annotations

from nbprod.domain.review import ReviewForm, ReviewItem
from nbprod.visible import escape

__all__ = ["draw_item"]

CELL = "text-align:left;padding:1px 12px 1px 0"


def draw_item(
    deployment: str, form: ReviewForm, item: ReviewItem | None, *, reviewer: str, answered: int, trouble: str = ""
) -> str:
    """Everything in it escaped; nothing in it is loaded from anywhere, and what the model said is not told."""
    head = f"<strong>Review of {escape(deployment)}</strong>"
    facts = [f"{answered:,} answered by {escape(reviewer)}"]
    parts = []
    if item is None:
        parts.append('<div style="padding:2px 0">Nothing is open.</div>')
    else:
        allowed = ", ".join(escape(str(known)) for known in form.classes) or "a number" * (form.task == "regression")
        facts.append(f"prediction {escape(item.prediction_id)} of {item.at:%Y-%m-%d %H:%M} UTC")
        rows = "".join(
            f'<tr><th scope="row" style="{CELL};font-weight:500;opacity:.75">{escape(name)}</th>'
            f'<td style="{CELL}">{"" if value is None else escape(str(value))}</td></tr>'
            for name, value in item.inputs.items()
        )
        parts.append(f'<table style="border-collapse:collapse;margin:2px 0">{rows}</table>')
        question = f"What is {escape(form.target)}?" + (f" {allowed}" if allowed else "")
        parts.append(f'<div style="padding:2px 0">{question}</div>')
    if trouble:
        parts.append(f'<div role="alert" style="padding:2px 0;font-weight:600">{escape(trouble)}</div>')
    style = "border-left:3px solid #2f6f8f;padding:2px 0 2px 10px;margin:4px 0;line-height:1.45"
    body = f'<div style="padding:2px 0">{head}<br>{" · ".join(facts)}</div>{"".join(parts)}'
    return f'<div class="nbp-panel" role="group" aria-label="A prediction to review" style="{style}">{body}</div>'
