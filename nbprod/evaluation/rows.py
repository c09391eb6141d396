"""The rows an evaluation looks at: whose truth is known, in a window of time, in blocks that depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.datasets.windows import between, check_frame, moments
from nbprod.domain.markup import card
from nbprod.errors import DataError, SettingsError
from nbprod.statistics.blocks import time_blocks

__all__ = ["EvaluationRows", "choose_rows"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationRows:
    """Rows with their truth."""

    frame: pd.DataFrame  #: as it was read, the chosen rows
    truth: pd.Series[Any]
    task: str
    blocks: NDArray[np.int64] | None = None  #: the block of each row
    window: tuple[str | None, str | None] = (None, None)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def block_count(self) -> int | None:
        """How many blocks there are."""
        return None if self.blocks is None else len(np.unique(self.blocks))

    def __repr__(self) -> str:
        blocks = f" in {self.block_count:,} blocks" if self.blocks is not None else ""
        return f"<EvaluationRows {len(self):,}{blocks}, {self.task} of {self.truth.name!r}>"

    def _repr_html_(self) -> str:
        return card(
            f"{len(self):,} rows to evaluate on",
            [
                ("target", f"{self.truth.name} ({self.task})"),
                ("from", self.window[0]),
                ("to", self.window[1]),
                ("blocks", f"{self.block_count:,}" if self.blocks is not None else None),
                *(("note", note) for note in self.notes),
            ],
        )


def choose_rows(
    frame: pd.DataFrame,
    *,
    target: str,
    task: str,
    time: str | None = None,
    start: Any = None,
    end: Any = None,
    block: str | None = None,
    protected: Sequence[str] = (),
    private: Sequence[str] = (),
) -> EvaluationRows:
    """Choose rows whose truth is known.

    Parameters
    ----------
    frame
        As it was read.
    target
        The column with the truth.
    task
        ``classification`` or ``regression``.
    time
        The column that says when a row happened.
    start, end
        Only rows from ``start`` on and before ``end``.
    block
        ``1d``, ``6h``, ``1w``: rows of one block depend on each other.
    protected
        Columns whose groups are compared.
    private
        Columns that may not appear in results.

    Raises
    ------
    DataError
        No row is left, or the times cannot be read.
    SettingsError
        A column does not exist, or settings contradict each other.
    """
    windowed = start is not None or end is not None
    check_frame(frame, [target, time, *protected], time=time, windowed=windowed)
    if block and not time:
        raise SettingsError(f"block={block!r} needs a time column", hint="Name it: time=…")
    for name in protected:
        if name in private:
            raise SettingsError(
                f"{name!r} is both protected and private",
                hint="Its groups are named in the results if it is protected, and may not be if it is private.",
            )
    notes = []
    chosen = between(frame, time, start, end) if time else frame
    known = chosen[target].notna()
    if not known.any():
        raise DataError(f"no row has a known {target} in this window", hint="The outcomes may not have come yet.")
    if not known.all():
        notes.append(f"{int((~known).sum()):,} rows have no {target} yet and are left out.")
    rows = chosen[known].reset_index(drop=True)
    blocks = time_blocks(moments(rows[time]), block) if time and block else None
    return EvaluationRows(
        frame=rows,
        truth=_truth(rows[target], task),
        task=task,
        blocks=blocks,
        window=(None if start is None else str(start), None if end is None else str(end)),
        notes=tuple(notes),
    )


def _truth(column: pd.Series[Any], task: str) -> pd.Series[Any]:
    if task == "regression":
        if not pd.api.types.is_numeric_dtype(column.dtype):
            raise DataError(f"the target {column.name!r} holds no numbers", hint="The model predicts a number.")
        return column.astype("float64")
    if pd.api.types.is_float_dtype(column.dtype) and (column % 1 == 0).all():
        return column.astype("int64")
    return column.astype(column.cat.categories.dtype) if isinstance(column.dtype, pd.CategoricalDtype) else column
