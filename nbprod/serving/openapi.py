"""The OpenAPI description of a server, made from the schema of the version in use, so that it stays true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbprod.domain.rollout_verdict import Act
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.serving.reviewing import MOST_ITEMS
from nbprod.serving.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["describe", "row_schema"]

TYPES = {
    ColumnKind.NUMBER: {"type": "number"},
    ColumnKind.INTEGER: {"type": "integer"},
    ColumnKind.BOOLEAN: {"type": "boolean"},
    ColumnKind.TEXT: {"type": "string"},
    ColumnKind.DATETIME: {"type": "string", "format": "date-time"},
}
SENTENCE = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
PROBLEM = {
    "type": "object",
    "properties": {
        "row": {"type": ["integer", "null"]},
        "field": {"type": "string"},
        "problem": {"type": "string"},
        "expected": {"type": "string"},
    },
    "required": ["row", "field", "problem", "expected"],
}
SENTENCES = {
    400: "The body is no strict JSON, or the request no HTTP.",
    401: "A bearer token is needed.",
    403: "The token has not the scope, or another site's page asks.",
    404: "There is no such model, version, prediction or route.",
    405: "The route has another method.",
    408: "The request did not arrive in time.",
    409: "A prediction was not sent to review, or by the recorded verdict it may not be done.",
    413: "The body is too large, or has too many rows.",
    415: "The body is of another type.",
    431: "The headers are too large.",
    503: "Busy, or predictions cannot be kept; come back after Retry-After seconds.",
}
REVIEW_PARAMETERS = [
    {
        "name": "reviewer",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 1},
    },
]
ALWAYS = (400, 401, 403, 405, 408, 431, 503)
ERRORS_OF_BODIES = (*ALWAYS, 413)


def describe(application: FastAPI, service: Service) -> Mapping[str, Any]:
    """The description, for the version in use now."""
    from fastapi.openapi.utils import get_openapi  # delayed: the gate imports nothing of FastAPI

    model = service.model
    schema = model.schema if model else None
    deployment = service.assignment.deployment
    version = model.arm.version if model else "none"
    described = get_openapi(
        title=f"{deployment}",
        version=version,
        description=f"Predictions by {version}, kept with their ids.",
        routes=application.routes,
    )
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            operation.pop("operationId", None)
            operation["responses"] = _responses(path, method, schema)
            if "{name}" in path:
                operation["parameters"] = [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in ("name", "number")
                    if f"{{{name}}}" in path
                ]
            if path == "/review" and method == "get":
                operation["parameters"] = REVIEW_PARAMETERS
            if "{act}" in path:
                act = {"type": "string", "enum": [str(one) for one in Act]}
                operation["parameters"] = [{"name": "act", "in": "path", "required": True, "schema": act}]
            elif method == "post" and schema is not None:
                operation["requestBody"] = {"required": True, "content": _content(path, schema, service)}
    described.pop("components", None)
    described["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
    if not service.assignment.is_open:
        described["security"] = [{"token": []}]
    return described


def row_schema(schema: Schema, *, any_category: bool = True) -> dict[str, Any]:
    """One row, as JSON Schema."""
    return {
        "type": "object",
        "properties": {column.name: _field(column, any_category=any_category) for column in schema.columns},
        "required": list(schema.names),
        "additionalProperties": False,
    }


def _field(column: Column, *, any_category: bool) -> dict[str, Any]:
    if column.kind is ColumnKind.CATEGORY:
        kinds = sorted({_json_type(value) for value in column.categories}) or ["string"]
        field: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
        if column.categories:
            known = [*column.categories, *([None] if column.nullable else [])]
            field |= {"examples": known[:5]} if any_category else {"enum": known}
    else:
        field = dict(TYPES[column.kind])
    if column.nullable:
        types = field["type"]
        field["type"] = [*(types if isinstance(types, list) else [types]), "null"]
    if column.low is not None and column.high is not None:
        field["description"] = f"{column.low:g} to {column.high:g} in training"
    return field


def _json_type(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"


def _content(path: str, schema: Schema, service: Service) -> dict[str, Any]:
    rows = {"type": "array", "items": row_schema(schema, any_category=service.assignment.unseen != "refuse")}
    if path == "/predict":
        unit = {"type": ["string", "null"], "minLength": 1, "maxLength": 256}
        body = {
            "type": "object",
            "properties": {"rows": {**rows, "maxItems": service.limits.rows}, "unit": unit},
            "required": ["rows"],
            "additionalProperties": False,
        }
    elif path == "/outcomes":
        body = _outcomes(schema, service)
    elif path == "/review":
        body = _reviews(schema)
    elif path == "/invocations":
        body = {
            "type": "object",
            "properties": {"dataframe_records": rows},
            "required": ["dataframe_records"],
            "additionalProperties": False,
        }
        return {"application/json": {"schema": body}, "text/csv": {"schema": {"type": "string"}}}
    else:
        tensor = {
            "type": "object",
            "properties": {
                "name": {"enum": list(schema.names)},
                "datatype": {"type": "string"},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": {"type": "array"},
            },
            "required": ["name", "datatype", "shape"],
        }
        body = {
            "type": "object",
            "properties": {"id": {"type": "string"}, "inputs": {"type": "array", "items": tensor}},
            "required": ["inputs"],
        }
        raw = {"schema": {"type": "string", "format": "binary"}}
        return {"application/json": {"schema": body}, "application/octet-stream": raw}
    return {"application/json": {"schema": body}}


def _outcomes(schema: Schema, service: Service) -> dict[str, Any]:
    key = {"type": "string", "minLength": 1, "maxLength": 256}
    one = {
        "type": "object",
        "properties": {
            "prediction_id": key,
            "unit": key,
            "outcome": _truth(schema),
            "at": {"type": "string", "format": "date-time"},
        },
        "required": ["outcome"],
        "oneOf": [{"required": ["prediction_id"]}, {"required": ["unit"]}],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"outcomes": {"type": "array", "items": one, "maxItems": service.limits.rows}},
        "required": ["outcomes"],
        "additionalProperties": False,
    }


def _reviews(schema: Schema) -> dict[str, Any]:
    one = {
        "type": "object",
        "properties": {
            "prediction_id": {"type": "string", "minLength": 1, "maxLength": 256},
            "outcome": _truth(schema),
        },
        "required": ["prediction_id", "outcome"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "reviewer": {"type": "string", "minLength": 1, "maxLength": 128},
            "answers": {"type": "array", "items": one, "maxItems": MOST_ITEMS},
        },
        "required": ["reviewer", "answers"],
        "additionalProperties": False,
    }


def _truth(schema: Schema) -> dict[str, Any]:
    return {"enum": list(schema.classes)} if schema.classes else {"type": "number"}


def _responses(path: str, method: str, schema: Schema | None) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": _answered(path, schema)}}
    if path in {"/", "/docs"}:
        content = {"text/html": {"schema": {"type": "string"}}}
    elif path in {"/metrics", "/version"}:
        content = {"text/plain": {"schema": {"type": "string"}}}
    elif path in {"/ping", "/health"}:
        content = {"application/json": {}}
    responses: dict[str, Any] = {"200": {"description": "Done.", "content": content}}
    statuses = list(ERRORS_OF_BODIES if method == "post" else ALWAYS)
    statuses += [404] if "{" in path or path in {"/review", "/rollout"} else []
    statuses += [409] if "{act}" in path or (path == "/review" and method == "post") else []
    statuses += [415] if path == "/invocations" else []
    for status in sorted(statuses):
        told = {"application/json": {"schema": SENTENCE}}
        if status == 401 and method == "get":
            told["text/html"] = {"schema": {"type": "string"}}
        responses[str(status)] = {"description": SENTENCES[status], "content": told}
    if path == "/v2/health/ready":
        responses["503"]["content"]["application/json"]["schema"] = _answered(path, schema)
    if method == "post" and "{act}" not in path:
        contract = {"application/json": {"schema": {"type": "array", "items": PROBLEM}}}
        responses["422"] = {"description": "What is wrong with which field of which row.", "content": contract}
    return dict(sorted(responses.items()))


def _answered(path: str, schema: Schema | None) -> dict[str, Any]:
    """The body of a 200."""
    if schema is None or path not in {"/predict", "/invocations"}:
        return {"type": "object"}
    outputs: dict[str, Any] = {
        name: {"type": "number"} if name != "prediction" or not schema.classes else {"enum": list(schema.classes)}
        for name in schema.outputs
    }
    if path == "/invocations":
        row = {"type": "object", "properties": outputs, "required": list(outputs)}
        return {"type": "object", "properties": {"predictions": {"type": "array", "items": row}}}
    row = {
        "type": "object",
        "properties": {"prediction_id": {"type": "string"}, **outputs},
        "required": ["prediction_id", *outputs],
    }
    return {
        "type": "object",
        "properties": {
            "deployment": {"type": "string"},
            "version": {"type": "string"},
            "predictions": {"type": "array", "items": row},
        },
        "required": ["deployment", "version", "predictions"],
    }
