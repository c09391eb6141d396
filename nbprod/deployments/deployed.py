"""A deployed model in this process: it checks rows, predicts them, and keeps each prediction before it answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from nbprod.clock import now
from nbprod.deployments.choosing import with_chances
from nbprod.domain.deployment import Deployment
from nbprod.domain.markup import card
from nbprod.domain.version import ModelVersion
from nbprod.errors import SchemaError
from nbprod.lake.tables import PredictionTable
from nbprod.packages import LoadedPackage

__all__ = ["DeployedModel"]


class DeployedModel:
    """What ``ws.deployments.open`` gives; of an alias, each call uses the version it names then."""

    def __init__(
        self,
        deployment: Deployment,
        table: PredictionTable,
        *,
        load: Callable[[str], LoadedPackage],
        resolve: Callable[[str], ModelVersion],
        private: Sequence[str],
        folder: Callable[[str], Any],
    ) -> None:
        assert deployment.model is not None
        self.deployment = deployment
        self._table = table
        self._load = load
        self._resolve = resolve
        self._private = tuple(private)
        self._folder = folder
        self.version = resolve(deployment.model)
        self.package = load(self.version.package)

    def predict(
        self,
        rows: pd.DataFrame | Sequence[Mapping[str, Any]],
        *,
        at: datetime | str | Sequence[datetime] | None = None,
        ids: Sequence[str] | str | None = None,
    ) -> pd.DataFrame:
        """Predict rows and keep the predictions; they are on the disk when this returns.

        Parameters
        ----------
        rows
            A data frame, or a list of mappings from column to value.
        at
            When it happened: one moment, one for each row, or the name of a column; now by default.
        ids
            An id for each row, or the name of a column; made by default. Ids kept before are refused.

        Returns
        -------
        pandas.DataFrame
            With the rows' index: ``prediction_id``, ``prediction``, of a probabilistic classifier ``probability`` or
            ``probability_<class>``, and ``version``.

        Raises
        ------
        SchemaError
            A sentence for each column that does not match; nothing was predicted or kept.
        StoreError
            The predictions could not be kept, so none is given.
        """
        self._follow()
        started = time.perf_counter()
        checked = self.package.check(rows).frame
        made = self.package.predict_checked(checked)
        latency_ms = (time.perf_counter() - started) * 1000
        if not len(checked):
            return made.assign(prediction_id=pd.Series(dtype="str"), version=pd.Series(dtype="str"))
        named = _column(rows, ids, "ids") if ids is not None else _new_ids(len(checked))
        moments = _column(rows, at, "at") if at is not None and not isinstance(at, datetime) else at or now()
        core: dict[str, Any] = {
            "prediction_id": named,
            "version": [self.version.ref] * len(checked),
            "at": [moments] * len(checked) if isinstance(moments, datetime) else moments,
            "latency_ms": [latency_ms] * len(checked),
            **{name: made[name].reset_index(drop=True) for name in made.columns},
        }
        if any(len(values) != len(checked) for values in core.values()):
            raise SchemaError(f"there are {len(checked):,} rows, but not as many ids or moments")
        if ids is not None:
            self._refuse_known(core["prediction_id"])
        inputs = checked.reset_index(drop=True)
        kept = with_chances(core, inputs, self.deployment, self._resolve, self._folder)
        self._table.append(kept, inputs, private=self._private)
        made.insert(0, "prediction_id", core["prediction_id"])
        return made.assign(version=self.version.ref)

    def _follow(self) -> None:
        assert self.deployment.model is not None
        current = self._resolve(self.deployment.model)
        if current.number != self.version.number:
            self.package = self._load(current.package)
        self.version = current

    def _refuse_known(self, ids: Sequence[Any]) -> None:
        known = self._table.known([str(value) for value in ids])
        if len(known):
            raise SchemaError(
                f"ids: {len(known):,} of {len(ids):,} are already stored, for instance {known[0]}",
                columns=["ids"],
                hint="Give each prediction an id of its own, or none.",
            )

    def __repr__(self) -> str:
        return f"<DeployedModel {self.deployment.name}: {self.version.ref}>"

    def _repr_html_(self) -> str:
        schema = self.package.schema
        return card(
            f"Deployed model {self.deployment.name}",
            [
                ("version", self.version.ref),
                ("follows", self.deployment.model),
                ("takes", ", ".join(schema.names)),
                ("gives", ", ".join(schema.outputs)),
                ("never kept", ", ".join(self._private)),
            ],
        )


def _new_ids(count: int) -> list[str]:
    """Ids that sort by time and that no two processes make."""
    batch = f"{now():%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    return [f"{batch}-{row:04d}" for row in range(count)]


def _column(rows: pd.DataFrame | Sequence[Mapping[str, Any]], given: str | Sequence[Any], what: str) -> list[Any]:
    if not isinstance(given, str):
        return list(given)
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame.from_records(list(rows))
    if given not in frame.columns:
        raise SchemaError(f"{what}: the rows have no column {given!r}", columns=[given])
    return list(frame[given])
