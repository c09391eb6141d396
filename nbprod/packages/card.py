"""The card of a package: ``README.md`` with front matter, for people and for model hubs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from nbprod.compiled.certificate import Certificate
from nbprod.domain.numbers import number
from nbprod.domain.schema import Column, Schema

__all__ = ["write_card"]

MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]()#|~"} | {"<": "&lt;", ">": "&gt;", "\n": " "})
LIMITS = (
    "It has seen no value outside of the ranges and categories above; what it says of others is a guess. "
    "The metrics hold for data like the reference, and for as long as the world stays like it: watch it.\n"
)


def write_card(
    *,
    schema: Schema,
    model: str,
    metadata: Mapping[str, Any],
    metrics: Mapping[str, float],
    rows: int,
    pinned: Mapping[str, str],
    certificate: Certificate,
) -> str:
    """The text of the card.

    Parameters
    ----------
    schema
        What the model takes and gives.
    model
        What it is, for instance ``Pipeline of ColumnTransformer and LogisticRegression``.
    metadata
        Identity of the package.
    metrics
        As the run recorded them.
    rows
        How many held-out rows the reference has.
    pinned
        Version by name of what loading needs.
    certificate
        Of the compiled model.
    """
    kind = f"tabular-{schema.task}"
    front = {
        "library_name": "sklearn",
        "pipeline_tag": kind,
        "tags": ["nbprod", "tabular", metadata["format"]],
        "model_format": metadata["format"],
    }
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=True)}---\n",
        f"# {schema.task.capitalize()} of {_safe(schema.target)}\n",
        _origin(model, metadata),
        "## What it takes\n",
        _table(["column", "kind", "may be missing", "seen"], [_column(column) for column in schema.columns]),
        "## What it gives\n",
        _outputs(schema),
        "## Data\n",
        f"The reference holds {rows:,} rows that the model was not trained on, without private columns. "
        + _fingerprints(metadata["data"]),
        "## Metrics\n",
        _table(["metric", "value"], [[_safe(name), number(value, 6)] for name, value in metrics.items()])
        if metrics
        else "The run recorded none.\n",
        "## How it is served\n",
        _table(["compiled model", ""], [[_safe(name), _safe(value)] for name, value in certificate.facts]),
        "## Limits\n",
        LIMITS,
        "## How to load it\n",
        _loading(pinned),
    ]
    return "\n".join(parts)


def _origin(model: str, metadata: Mapping[str, Any]) -> str:
    if metadata["run_id"] is None:
        return (
            f"{_safe(model)}, trained elsewhere and imported from {_safe(metadata['template'])} (SHA-256 "
            f"`{metadata['template_digest']}`). What it takes was read from rows of an example.\n"
        )
    return (
        f"{_safe(model)}, trained by run `{metadata['run_id']}` from the notebook template "
        f"{_safe(metadata['template'])}. The executed notebook is in `notebook.ipynb`.\n"
    )


def _column(column: Column) -> list[str]:
    seen = ""
    if column.low is not None and column.high is not None:
        seen = f"{column.low:g} to {column.high:g}"
    elif column.categories:
        more = f" and {len(column.categories) - 8} more" if len(column.categories) > 8 else ""
        seen = ", ".join(_safe(value) for value in column.categories[:8]) + more
    return [_safe(column.name), column.kind, "yes" if column.nullable else "no", seen]


def _outputs(schema: Schema) -> str:
    lines = [f"- `prediction`: {_safe(schema.target)}"]
    if schema.classes:
        lines[0] += f", one of {', '.join(_safe(value) for value in schema.classes)}"
    if "probability" in schema.outputs:
        lines.append(f"- `probability`: of {_safe(schema.classes[1])}")
    else:
        lines += [f"- {_safe(name)}" for name in schema.outputs[1:]]
    return "\n".join(lines) + "\n"


def _fingerprints(data: Mapping[str, str]) -> str:
    if not data:
        return "\n"
    return "Fingerprints of what the run read:\n\n" + "".join(
        f"- {_safe(name)}: `{_safe(digest)}`\n" for name, digest in sorted(data.items())
    )


def _loading(pinned: Mapping[str, str]) -> str:
    made_with = ", ".join(f"{name} {version}" for name, version in pinned.items())
    return (
        "Every file is compared with `manifest.json` before anything is read.\n\n"
        "```python\n"
        "import nbprod.packages\n\n"
        'package = nbprod.packages.load_package("path/to/this/folder")\n'
        "package.predict(frame)\n"
        "```\n\n"
        "Without nbprod, as an MLflow model:\n\n"
        "```python\n"
        "import mlflow\n\n"
        'mlflow.pyfunc.load_model("path/to/this/folder").predict(frame)\n'
        "```\n\n"
        f"Made with {made_with}; `requirements.txt` pins them.\n"
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _safe(value: object) -> str:
    return str(value).translate(MARKDOWN)
