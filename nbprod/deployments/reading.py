"""What is kept of predictions, read back: by window, by segment, in SQL, and one by one with everything behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.deployments.housekeeping import KeptPredictions
from nbprod.domain.deployment import Deployment
from nbprod.domain.prediction import PredictionTrace
from nbprod.domain.segment import parse_segment
from nbprod.domain.version import ModelVersion
from nbprod.lake import Lake
from nbprod.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from nbprod.lake.segments import SegmentRows
    from nbprod.lake.snapshot import PredictionSnapshot
    from nbprod.lake.sql import QueryLimits

__all__ = ["ReadPredictions"]


class ReadPredictions(KeptPredictions):
    """The tables of deployments as people ask them; `Deployments` is the service.

    Parameters
    ----------
    store, lake, spools, records
        As of `KeptPredictions`.
    resolve
        Finds the version a reference names now.
    private
        Columns the workspace never keeps, beside each deployment's own.
    """

    def __init__(
        self,
        store: Store,
        lake: Lake,
        spools: Path | None,
        records: Sequence[Path],
        *,
        resolve: Callable[[str], ModelVersion],
        private: Sequence[str],
    ) -> None:
        super().__init__(store, lake, spools, records)
        self._resolve = resolve
        self._private = tuple(private)

    def window(
        self,
        name: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        as_of: datetime | None = None,
        tables: Mapping[str, int] | None = None,
    ) -> PredictionSnapshot:
        """Predictions of a window with their outcomes, as ``Lake.window`` gives them."""
        self.get(name)
        return self._lake.window(name, start, end, as_of=as_of, tables=tables)

    def recent(self, name: str, *, limit: int = 50) -> Sequence[Mapping[str, Any]]:
        """The predictions that happened last, with their outcomes and inputs."""
        self.get(name)
        return self._lake.window(name).newest(limit)

    def rows(
        self,
        name: str,
        *,
        segment: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 50,
    ) -> SegmentRows:
        """The predictions of a segment: how many, by which versions, and the newest with their ids.

        Parameters
        ----------
        name
            The deployment.
        segment
            As reports write it: ``region = north and hour >= 18``; empty: all rows.
        start, end
            Event times; by default everything.
        limit
            How many are told one by one.

        Raises
        ------
        SettingsError
            The segment cannot be read.
        """
        from nbprod.lake.segments import rows_in  # delayed: pyarrow

        window = self.window(name, start, end)
        return rows_in(window, parse_segment(segment, window.inputs) if segment else (), limit=limit)

    def query(self, name: str, sql: str, *, limits: QueryLimits | None = None) -> pd.DataFrame:
        """Ask in SQL, read only: see :meth:`query_table`; moments are UTC."""
        return self.query_table(name, sql, limits=limits).to_pandas()

    def query_table(self, name: str, sql: str, *, limits: QueryLimits | None = None) -> pa.Table:
        """Ask in SQL, read only, and get an Arrow table.

        There are ``predictions`` (an input is ``input_<name>``), ``outcomes`` (the latest of each), ``scored`` (both
        joined), ``failures``, ``shadows``, ``health``, and from the ledger ``checks`` (of monitors) and ``alerts``.
        Private columns are left out. ``at`` is a word of SQL: write ``"at"`` or ``p.at``.

        Parameters
        ----------
        name
            The deployment.
        sql
            One ``SELECT``.
        limits
            Of time, memory and rows: a minute, a gigabyte and a million by default.

        Raises
        ------
        DataError
            The question is not understood, or is no ``SELECT``.
        RefusedError
            It takes more than the limits allow.
        """
        from nbprod.deployments.records import record_tables  # delayed: pyarrow
        from nbprod.lake.sql import QueryLimits, answer

        deployment = self.get(name)
        return answer(
            self._lake,
            name,
            sql,
            private=self._never_kept(deployment),
            records=record_tables(self._store, name),
            limits=limits or QueryLimits(),
        )

    def trace(self, prediction_id: str) -> PredictionTrace:
        """Everything behind one prediction: inputs, version, package, run, notebook, rows, outcome, verdict.

        Raises
        ------
        NotFoundError
            No deployment has kept it.
        """
        from nbprod.deployments.tracing import trace  # delayed: pyarrow

        return trace(self._store, self._lake, self._spools, self._resolve, prediction_id)

    def _never_kept(self, deployment: Deployment) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*deployment.private, *self._private]))
