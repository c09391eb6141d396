"""Blocks of time: rows of one block depend on each other, blocks hardly do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.domain.duration import parse_duration
from nbprod.errors import DataError

__all__ = ["block_length_us", "block_numbers", "block_start", "time_blocks", "times_us"]

#: Monday 5 January 1970, so that blocks of weeks begin on Mondays.
_FIRST_MONDAY_US = 4 * 86_400_000_000


def block_length_us(block: str) -> int:
    """The length in microseconds of ``30m``, ``6h``, ``1d`` or ``1w``.

    Raises
    ------
    SettingsError
        It is not a whole number followed by m, h, d or w.
    """
    return parse_duration(block) // timedelta(microseconds=1)


def time_blocks(times: Any, block: str = "1d") -> NDArray[np.int64]:
    """The number of the block each moment falls into, counted from 1970; weeks begin on Monday.

    Parameters
    ----------
    times
        Moments or dates: a pandas series or index, an array of ``datetime64``, or datetimes.
    block
        ``30m``, ``6h``, ``1d``, ``1w``.

    Raises
    ------
    DataError
        The values are no moments, or one is missing.
    SettingsError
        The block cannot be read.
    """
    length = block_length_us(block)
    return (times_us(times) - (_FIRST_MONDAY_US if block.endswith("w") else 0)) // length


def block_numbers(seconds: NDArray[np.float64], block: str, name: str) -> NDArray[np.int64]:
    """As `time_blocks`, from seconds since 1970 UTC in a column of a name.

    Raises
    ------
    DataError
        A time is missing.
    """
    if np.isnan(seconds).any():
        raise DataError(f"column {name!r} has rows without a time", hint="Drop them, or name another column.")
    length = block_length_us(block)
    whole = np.rint(seconds * 1e6).astype(np.int64)
    return (whole - (_FIRST_MONDAY_US if block.endswith("w") else 0)) // length


def block_start(number: int, block: str) -> datetime:
    """When the block of a number begins."""
    origin = datetime(1970, 1, 5 if block.endswith("w") else 1, tzinfo=UTC)
    return origin + timedelta(microseconds=int(number) * block_length_us(block))


def times_us(times: Any) -> NDArray[np.int64]:
    """Moments as microseconds since 1970 UTC.

    Raises
    ------
    DataError
        The values are no moments, or one is missing.
    """
    import pandas as pd  # heavy

    series = pd.Series(times)
    if not pd.api.types.is_datetime64_any_dtype(series):
        if pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series):
            raise DataError(
                "numbers are no moments", hint="Convert them first, for instance with pandas.to_datetime."
            )
        try:
            series = pd.to_datetime(series, utc=True, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise DataError(f"the times cannot be read: {error}", hint="Give ISO 8601 moments.") from error
    if series.isna().any():
        raise DataError("a time is missing", hint="Drop the rows without a time.")
    if series.dt.tz is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return series.to_numpy(dtype="datetime64[us]").astype(np.int64)
