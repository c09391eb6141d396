"""What a model takes and gives: columns with their kinds, and the target; rules and JSON, no data frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.plain import listed
from nbprod.errors import SchemaError

__all__ = ["Column", "ColumnKind", "Schema"]

FORMAT = 1  #: of the JSON; a reader refuses a higher one


class ColumnKind(StrEnum):
    """What a column's values are, whatever library holds them."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CATEGORY = "category"  #: few distinct values, all of them listed
    TEXT = "text"
    DATETIME = "datetime"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One input of a model, as it was in the rows the model was saved with."""

    name: str
    kind: ColumnKind
    dtype: str  #: as pandas names it: ``float64``, ``str``, ``datetime64[us, UTC]``
    nullable: bool = False  #: whether values were missing
    low: float | None = None  #: of numbers and integers
    high: float | None = None
    categories: tuple[Any, ...] = ()  #: of categories, sorted; empty for a private column

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.kind in {ColumnKind.NUMBER, ColumnKind.INTEGER}

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}{'?' if self.nullable else ''}"


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The columns a model takes, in its order, and what it predicts."""

    columns: tuple[Column, ...]
    target: str
    task: str  #: ``classification`` or ``regression``
    classes: tuple[Any, ...] = ()  #: in the model's order; of two, the second is the positive one
    probabilistic: bool = False  #: whether it gives probabilities of the classes
    time: str | None = None  #: the column that orders the rows, where there is one

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise SchemaError(f"Columns occur more than once: {', '.join(twice)}", columns=twice)
        if self.task not in {"classification", "regression"}:
            raise SchemaError(f"{self.task!r} is not a task", hint="It is classification or regression.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of a name.

        Raises
        ------
        SchemaError
            There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"The model takes no column {name!r}", columns=[name])

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns a prediction has.

        ``prediction``, and of a probabilistic classifier the positive class's ``probability`` or, of more than two
        classes, ``probability_<class>`` for each.
        """
        if not self.probabilistic:
            return ("prediction",)
        if len(self.classes) == 2:
            return ("prediction", "probability")
        return ("prediction", *(f"probability_{name}" for name in self.classes))

    def to_json(self) -> str:
        """Write as JSON that :meth:`from_json` reads back equal."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        SchemaError
            The text is no schema, or one of a later format.
        """
        try:
            data = json.loads(text)
            if data["format"] > FORMAT:
                raise SchemaError(
                    f"The schema has format {data['format']}; this nbprod reads up to {FORMAT}",
                    hint="Use a newer nbprod.",
                )
            return cls(
                columns=tuple(_column(column) for column in data["columns"]),
                target=data["target"],
                task=data["task"],
                classes=tuple(data["classes"]),
                probabilistic=data["probabilistic"],
                time=data["time"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"This is not a schema of a model: {error!r}") from error

    def __repr__(self) -> str:
        return f"<Schema of {len(self.columns)} columns, {self.task} of {self.target!r}>"

    def _repr_html_(self) -> str:
        return card(
            f"{self.task.capitalize()} of {self.target}",
            [
                *((column.name, _describe(column)) for column in self.columns),
                ("classes", ", ".join(map(str, self.classes))),
            ],
        )


def _column(data: Mapping[str, Any]) -> Column:
    return Column(**{**data, "kind": ColumnKind(data["kind"]), "categories": tuple(data["categories"])})


def _describe(column: Column) -> str:
    parts: list[str] = [column.kind + (", may be missing" if column.nullable else "")]
    if column.low is not None and column.high is not None:
        parts.append(f"{column.low:g} to {column.high:g}")
    if column.categories:
        parts.append(listed(column.categories, 6))
    return " · ".join(parts)
