"""What differs between two packages: metrics, columns, environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.schema import Schema
from nbprod.packages.sealing import Sealed

__all__ = ["PackageComparison", "compare_sealed"]


@dataclass(frozen=True, kw_only=True)
class PackageComparison:
    """Two packages side by side; of everything but the metrics, only what differs."""

    first: str  #: digest
    second: str
    metrics: Mapping[str, tuple[float | None, float | None]]
    columns: tuple[str, ...]  #: a sentence for each column that differs
    facts: Mapping[str, tuple[Any, Any]]  #: parameters, model, template, data
    versions: Mapping[str, tuple[str | None, str | None]]  #: of distributions both were pinned to

    def __repr__(self) -> str:
        return (
            f"<PackageComparison {self.first[:12]} with {self.second[:12]}: {len(self.columns)} columns and "
            f"{len(self.facts)} facts differ>"
        )

    def _repr_html_(self) -> str:
        def pair(values: tuple[Any, Any]) -> str:
            return " → ".join("none" if value is None else str(value) for value in values)

        def shown(values: tuple[float | None, float | None]) -> str:
            return " → ".join("none" if value is None else number(value) for value in values)

        return card(
            f"{self.first[:12]} → {self.second[:12]}",
            [
                *((name, shown(values)) for name, values in self.metrics.items()),
                *((name, pair(values)) for name, values in self.facts.items()),
                *((name, pair(values)) for name, values in self.versions.items()),
                ("columns", " ".join(self.columns)),
            ],
        )


def compare_sealed(first: Sealed, second: Sealed) -> PackageComparison:
    """Compare what two verified packages say of themselves; no model is loaded."""
    facts = [_facts(package) for package in (first, second)]
    versions = [_pins(package) for package in (first, second)]
    return PackageComparison(
        first=first.digest,
        second=second.digest,
        metrics=_side_by_side(*(json.loads(package.read("metrics.json")) for package in (first, second))),
        columns=_columns(*(Schema.from_json(package.read("schema.json").decode()) for package in (first, second))),
        facts=_different(*facts),
        versions=_different(*versions),
    )


def _facts(package: Sealed) -> dict[str, Any]:
    data = json.loads(package.read("nbprod.json"))
    kept = {name: data[name] for name in ("format", "git", "model", "target", "task", "template")}
    kept |= {f"parameter {name}": value for name, value in data["parameters"].items()}
    return kept | {f"data {name}": digest[:12] for name, digest in data["data"].items()}


def _pins(package: Sealed) -> dict[str, str]:
    lines = package.read("requirements.txt").decode().splitlines()
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


def _side_by_side(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (first.get(name), second.get(name)) for name in sorted({*first, *second})}


def _different(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: pair for name, pair in _side_by_side(first, second).items() if pair[0] != pair[1]}


def _columns(first: Schema, second: Schema) -> tuple[str, ...]:
    before = {column.name: column for column in first.columns}
    after = {column.name: column for column in second.columns}
    sentences = [f"{name} is no longer taken." for name in before if name not in after]
    sentences += [f"{name} is new." for name in after if name not in before]
    for name in before.keys() & after.keys():
        if (before[name].kind, before[name].nullable) != (after[name].kind, after[name].nullable):
            sentences.append(
                f"{name} was {before[name].kind} and is {after[name].kind}, {_missing(after[name].nullable)}."
            )
    return tuple(sorted(sentences))


def _missing(nullable: bool) -> str:  # noqa: FBT001 — a private word choice
    return "with missing values" if nullable else "without missing values"
