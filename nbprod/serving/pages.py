"""The server's own pages: a form to try the model, its documentation, a question for a token; no outside request."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from nbprod.domain.schema import Column, ColumnKind
from nbprod.pages.layout import render
from nbprod.serving.models import ServedModel
from nbprod.serving.service import Service

__all__ = ["docs_page", "form_page", "sign_in_page"]

FIXED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
BOOLEANS = [("true", "true"), ("false", "false")]


def form_page(model: ServedModel, service: Service) -> tuple[str, str]:
    """The page at ``/`` and the policy it is sent with."""
    schema = model.schema
    fields = [_field(number, column, model.example) for number, column in enumerate(schema.columns)]
    asked = ("number", "name", "kind", "example", "choices")
    setup = {
        "fields": [{name: field[name] for name in asked} for field in fields],
        "classes": list(schema.classes),
    }
    script = _script("form.js")
    page = render(
        "served_form.html.j2",
        title=f"{service.assignment.deployment} · {model.arm.version}",
        deployment=service.assignment.deployment,
        version=model.arm.version,
        target=schema.target,
        fields=fields,
        classes=list(schema.classes),
        problems=service.problems,
        setup=_json(setup),
        script=Markup(script),  # noqa: S704 — a file of this package
    )
    # the page may be written into one whose policy knows the other script alone, so both name both
    return page, f"{FIXED}; script-src {_hashes()}; connect-src 'self'; form-action 'none'"


def sign_in_page() -> tuple[str, str]:
    """The page that asks for a token, which tells nothing of the model, and its policy."""
    script = Markup(_script("sign_in.js"))  # noqa: S704 — a file of this package
    page = render("served_sign_in.html.j2", title="A token is needed", script=script)
    return page, f"{FIXED}; script-src {_hashes()}; connect-src 'self'; form-action 'none'"


def docs_page(described: Mapping[str, Any], service: Service) -> tuple[str, str]:
    """The page at ``/docs`` and its policy: it has no script at all."""
    model = service.model
    columns = model.schema.columns if model else ()
    example = {column.name: model.example.get(column.name) for column in columns} if model else {}
    body = json.dumps({"rows": [example]}, ensure_ascii=False)
    token = "" if service.assignment.is_open else " -H 'authorization: Bearer TOKEN'"
    operations = [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation.get("description") or operation.get("summary", ""),
            "takes": [
                (media, json.dumps(content["schema"], indent=2, ensure_ascii=False))
                for media, content in operation.get("requestBody", {}).get("content", {}).items()
            ],
            "answers": [(code, answer["description"]) for code, answer in operation["responses"].items()],
        }
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    page = render(
        "served_docs.html.j2",
        title=f"{service.assignment.deployment} · how programs ask",
        deployment=service.assignment.deployment,
        version=model.arm.version if model else "none",
        is_open=service.assignment.is_open,
        columns=[
            {"name": one.name, "type": one.kind, "nullable": one.nullable, "range": _range(one)} for one in columns
        ],
        operations=operations,
        example=f"curl -H 'content-type: application/json'{token} URL/predict -d '{_shell(body)}'",
    )
    return page, f"{FIXED}; form-action 'none'"


def _field(number: int, column: Column, example: Mapping[str, Any]) -> dict[str, Any]:
    value = example.get(column.name)
    kind, options, choices = "text", [], []
    if column.kind is ColumnKind.BOOLEAN:
        kind, options = "boolean", BOOLEANS
        value = "" if value is None else str(value).lower()
    elif column.categories:
        kind, choices = "choice", list(column.categories)
        options = [(str(category), str(position)) for position, category in enumerate(choices)]
        value = str(choices.index(value)) if value in choices else ""
    elif column.is_numeric:
        kind = "number"
    return {
        "number": number,
        "name": column.name,
        "kind": kind,
        "options": options,
        "choices": choices,
        "example": "" if value is None else str(value),
        "may_be_missing": column.nullable,
        "range": _range(column) if kind == "number" else "",
    }


def _range(column: Column) -> str:
    if column.low is not None and column.high is not None:
        return f"{column.low:g} to {column.high:g}"
    return ", ".join(map(str, column.categories[:8])) + (" …" if len(column.categories) > 8 else "")


def _json(value: Any) -> Markup:
    """JSON inside of a script element: no ``<`` can end it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def _shell(text: str) -> str:
    return text.replace("'", "'\\''")


@cache
def _script(name: str) -> str:
    return files("nbprod").joinpath("resources", "serving", name).read_text(encoding="utf-8")


@cache
def _hashes() -> str:
    digests = (sha256(_script(name).encode()).digest() for name in ("form.js", "sign_in.js"))
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)
