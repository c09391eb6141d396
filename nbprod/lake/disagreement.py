"""Which predictions a shadow would have answered otherwise."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.lake import Lake
from nbprod.lake.columns import TEXT, TRUTH, cast

__all__ = ["disagreements"]


def disagreements(
    lake: Lake, deployment: str, start: datetime | None = None, end: datetime | None = None
) -> frozenset[str]:
    """Ids of predictions from ``start`` (included) to ``end`` (excluded) of which a shadow gave another answer.

    A shadow that failed gave none. Answers are compared as the texts shadows' answers are kept as.
    """
    shadows = lake.shadows(deployment).window(start, end)[0]
    shadows = shadows.filter(pc.and_(pc.is_valid(shadows["prediction"]), pc.is_valid(shadows["prediction_id"])))
    if not shadows.num_rows:
        return frozenset()
    asked = shadows["prediction_id"].combine_chunks()
    given: dict[str, str] = {}
    for batch in lake.predictions(deployment).window(start, end).batches(["prediction_id", "prediction"]):
        of = batch.filter(pc.is_in(batch["prediction_id"], value_set=asked))
        text = cast(pa.chunked_array([of["prediction"]]), TEXT)
        text = pc.utf8_capitalize(text) if of["prediction"].type == TRUTH else text
        given.update(zip(of["prediction_id"].to_pylist(), text.to_pylist(), strict=True))
    pairs = zip(shadows["prediction_id"].to_pylist(), shadows["prediction"].to_pylist(), strict=True)
    return frozenset(name for name, answer in pairs if name in given and given[name] != answer)
