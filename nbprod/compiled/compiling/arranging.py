"""Compiles what holds other transformers: pipelines, column transformers and unions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nbprod.compiled.compiling.building import Answers, Block, Builder, NotCompiledError
from nbprod.compiled.compiling.preparing import Transform

__all__ = ["ARRANGERS", "pipeline_answers"]


def pipeline(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """One transformer after the other."""
    for name, step in part.steps:
        if step is not None and step != "passthrough":
            block = builder.transform(builder, step, block, _below(where, name))
    return block


def pipeline_answers(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Transformers, and an estimator at the end."""
    for name, step in part.steps[:-1]:
        if step is not None and step != "passthrough":
            block = builder.transform(builder, step, block, _below(where, name))
    name, last = part.steps[-1]
    return builder.answers(builder, last, block, _below(where, name))


def column_transformer(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """Each transformer for its columns, side by side."""
    made: list[Block] = []
    for name, transformer, columns in part.transformers_:
        positions = _positions(part, columns, block, where)
        if (isinstance(transformer, str) and transformer == "drop") or not positions:
            continue
        chosen = builder.chosen(block, positions)
        if not (isinstance(transformer, str) and transformer == "passthrough"):
            chosen = builder.transform(builder, transformer, chosen, _below(where, name))
        made.append(_weighted(builder, chosen, (part.transformer_weights or {}).get(name)))
    if not made:
        raise NotCompiledError(where, "it leaves no column")
    return _named(part, builder.joined(made))


def feature_union(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """Several transformers of the same columns, side by side."""
    made = []
    for name, transformer in part.transformer_list:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        chosen = block
        if not (isinstance(transformer, str) and transformer == "passthrough"):
            chosen = builder.transform(builder, transformer, block, _below(where, name))
        made.append(_weighted(builder, chosen, (part.transformer_weights or {}).get(name)))
    return builder.joined(made)


def _weighted(builder: Builder, block: Block, weight: float | None) -> Block:
    return block if weight is None else builder.made("multiply", block, values=np.full(len(block), float(weight)))


def _positions(part: Any, columns: Any, block: Block, where: str) -> list[int]:
    """Positions in the block of the columns a transformer was fitted on."""
    if isinstance(columns, str):
        columns = [columns]
    elif isinstance(columns, slice):
        columns = (
            list(range(*columns.indices(part.n_features_in_))) if not _has_names(columns) else _range(part, columns)
        )
    elif not isinstance(columns, Sequence):
        columns = list(np.atleast_1d(np.asarray(columns)))
    columns = list(columns)
    if columns and all(isinstance(one, bool | np.bool_) for one in columns):
        columns = [number for number, chosen in enumerate(columns) if chosen]
    names = [one.name for one in block.fields]
    fitted = getattr(part, "feature_names_in_", None)
    found = []
    for one in columns:
        if isinstance(one, str):
            name = one
        elif fitted is not None:
            name = str(fitted[int(one)])
        else:
            found.append(int(one) % len(block))
            continue
        if name not in names:
            raise NotCompiledError(where, f"the column {name!r} is not among those before it")
        found.append(names.index(name))
    return found


def _has_names(columns: slice) -> bool:
    return isinstance(columns.start, str) or isinstance(columns.stop, str)


def _range(part: Any, columns: slice) -> list[str]:
    names = [str(name) for name in part.feature_names_in_]
    start = 0 if columns.start is None else names.index(columns.start)
    stop = len(names) if columns.stop is None else names.index(columns.stop) + 1  # the end belongs to it
    return names[start:stop]


def _named(part: Any, block: Block) -> Block:
    """Give the columns the names a later step may ask for."""
    try:
        names = [str(name) for name in part.get_feature_names_out()]
    except (AttributeError, ValueError, TypeError):  # a transformer that names nothing: later steps cannot either
        return block
    if len(names) != len(block):
        raise NotCompiledError("", f"{len(block)} columns were made where {len(names)} are expected")
    fields = tuple(replace(one, name=name) for one, name in zip(block.fields, names, strict=True))
    return replace(block, fields=fields)


def _below(where: str, name: str) -> str:
    return f"{where} › {name}" if where else name  # noqa: RUF001 — a sign for a path that no name of a step has


#: By the name of the class.
ARRANGERS: dict[str, Transform] = {
    "ColumnTransformer": column_transformer,
    "FeatureUnion": feature_union,
    "Pipeline": pipeline,
}
