"""The log of a rollout as tables: a row a request, with what is counted of it, as known at a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.duration import parse_duration
from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.domain.rollout import Arm
from nbprod.domain.rollout_plan import RolloutPolicy
from nbprod.errors import SchemaError
from nbprod.lake import Lake
from nbprod.lake.columns import INPUT, input_name
from nbprod.lake.rollout_tables import as_text

__all__ = ["RolloutLog", "read_log"]

COLUMNS = ["prediction_id", "unit", "arm", "share", "stratum", "at", "version", "latency_ms", "prediction"]


@dataclass(frozen=True, kw_only=True)
class RolloutLog:
    """What happened since a rollout began."""

    requests: pd.DataFrame  #: both arms: ``COLUMNS``, ``outcome``, and a column for each metric that is counted
    pairs: pd.DataFrame  #: requests a shadow was asked beside: both answers and what is counted of them
    tables: Mapping[str, int]  #: versions of the tables that were read
    start: datetime
    end: datetime

    def __repr__(self) -> str:
        return f"<RolloutLog {len(self.requests):,} requests, {len(self.pairs):,} answered by a shadow too>"

    def _repr_html_(self) -> str:
        arms = self.requests["arm"].value_counts()
        return card(
            "Log of the rollout",
            [
                *((str(arm), f"{count:,} requests") for arm, count in arms.items()),
                ("shadow", f"{len(self.pairs):,} requests" if len(self.pairs) else None),
                ("from", f"{self.start:%Y-%m-%d %H:%M}"),
                ("to", f"{self.end:%Y-%m-%d %H:%M}"),
            ],
        )


def read_log(
    lake: Lake | str,
    deployment: str,
    policy: RolloutPolicy,
    *,
    start: datetime,
    end: datetime,
    tables: Mapping[str, int] | None = None,
    candidate: str = "",
    inputs: Sequence[str] = (),
) -> RolloutLog:
    """Read what was answered, what failed, what a shadow said and what turned out.

    Parameters
    ----------
    lake
        The tables, or where they are.
    deployment
        Its name.
    policy
        Says what is slow, and how old a prediction must be for its outcome to count.
    start, end
        When the rollout began, and until when things are known; outcomes that came later are not seen.
    candidate
        Whose answers as a shadow are read: ``electricity/2``.
    tables
        Versions of an earlier look, to see exactly what it saw.
    inputs
        Inputs that are read too, for metrics of a notebook's own.

    Raises
    ------
    SchemaError
        An input is not kept.
    """
    lake = Lake(lake) if isinstance(lake, str) else lake
    seen = dict(tables or {})
    rows = lake.window(deployment, start, end, as_of=end, tables=seen)
    present = [name for name in [*COLUMNS, "outcome", "outcome_at"] if name in rows.columns]
    columns = {input_name(column): column for column in rows.columns if column.startswith(INPUT)}
    kept = {name: columns[name] for name in inputs if name in columns}
    if missing := [name for name in inputs if name not in kept or name in COLUMNS]:
        raise SchemaError(f"no input {missing[0]!r} is kept", columns=missing, hint=nearest(missing[0], rows.inputs))
    read = rows.to_table([*present, *kept.values()]).rename_columns([*present, *kept])
    answered = read.to_pandas().reindex(columns=[*COLUMNS, "outcome", "outcome_at", *kept])
    answered = answered.sort_values(["at", "prediction_id"], ignore_index=True)
    failed, failures = lake.failures(deployment).window(start, end, table_version=seen.get("failures"))
    shadows, asked = lake.shadows(deployment).window(start, end, table_version=seen.get("shadows"))
    counted = _counted(answered, failed.to_pandas(), policy, end)
    versions = {"failures": failures, "shadows": asked}
    return RolloutLog(
        requests=counted[counted["arm"].isin([Arm.STABLE.value, Arm.CANDIDATE.value])],
        pairs=_pairs(counted, shadows.to_pandas()[lambda one: one["version"].eq(candidate)]),
        tables={**rows.tables, **{name: version for name, version in versions.items() if version is not None}},
        start=start,
        end=end,
    )


def _counted(answered: pd.DataFrame, failed: pd.DataFrame, policy: RolloutPolicy, end: datetime) -> pd.DataFrame:
    rows = answered.assign(
        arm=answered["arm"].fillna(Arm.STABLE.value),
        share=answered["share"].astype(np.float64),
        slow=(answered["latency_ms"] > policy.slow_ms).astype(np.float64).where(answered["latency_ms"].notna()),
        wrong=_wrong(answered, policy, end),
        errors=0.0,
    )
    lost = failed[failed["arm"].ne(Arm.SHADOW.value)].assign(errors=1.0, slow=np.nan, wrong=np.nan)
    whole = pd.concat([rows, lost.reindex(columns=rows.columns)], ignore_index=True) if len(lost) else rows
    return whole.sort_values(["at", "prediction_id"], ignore_index=True)


def _wrong(rows: pd.DataFrame, policy: RolloutPolicy, end: datetime) -> pd.Series[Any]:
    """Whether an answer was wrong, or by how much; ``NaN`` while that is not known."""
    final = rows["outcome"].notna()
    if policy.horizon:
        final &= rows["at"] + parse_duration(policy.horizon) <= pd.Timestamp(end)
    prediction, outcome = rows["prediction"], rows["outcome"]
    if pd.api.types.is_numeric_dtype(prediction) and not pd.api.types.is_bool_dtype(prediction):
        values = (prediction - pd.to_numeric(outcome, errors="coerce")).abs()
        if prediction.dropna().mod(1).eq(0).all():  # labels that are whole numbers are right or wrong
            values = values.gt(0).astype(np.float64)
    else:
        values = (prediction.astype("string") != outcome.astype("string")).astype(np.float64)
    return values.where(final).astype(np.float64)


def _pairs(requests: pd.DataFrame, shadows: pd.DataFrame) -> pd.DataFrame:
    stable = requests[requests["prediction_id"].notna() & requests["errors"].eq(0)]
    # a shadow in a server and an analysis may both have asked for a request: the first answer counts
    shadows = shadows.sort_values(["logged_at", "at", "prediction_id"]).drop_duplicates("prediction_id")
    shadows, stable = (rows.astype({"prediction_id": object}) for rows in (shadows, stable))
    both = shadows.merge(stable, on="prediction_id", suffixes=("", "_stable"), how="inner")
    said = both["prediction"].astype("string")
    given = both["prediction_stable"].map(as_text, na_action="ignore").astype("string")
    outcome = both["outcome"].map(as_text, na_action="ignore").astype("string")
    failed = both["failure"].notna()
    known = both["wrong"].notna()
    differs = (said != given).fillna(value=True) & ~failed
    return pd.DataFrame(
        {
            "at": both["outcome_at"].where(known, both["at"]),
            "prediction_id": both["prediction_id"],
            "failed": failed,
            "stable_failed": False,
            "differs": differs.astype(bool),
            "wrong": (said != outcome).fillna(value=True).astype(np.float64).where(known),
            "stable_wrong": both["wrong"].gt(0).astype(np.float64).where(known),
            "latency_ms": both["latency_ms"],
        }
    ).sort_values(["at", "prediction_id"], ignore_index=True)
