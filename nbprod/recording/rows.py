"""The rows a model is kept with: brought to one form, checked against each other, without private values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbprod.domain.names import nearest
from nbprod.errors import DataError

if TYPE_CHECKING:  # at run time pandas is imported when a model is saved
    import pandas as pd

__all__ = [
    "as_frame",
    "as_target",
    "check_columns",
    "even_sample",
    "mask_private",
    "split_reference",
    "times_of",
    "union_of_rows",
]

SAMPLE_ROWS = 2_000


def as_frame(inputs: Any) -> pd.DataFrame:
    """The inputs as a frame that counts its rows from 0; the columns of an array are called x0, x1 and so on.

    Raises
    ------
    DataError
        There are no rows or no columns.
    """
    import numpy as np  # heavy, and needed only when a model is saved
    import pandas as pd

    if isinstance(inputs, pd.DataFrame):
        frame = inputs
    else:
        values = np.asarray(inputs)
        if values.ndim != 2:
            raise DataError(
                f"inputs has {values.ndim} dimensions; rows and columns are needed",
                hint="Give a data frame, or an array of two dimensions.",
            )
        frame = pd.DataFrame(values, columns=[f"x{number}" for number in range(values.shape[1])])
    if not len(frame) or not frame.shape[1]:
        raise DataError("inputs is empty", hint="Give rows the model was not trained on.")
    return frame.reset_index(drop=True)


def as_target(target: Any, frame: pd.DataFrame) -> pd.Series[Any]:
    """The true values with the name of the target.

    Raises
    ------
    DataError
        There are more or fewer than inputs, or there is more than one target.
    """
    import numpy as np
    import pandas as pd

    columns = np.shape(target)[1:]
    if columns not in {(), (1,)}:
        listed = f" ({', '.join(map(str, target.columns))})" if isinstance(target, pd.DataFrame) else ""
        raise DataError(
            f"target has {columns[0]} columns{listed}; a model that is kept predicts one",
            hint="Train a model for each column, and save each under a name= of its own.",
        )
    if isinstance(target, pd.DataFrame):
        target = target.iloc[:, 0]
    elif columns:
        target = np.ravel(target)
    named = getattr(target, "name", None)
    series = pd.Series(target).reset_index(drop=True).rename("target" if named is None else str(named))
    if len(series) != len(frame):
        raise DataError(f"inputs has {len(frame):,} rows and target has {len(series):,}", hint="Give the same rows.")
    return series


def check_columns(frame: pd.DataFrame, target: str, private: frozenset[str]) -> None:
    """Refuse inputs whose columns cannot stand beside a target and predictions.

    Raises
    ------
    DataError
        Naming the columns.
    """
    wrong = [label for label in frame.columns if not isinstance(label, str)]
    if wrong:
        raise DataError(
            f"Columns of inputs must have names of text; these do not: {', '.join(map(repr, wrong[:5]))}",
            hint="Rename them before training.",
        )
    names = list(frame.columns)
    if doubled := sorted({label for label in names if names.count(label) > 1}):
        raise DataError(
            f"inputs has columns more than once: {', '.join(doubled)}", hint="Rename them before training."
        )
    if target in names:
        raise DataError(f"inputs holds the target {target!r}", hint="Leave it out, or the model knows the answer.")
    if reserved := [label for label in names if label == "prediction" or label.startswith("probability")]:
        raise DataError(
            f"inputs has the column {reserved[0]!r}, which predictions use", hint="Rename it before training."
        )
    if target in private:
        raise DataError(
            f"The target {target!r} is named private, but is kept with predictions and outcomes",
            hint="Take it out of [data] private, or predict something else.",
        )


def times_of(time: Any, frame: pd.DataFrame, reference: Any) -> pd.Series[Any] | None:
    """When each row happened, with the name of its column.

    Raises
    ------
    DataError
        There is no such column, or the number of moments is another.
    """
    import pandas as pd

    if time is None:
        return None
    rows = frame if reference is None else reference
    if isinstance(time, str):
        if time not in rows:
            raise DataError(
                f"There is no column {time!r} to order rows by", hint=nearest(time, map(str, rows.columns))
            )
        return rows[time].reset_index(drop=True)
    times = pd.Series(time).reset_index(drop=True)
    if len(times) != len(rows):
        raise DataError(f"There are {len(rows):,} rows and {len(times):,} moments", hint="Give the same rows.")
    return times.rename("time" if times.name is None else str(times.name))


def split_reference(reference: Any, frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """The inputs and the target of the rows later data are compared with.

    Raises
    ------
    DataError
        A column is missing.
    """
    missing = [label for label in (*frame.columns, target) if label not in getattr(reference, "columns", ())]
    if missing:
        raise DataError(
            f"reference has no column {', '.join(map(repr, missing[:5]))}",
            hint="Give a frame with the inputs' columns and the target's.",
        )
    rows = reference.reset_index(drop=True)
    return rows[list(frame.columns)], rows[target]


def union_of_rows(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of both, once where they are the same; categories stay categories."""
    import pandas as pd

    if rows is frame:
        return frame
    both = pd.concat([frame, rows[list(frame.columns)]], ignore_index=True)
    categories = {name: "category" for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    return both.astype(categories)


def even_sample(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows at even distances, so that a sorted table is seen from end to end."""
    import numpy as np

    if len(frame) <= SAMPLE_ROWS:
        return frame
    return frame.iloc[np.linspace(0, len(frame) - 1, SAMPLE_ROWS).astype(int)].reset_index(drop=True)


def mask_private(frame: pd.DataFrame, private: frozenset[str]) -> pd.DataFrame:
    """The inputs with every value of a private one replaced by one and the same of its type."""
    return frame.assign(**{label: _masked(frame[label]) for label in private & set(frame.columns)})


def _masked(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Series("", index=column.index, dtype="category")  # the type itself lists the values
    if pd.api.types.is_bool_dtype(dtype):
        return pd.Series(False, index=column.index, dtype=dtype)
    if pd.api.types.is_numeric_dtype(dtype):
        return pd.Series(0, index=column.index, dtype=dtype)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return pd.Series(pd.Timestamp(0, tz=getattr(dtype, "tz", None)), index=column.index, dtype=dtype)
    return pd.Series("", index=column.index, dtype=object)
