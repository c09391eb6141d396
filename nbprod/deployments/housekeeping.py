"""What is kept of predictions over time: moved into tables, compacted, and deleted by age or by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from nbprod.domain.deployment import Deployment
from nbprod.domain.duration import parse_duration
from nbprod.domain.prediction import ErasureReceipt
from nbprod.lake import Lake
from nbprod.store import Store

__all__ = ["KeptPredictions"]

HISTORY = timedelta(days=30)  #: how long versions of the tables stay readable


class KeptPredictions:
    """The tables and spools of deployments, kept in order; `Deployments` is the service.

    Parameters
    ----------
    store
        The ledger.
    lake
        Where predictions and outcomes are kept.
    spools
        The folder of what servers of this machine have kept and not yet moved into the tables.
    records
        Folders of runs and pages, which may show predictions.
    """

    def __init__(self, store: Store, lake: Lake, spools: Path | None, records: Sequence[Path] = ()) -> None:
        self._store = store
        self._records = tuple(records)
        self._lake = lake
        self._spools = spools

    def get(self, name: str) -> Deployment:
        """One deployment.

        Raises
        ------
        NotFoundError
            There is none of that name.
        """
        with self._store.read() as session:
            return session.get(Deployment, name)

    def compact(self, name: str) -> Mapping[str, Mapping[str, int]]:
        """Merge the small parts of both tables; versions of the last 30 days stay readable."""
        self.get(name)
        return {
            "predictions": self._lake.predictions(name).compact(),
            "outcomes": self._lake.outcomes(name).compact(),
        }

    def drain(self, name: str) -> int:
        """Move what servers of this machine have kept into the tables; return how many entries were moved.

        A running server does so every second by itself.
        """
        from nbprod.deployments.upkeep import drain  # delayed: pyarrow

        return drain(self._lake, name, self._spool_of(name))

    def prune(
        self, name: str, keep: timedelta | str, *, history: timedelta | str = HISTORY
    ) -> Mapping[str, Mapping[str, int]]:
        """Delete what is older than ``keep``.

        Parameters
        ----------
        name
            The deployment.
        keep
            How long predictions (by when they happened) and outcomes (by when they arrived) stay: ``400d``, say.
        history
            How long versions of the tables that still hold them stay readable.
        """
        from nbprod.deployments.upkeep import prune  # delayed: pyarrow

        keep, history = (parse_duration(length) if isinstance(length, str) else length for length in (keep, history))
        self.drain(name)
        done = prune(self._lake, name, keep, history)
        with self._store.write() as session:
            data = {"keep_days": keep.days, **{table: counts["rows"] for table, counts in done.items()}}
            session.event("predictions.pruned", name, data=data)
        return done

    def erase(self, name: str, *, unit: str, actor: str | None = None) -> ErasureReceipt:
        """Delete everything of a unit: in spools, every table, and every older version of them, which are then gone.

        The receipt names files of runs and pages that show it; they are evidence, and left to who asks. What a batch
        job wrote, and the data a model was trained on, are the caller's own files.

        Parameters
        ----------
        name
            The deployment.
        unit
            As requests named it.
        actor
            Who asks for it, if not the store's actor.

        Raises
        ------
        StoreError
            Something is left; repeat it.
        """
        from nbprod.deployments.upkeep import erase  # delayed: pyarrow

        receipt = erase(self._lake, name, self._spool_of(name), unit, records=self._records)
        with self._store.write() as session:
            data = {"predictions": receipt.predictions, "outcomes": receipt.outcomes, "parts": receipt.parts}
            data["named_in"] = len(receipt.named_in)
            session.event("unit.erased", name, data={"receipt": receipt.id, **data}, actor=actor)
        return receipt

    def _spool_of(self, name: str) -> Path:
        assert self._spools is not None
        return self._spools / self.get(name).name
