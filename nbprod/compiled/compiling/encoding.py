"""Compiles what turns categories, moments and text into numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbprod.compiled.columns import is_missing
from nbprod.compiled.compiling.building import Block, Builder, Field, NotCompiledError, numbered, numbers_only
from nbprod.compiled.compiling.preparing import Transform

__all__ = ["ENCODERS"]

PARTS = ("year", "month", "day", "dayofweek", "hour", "minute")
WORD = r"(?u)\b\w\w+\b"  # scikit-learn's default


def one_hot(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """A column for each category, less the dropped one, with rare ones together."""
    tables, refuse = [], []
    handling = "infrequent_if_exist" if part.handle_unknown == "warn" else part.handle_unknown
    dropped = part._drop_idx_after_grouping  # noqa: SLF001 — its public form is about ungrouped categories
    for number, values in enumerate(part.categories_):
        grouping = _grouping(part, number)
        codes = np.arange(len(values)) if grouping is None else grouping
        width = int(codes.max(initial=-1)) + 1
        table = np.zeros((len(values) + 1, width))
        table[np.arange(len(values)), codes] = 1.0
        if handling == "infrequent_if_exist" and _infrequent(part, number):
            table[-1, width - 1] = 1.0  # the rare ones come last
        if dropped is not None and dropped[number] is not None:
            table = np.delete(table, int(dropped[number]), axis=1)
        tables.append(table)
        refuse.append(handling == "error")
    return _looked_up(builder, block, part.categories_, tables, refuse, where)


def ordinal(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """The position of each category."""
    tables = []
    error = part.handle_unknown == "error"
    for number, values in enumerate(part.categories_):
        grouping = _grouping(part, number)
        codes = np.arange(len(values), dtype=np.float64)
        if grouping is not None:  # a missing category, which is the last one, is never grouped
            codes[: len(grouping)] = grouping
        codes = np.where([is_missing(value) for value in values], float(part.encoded_missing_value), codes)
        unknown = np.nan if error or part.unknown_value is None else float(part.unknown_value)
        tables.append(np.append(codes, unknown)[:, None])
    return _looked_up(builder, block, part.categories_, tables, [error] * len(tables), where)


def target(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """The mean of the target in each category."""
    many = len(part.classes_) if part.target_type_ == "multiclass" else 1
    means = np.atleast_1d(part.target_mean_)
    tables = []
    for number in range(len(part.categories_)):
        columns = [np.append(part.encodings_[number * many + k], means[k % len(means)]) for k in range(many)]
        tables.append(np.array(columns, dtype=np.float64).T)
    return _looked_up(builder, block, part.categories_, tables, [False] * len(tables), where)


def _grouping(part: Any, number: int) -> np.ndarray | None:
    if not getattr(part, "_infrequent_enabled", False):
        return None
    return part._default_to_infrequent_mappings[number]  # noqa: SLF001 — no public form


def _infrequent(part: Any, number: int) -> bool:
    return bool(getattr(part, "_infrequent_enabled", False)) and part.infrequent_categories_[number] is not None


def _looked_up(
    builder: Builder,
    block: Block,
    categories: Sequence[Any],
    tables: Sequence[np.ndarray],
    refuse: Sequence[bool],
    where: str,
) -> Block:
    """A step that looks up values; ``tables`` have a row for each category and one for unknown ones."""
    known, full, refused = [], [], []
    for one, values, table, error in zip(block.fields, categories, tables, refuse, strict=True):
        if one.kind == "moment":
            raise NotCompiledError(where, f"it takes the moments of {one.name} as categories")
        _check_open(one, where)
        plain = [_plain(value, where) for value in values]
        missing = [number for number, value in enumerate(plain) if value is None]
        usual = [number for number, value in enumerate(plain) if value is not None]
        known.append([plain[number] for number in usual])
        full.append(np.vstack([table[usual], table[missing[0]] if missing else table[-1], table[-1]]))
        refused.append([error and not missing, error])
    fields = numbered(sum(table.shape[1] for table in full), "category ")
    names = [one.name for one in block.fields]
    return builder.made("lookup", block, fields, values=known, tables=full, names=names, refuse=refused)


def _check_open(one: Field, where: str) -> None:
    """Refuse a private column: its values would stand in the plan for everybody to read."""
    if one.is_private:
        raise NotCompiledError(where, f"{one.name} is private, and the compiled model would list its values")


def _plain(value: Any, where: str) -> Any:
    if is_missing(value):
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | int | float | np.bool_ | np.number):
        return float(value)
    raise NotCompiledError(where, f"a category is a {type(value).__name__}")


def moments(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """The parts of moments (:class:`nbprod.training.parts.DatetimeParts`)."""
    del part
    if any(one.kind != "moment" for one in block.fields):
        raise NotCompiledError(where, "it reads columns that are no moments")
    fields = [Field(name=f"{one.name} {name}") for one in block.fields for name in PARTS]
    return builder.made("moments", block, fields)


def filled_text(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """Empty text where there is none (:class:`nbprod.training.parts.FilledText`)."""
    del part
    if any(one.kind != "text" for one in block.fields):
        raise NotCompiledError(where, "it reads a column that is no text")
    return builder.made("fill_text", block, values=[""] * len(block))


def boolean_numbers(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """Booleans are numbers already (:class:`nbprod.training.parts.BooleanNumbers`)."""
    del builder, part
    numbers_only(block, where)
    return block


def words(builder: Builder, part: Any, block: Block, where: str) -> Block:
    """Counts of words, weighted or not."""
    plain: dict[str, Any] = {"analyzer": "word", "token_pattern": WORD, "ngram_range": (1, 1)}
    plain |= {"tokenizer": None, "preprocessor": None, "strip_accents": None}
    for name, value in plain.items():
        if getattr(part, name) != value:
            raise NotCompiledError(where, f"{name}={getattr(part, name)!r} has no compiled form")
    if len(block) != 1 or block.fields[0].kind != "text":
        raise NotCompiledError(where, "it reads something else than one column of text")
    _check_open(block.fields[0], where)
    weighted = type(part).__name__ == "TfidfVectorizer"
    ordered = sorted(part.vocabulary_, key=part.vocabulary_.__getitem__)
    return builder.made(
        "words",
        block,
        numbered(len(ordered), "word "),
        words=ordered,
        idf=np.array(part.idf_, dtype=np.float64) if weighted and part.use_idf else None,
        sublinear=bool(weighted and part.sublinear_tf),
        norm=part.norm if weighted else None,
        lower=bool(part.lowercase),
        binary=bool(part.binary),
    )


#: By the name of the class.
ENCODERS: dict[str, Transform] = {
    "CountVectorizer": words,
    "OneHotEncoder": one_hot,
    "OrdinalEncoder": ordinal,
    "TargetEncoder": target,
    "TfidfVectorizer": words,
    "nbprod:BooleanNumbers": boolean_numbers,
    "nbprod:DatetimeParts": moments,
    "nbprod:FilledText": filled_text,
}
