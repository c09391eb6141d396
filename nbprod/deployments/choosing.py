"""Gives predictions that are kept their chance of being looked at by people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from nbprod.domain.deployment import Deployment
from nbprod.domain.review import Chooser, ReviewPolicy
from nbprod.domain.version import ModelVersion
from nbprod.lake.columns import NUMBER, as_table
from nbprod.packages.margins import chooser_of

__all__ = ["with_chances"]


def with_chances(
    core: Any,
    inputs: Any | None,
    deployment: Deployment,
    resolve: Callable[[str], ModelVersion],
    folder: Callable[[str], Any],
) -> pa.Table:
    """Predictions with the column ``review``, where the deployment sends any to people.

    Parameters
    ----------
    core, inputs
        As ``PredictionTable.append`` takes them.
    deployment
        Its rules are those of today.
    resolve, folder
        Find the version of a row, and the folder of its package.

    Raises
    ------
    SchemaError
        A column cannot be one.
    """
    rows = as_table(core, "predictions")
    policy = ReviewPolicy.parse(deployment.review)
    if policy is None or not rows.num_rows:
        return rows
    given = as_table(inputs, "inputs") if inputs is not None else pa.table({})
    outputs = rows.select([name for name in rows.column_names if name.startswith(("prediction", "probability"))])
    read = {name for rule in policy.rules for name in rule.columns}
    given = given.select([name for name in given.column_names if name in read])
    versions = rows["version"].to_pylist() if "version" in rows.column_names else [None] * rows.num_rows
    chances: list[float] = [0.0] * rows.num_rows
    for ref in dict.fromkeys(versions):
        places = [place for place, one in enumerate(versions) if one == ref]
        known = ref is not None and deployment.model is not None
        chooser = chooser_of(deployment.review, str(folder(resolve(str(ref)).package))) if known else None
        chooser = chooser or Chooser(policy=policy)
        found = chooser.chances(outputs.take(places).to_pydict(), given.take(places).to_pydict())
        for place, chance in zip(places, found, strict=True):
            chances[place] = chance
    return rows.append_column("review", pa.array(chances, NUMBER))
