"""What compilers of single parts share: the steps made so far, columns with their kinds, and the reason not to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from nbprod.compiled.plan import Step

__all__ = [
    "Answers",
    "Block",
    "Builder",
    "Field",
    "NotCompiledError",
    "floats",
    "numbered",
    "numbers_only",
    "of_scikit_learn",
    "once",
]


class NotCompiledError(Exception):
    """A part of a pipeline has no compiled form; caught where the pipeline is compiled, and told as the reason."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column between two steps."""

    name: str
    kind: str = "number"  #: ``number``, ``text`` or ``moment``
    is_private: bool = False  #: it holds values of a private column as they are


@dataclass(frozen=True, kw_only=True)
class Block:
    """The columns of a register."""

    register: int
    fields: tuple[Field, ...]

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How to get what a fitted estimator answers; a step is made when something asks for it."""

    value: Callable[[], int] | None = None  #: of a regressor
    decision: Callable[[], int] | None = None  #: of a classifier: one score, or one for each class
    probabilities: Callable[[], int] | None = None  #: one for each class
    label: Callable[[], int] | None = None  #: the position among the classes
    classes: tuple[Any, ...] = ()


@dataclass(kw_only=True)
class Builder:
    """Collects the steps of a plan.

    Parameters
    ----------
    transform, answers
        What compile any transformer and any estimator, for those that hold others.
    """

    transform: Callable[[Builder, Any, Block, str], Block]
    answers: Callable[[Builder, Any, Block, str], Answers]
    steps: list[Step] = field(default_factory=list)
    is_single: bool = False

    def add(self, op: str, *registers: int, **params: Any) -> int:
        """Append a step and return the register it writes."""
        self.steps.append(Step(op=op, inputs=registers, params=params))
        return len(self.steps)

    def made(self, op: str, block: Block, fields: Sequence[Field] | None = None, **params: Any) -> Block:
        """Append a step over a block; it keeps the fields unless others are given."""
        register = self.add(op, block.register, **params)
        return Block(register=register, fields=block.fields if fields is None else tuple(fields))

    def chosen(self, block: Block, positions: Sequence[int]) -> Block:
        """Some columns of a block."""
        if list(positions) == list(range(len(block))):
            return block
        fields = [block.fields[position] for position in positions]
        return self.made("take", block, fields, columns=[int(position) for position in positions])

    def joined(self, blocks: Sequence[Block]) -> Block:
        """Several blocks side by side."""
        if len(blocks) == 1:
            return blocks[0]
        register = self.add("join", *(block.register for block in blocks))
        return Block(register=register, fields=tuple(one for block in blocks for one in block.fields))


def numbered(count: int, prefix: str = "x") -> list[Field]:
    """Fields of numbers without names of their own."""
    return [Field(name=f"{prefix}{number}") for number in range(count)]


def numbers_only(block: Block, where: str) -> None:
    """Refuse a block with text or moments."""
    for one in block.fields:
        if one.kind != "number":
            raise NotCompiledError(where, f"it reads {one.name}, which holds {one.kind}s, as numbers")


def of_scikit_learn(estimator: Any) -> str:
    """The name of a class of scikit-learn; another one's is given with its package, and matches nothing."""
    made = type(estimator)
    root = made.__module__.split(".", 1)[0]
    return made.__qualname__ if root == "sklearn" else f"{root}:{made.__qualname__}"


def floats(values: Any) -> np.ndarray:
    """As an array of doubles of one dimension."""
    return np.array(values, dtype=np.float64).ravel()


def once(function: Callable[[], int]) -> Callable[[], int]:
    """Make a step at the first call alone."""
    return cache(function)
