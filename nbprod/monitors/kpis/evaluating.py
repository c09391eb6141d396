"""Calls a KPI's function under a time limit, and holds what it returns against what it may return."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.datasets import read_frame
from nbprod.domain.names import nearest
from nbprod.errors import NbprodError
from nbprod.monitors.kpis.kpi import Kpi

__all__ = ["KpiError", "Tables", "kpi_values", "time_limit"]

Floats = NDArray[np.float64]
AGAIN_S = 0.5  #: after which code that swallowed the end is ended again
LONGEST_REASON = 200


class KpiError(Exception):
    """A KPI cannot be told; the text says why."""


class _TimeIsUp(BaseException):
    """Not an ``Exception``, so that code which tries everything again is ended too."""


@dataclass
class Tables:
    """Tables of the workspace, read when the first KPI asks for them."""

    places: Mapping[str, Any]  #: path, URL or data frame by name

    def __post_init__(self) -> None:
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            place = self.places[name]
            self._read[name] = place if isinstance(place, pd.DataFrame) else read_frame(place)
        return self._read[name].copy(deep=False)

    def __contains__(self, name: object) -> bool:
        return name in self.places


def kpi_values(kpi: Kpi, predictions: pd.DataFrame, tables: Tables) -> Floats | float:
    """What the function says of some predictions: one number a row, ``NaN`` where it is not known, or one number.

    Parameters
    ----------
    kpi
        Whose function is called.
    predictions
        A row each; the function gets a copy of the frame.
    tables
        What else it may ask for.

    Raises
    ------
    KpiError
        It asks for what there is not, raises, or returns what is no KPI.
    """
    given: dict[str, Any] = {}
    for name in kpi.needs:
        if name == "predictions":
            given[name] = predictions.copy(deep=False)
        elif name == "outcomes":
            known = predictions[predictions["outcome"].notna()]
            given[name] = known[[one for one in ("prediction_id", "outcome", "outcome_at") if one in known]]
        elif name in tables:
            try:
                given[name] = tables[name]
            except NbprodError as problem:
                raise KpiError(f"the table {name} cannot be read: {problem.message}") from problem
        else:
            close = nearest(name, ["predictions", "outcomes", *tables.places])
            raise KpiError(f"it asks for {name}, which the monitor was not given; {close}")
    try:
        found = kpi.function(**given)
    except Exception as problem:
        line = f"{type(problem).__name__}: {problem}".splitlines()[0][:LONGEST_REASON]
        raise KpiError(f"it raised {line}") from problem
    return _checked(found, predictions)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End what takes longer.

    In a main thread it is ended where it is, as soon as Python executes anything; in another thread, which cannot be
    interrupted, it is refused afterwards.

    Raises
    ------
    KpiError
        It took longer.
    """
    began = time.monotonic()
    said = f"it took longer than {seconds:g} s"
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        if time.monotonic() - began > seconds:
            raise KpiError(said)
        return

    def end(*_: Any) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    except _TimeIsUp:
        raise KpiError(said) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _checked(found: Any, predictions: pd.DataFrame) -> Floats | float:
    if isinstance(found, (bool, int, float, np.number, np.bool_)):
        value = float(found)
        if not np.isfinite(value):
            raise KpiError(f"it is {value}, which is no number to judge")
        return value
    if isinstance(found, pd.Series):
        found = _aligned(found, predictions)
    elif not isinstance(found, (np.ndarray, list, tuple, pd.api.extensions.ExtensionArray)):
        raise KpiError(f"it returned {type(found).__name__}, and must return a number, or one a prediction")
    series = pd.Series(found)
    if len(series) != len(predictions):
        raise KpiError(f"it returned {len(series):,} values for {len(predictions):,} predictions")
    if pd.api.types.is_object_dtype(series) and series.dropna().map(lambda one: isinstance(one, str)).any():
        raise KpiError("it returned texts, and must return numbers")
    try:
        values: Floats = np.asarray(pd.to_numeric(series).astype("Float64").to_numpy(np.float64, na_value=np.nan))
    except (TypeError, ValueError):
        raise KpiError(f"it returned values of {series.dtype}, and must return numbers") from None
    if np.isinf(values).any():
        raise KpiError(f"{int(np.isinf(values).sum()):,} of its values are infinite")
    return values


def _aligned(found: pd.Series[Any], predictions: pd.DataFrame) -> pd.Series[Any]:
    """In the order of the predictions, whatever order the function left them in."""
    is_moved = len(found) == len(predictions) and not found.index.equals(predictions.index)
    if is_moved and found.index.is_unique and not len(found.index.difference(predictions.index)):
        return found.reindex(predictions.index)
    return found
