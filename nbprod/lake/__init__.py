"""Predictions and outcomes as Delta tables, a pair for each deployment.

::

    lake = Lake("…/.nbprod/lake")
    lake.predictions("electricity").append(core, inputs, private=())
    lake.outcomes("electricity").append(frame)
    rows = lake.window("electricity", start, end, as_of=moment)       # latest outcome by id, as known at a moment
    for batch in rows.batches(): …

Predictions have the columns ``prediction_id``, ``version``, ``at`` (when it happened), ``logged_at``, ``latency_ms``,
``prediction``, ``probability`` and ``probability_<class>``, those of a rollout (``arm``, ``share``, ``stratum``,
``unit``), ``review`` (the chance that people were to look), and each input as ``input_<name>``; outcomes have
``prediction_id`` or ``unit``, ``outcome``, ``at`` (when it arrived), ``logged_at``, and the ``reviewer`` if one
said it. Flat and typed, so that Spark, DuckDB, Polars and Trino read them as they are.

An outcome told by its unit is that of the unit's predictions from before it arrived that have none of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbprod.domain.names import check_name

if TYPE_CHECKING:
    from nbprod.lake.health import HealthTable
    from nbprod.lake.rollout_tables import FailureTable, ShadowTable
    from nbprod.lake.snapshot import PredictionSnapshot
    from nbprod.lake.tables import OutcomeTable, PredictionTable

__all__ = ["Lake"]


class Lake:
    """The tables of every deployment of one workspace.

    Parameters
    ----------
    root
        A folder, or a URL deltalake can write to, such as ``s3://bucket/prefix``.
    storage_options
        Of a URL: passed to deltalake.
    """

    def __init__(self, root: Path | str, *, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root).removeprefix("file://").rstrip("/")
        self._storage_options = storage_options

    def predictions(self, deployment: str) -> PredictionTable:
        """The table of a deployment's predictions, which need not exist yet."""
        from nbprod.lake.tables import PredictionTable  # delayed: pyarrow

        return PredictionTable(self._folder(deployment, "predictions"), self._storage_options)

    def outcomes(self, deployment: str) -> OutcomeTable:
        """The table of a deployment's outcomes, which need not exist yet."""
        from nbprod.lake.tables import OutcomeTable  # delayed: pyarrow

        return OutcomeTable(
            self._folder(deployment, "outcomes"), self._storage_options, predictions=self.predictions(deployment)
        )

    def failures(self, deployment: str) -> FailureTable:
        """The table of what arms of a deployment's rollouts failed to answer, which need not exist yet."""
        from nbprod.lake.rollout_tables import FailureTable  # delayed: pyarrow

        return FailureTable(self._folder(deployment, "failures"), self._storage_options)

    def shadows(self, deployment: str) -> ShadowTable:
        """The table of what shadows of a deployment answered, which need not exist yet."""
        from nbprod.lake.rollout_tables import ShadowTable  # delayed: pyarrow

        return ShadowTable(self._folder(deployment, "shadows"), self._storage_options)

    def health(self, deployment: str) -> HealthTable:
        """The table of what a deployment's servers counted, minute by minute; it need not exist yet."""
        from nbprod.lake.health import HealthTable  # delayed: pyarrow

        return HealthTable(self._folder(deployment, "health"), self._storage_options)

    def window(
        self,
        deployment: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        as_of: datetime | None = None,
        tables: Mapping[str, int] | None = None,
    ) -> PredictionSnapshot:
        """Predictions that happened from ``start`` (included) to ``end`` (excluded), each with its outcome if known.

        Parameters
        ----------
        deployment
            Its name.
        start, end
            Aware moments; by default everything.
        as_of
            Outcomes that arrived later are not seen; by default all are.
        tables
            Versions of the tables, from an earlier ``PredictionSnapshot.tables``, to see exactly what was seen then.
        """
        from nbprod.lake.tables import window_with_outcomes  # delayed: pyarrow

        return window_with_outcomes(
            self.predictions(deployment), self.outcomes(deployment), start, end, as_of=as_of, tables=tables or {}
        )

    def _folder(self, deployment: str, table: str) -> str:
        return f"{self.root}/{check_name(deployment, 'deployment')}/{table}"

    def __repr__(self) -> str:
        return f"<Lake {self.root}>"
