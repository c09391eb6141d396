"""The rows of a stretch of time: a time column in whatever form it came, and bounds as people write them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd

from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError

__all__ = ["AUTO", "between", "moments", "only_moments"]

AUTO = "auto"  #: of a time column: the only one there is


def moments(column: pd.Series[Any]) -> pd.Series[Any]:
    """A time column as UTC moments.

    Raises
    ------
    DataError
        A value is missing or is no moment.
    """
    hint = "Write moments as ISO 8601, for instance 2026-11-20T09:30, or name another time column."
    if column.isna().any():
        raise DataError(
            f"the time column {column.name!r} has {int(column.isna().sum()):,} rows without a time", hint=hint
        )
    if pd.api.types.is_numeric_dtype(column.dtype):
        raise DataError(f"the time column {column.name!r} holds numbers, not moments", hint=hint)
    try:
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            return pd.to_datetime(column, utc=True)
        return pd.to_datetime(column.astype(str), utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the time column {column.name!r} holds something that is not a moment: {error}", hint=hint
        ) from error


def check_frame(
    frame: pd.DataFrame, names: Iterable[str | None], *, time: str | None, windowed: bool = False
) -> None:
    """Refuse a table without rows, without one of the named columns, or without the times a window needs.

    Raises
    ------
    DataError
        There are no rows.
    SettingsError
        A column does not exist, or there are bounds and no time column.
    """
    if frame.empty:
        raise DataError("the data have no rows", hint="Check the file, or the query that made it.")
    known = [str(column) for column in frame.columns]
    for name in names:
        if name is not None and name not in known:
            without = " Set time=None when there is no such column." if name == time else ""
            raise SettingsError(f"the data have no column {name!r}", hint=nearest(name, known) + without)
    if windowed and not time:
        raise SettingsError("start and end need a time column", hint="Name it: time=…")


def only_moments(frame: pd.DataFrame, *, apart: Collection[str] = ()) -> str | None:
    """The name of the only column of moments, ``None`` where there is none or more than one."""
    names = [str(name) for name in frame if name not in apart and pd.api.types.is_datetime64_any_dtype(frame[name])]
    return names[0] if len(names) == 1 else None


def between(frame: pd.DataFrame, time: str, start: Any = None, end: Any = None) -> pd.DataFrame:
    """The rows from ``start`` on and before ``end``.

    Parameters
    ----------
    frame
        Has the time column.
    time
        Its name.
    start, end
        Dates, moments or ISO 8601 text, taken as UTC where they have no zone; ``None`` is no bound.

    Raises
    ------
    DataError
        No row is left, or the times cannot be read.
    SettingsError
        A bound cannot be read, or ``end`` is not after ``start``.
    """
    first, last = _bound(start, "start"), _bound(end, "end")
    if first is None and last is None:
        return frame
    if time not in frame.columns:
        raise SettingsError(f"the data have no time column {time!r}", hint=nearest(time, map(str, frame.columns)))
    if first is not None and last is not None and last <= first:
        raise SettingsError(f"end ({end}) is not after start ({start})", hint="Rows before end are taken.")
    at = moments(frame[time])
    chosen = pd.Series(True, index=frame.index)
    if first is not None:
        chosen &= at >= first
    if last is not None:
        chosen &= at < last
    if not chosen.any():
        raise DataError(
            f"no row lies between start and end ({start} and {end})",
            hint=f"The column {time} goes from {at.min()} to {at.max()}.",
        )
    return frame[chosen]


def _bound(value: Any, name: str) -> pd.Timestamp | None:
    if value is None:
        return None
    try:
        moment = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{name}={value!r} is not a date", hint="Write 2026-11-20.") from error
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
