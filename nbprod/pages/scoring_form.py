"""The form that asks a model: fields from its schema, an answer at each change, and what each field contributes.

Offline it holds the compiled model and evaluates it in the page; with a server it asks that one. The page that shows
it allows this one script by its hash and no other, so that foreign markup beside it still cannot act; all data are in
a block that is not executed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Literal

from markupsafe import Markup

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.pages.layout import POLICY, render

__all__ = ["MOST_BYTES", "ScoringForm", "scoring_form", "scoring_page"]

MOST_BYTES = 1_000_000  #: of a page that holds a model


@dataclass(frozen=True, kw_only=True)
class ScoringForm:
    """A form as markup, with the policy its page must have."""

    html: Markup
    policy: str


def scoring_form(
    schema: Schema,
    *,
    mode: Literal["offline", "server"] = "offline",
    plan: str | None = None,
    examples: Sequence[Mapping[str, Any]] = (),
    usual: Mapping[str, Any] | None = None,
) -> ScoringForm:
    """Make the form of a model.

    Parameters
    ----------
    schema
        What the model takes and gives.
    mode
        ``offline`` evaluates ``plan``; ``server`` sends rows to ``predict`` and outcomes to ``outcomes``, both beside
        the page.
    plan
        The compiled model as :meth:`nbprod.compiled.Plan.to_page` writes it. With a server it may be given too: then
        contributions are computed in the page, and the answer is the server's.
    examples
        Rows to begin with.
    usual
        By field a usual value, which contributions are told against.

    Raises
    ------
    ValueError
        A form that is offline has no plan.
    """
    if mode == "offline" and plan is None:
        raise ValueError("an offline form needs a compiled model")
    told = {
        "mode": mode,
        "target": schema.target,
        "task": schema.task,
        "classes": list(schema.classes),
        "outputs": list(schema.outputs),
        "columns": [_column(column) for column in schema.columns],
        "examples": [dict(row) for row in examples],
        "usual": dict(usual or {}),
    }
    data = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    script = _script()
    html = Markup("<style>{}</style>\n").format(Markup(_resource("scoring.css")))  # noqa: S704 — a file of this package
    html += Markup('<div class="scoring" data-scoring></div>\n')
    html += _block("scoring-data", data)
    html += _block("scoring-plan", plan) if plan is not None else Markup()
    html += Markup("<script>{}</script>").format(Markup(script))  # noqa: S704 — files of this package
    digest = base64.b64encode(sha256(script.encode()).digest()).decode()
    policy = f"{POLICY}; script-src 'sha256-{digest}'" + ("; connect-src 'self'" if mode == "server" else "")
    return ScoringForm(html=html, policy=policy)


def scoring_page(form: ScoringForm, *, title: str, back: str = "", about: str = "") -> str:
    """A page of its own around a form.

    Parameters
    ----------
    form
        Of :func:`scoring_form`.
    title
        Plain text.
    back
        Address of the page to go back to; none when empty.
    about
        A sentence below the title.
    """
    return render(
        "scoring.html.j2",
        title=title,
        nav=[],
        form=form.html,
        policy=form.policy,
        back=back,
        about=about,
        serves="connect-src" in form.policy,
    )


def _block(name: str, content: str) -> Markup:
    """JSON in a block that no browser executes; nothing in it can end the block."""
    safe = content.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup('<script type="application/json" id="{}">{}</script>\n').format(name, Markup(safe))  # noqa: S704


def _column(column: Column) -> dict[str, Any]:
    is_text = column.kind is ColumnKind.TEXT or (
        column.kind is ColumnKind.CATEGORY and all(isinstance(value, str) for value in column.categories)
    )
    zone = column.dtype.rstrip("]").partition(", ")[2] if column.kind is ColumnKind.DATETIME else ""
    return {
        "name": column.name,
        "kind": str(column.kind),
        "text": is_text,
        "nullable": column.nullable,
        "low": column.low,
        "high": column.high,
        "categories": list(column.categories),
        "zone": zone,
    }


@cache
def _script() -> str:
    return "\n".join(_resource(name) for name in ("compiled.js", "scoring.js"))


def _resource(name: str) -> str:
    return files("nbprod").joinpath("resources", "pages", name).read_text(encoding="utf-8")
