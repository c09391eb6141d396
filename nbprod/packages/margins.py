"""How uncertain the least certain predictions of a package's reference are."""

from __future__ import annotations

import io
from bisect import bisect_left
from functools import lru_cache
from math import ceil
from pathlib import Path

from nbprod.domain.review import Chooser, ReviewPolicy, margin_of
from nbprod.domain.schema import Schema
from nbprod.packages.sealing import verify_folder

__all__ = ["chooser_of", "schema_of"]


@lru_cache(maxsize=64)
def schema_of(folder: str) -> Schema:
    """What the model of a package takes and gives; a folder of a package never changes."""
    return Schema.from_json(verify_folder(folder).read("schema.json").decode())


@lru_cache(maxsize=64)
def chooser_of(rules: str, folder: str) -> Chooser | None:
    """What chooses predictions of a package for people to look at; ``None`` where no rules are given.

    Uncertain is what has a smaller margin than all but the ``uncertain`` share of the reference; what lies just
    on that line is sent with the chance that makes up the share. The reference is sealed with the package and known
    before the first prediction, so every process of every server draws the same line; and when the world becomes
    harder for the model, people see more.

    Raises
    ------
    SettingsError
        The rules cannot be read.
    PackageError
        A file differs from the manifest.
    """
    policy = ReviewPolicy.parse(rules)
    if policy is None:
        return None
    schema = schema_of(folder)
    names = tuple(name for name in schema.outputs if name != "prediction")
    least, tie_chance = _line(Path(folder), names, policy.uncertain) if policy.uncertain and names else (None, 1.0)
    return Chooser(policy=policy, probabilities=names, least_margin=least, tie_chance=tie_chance)


def _line(folder: Path, names: tuple[str, ...], share: float) -> tuple[float | None, float]:
    """The margin below which less than the share of the reference lies, and the chance of what lies on it."""
    import pyarrow.parquet as pq  # delayed: only where predictions are chosen by their margin

    table = pq.read_table(io.BytesIO(verify_folder(folder).read("reference.parquet")), use_threads=False)
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    margins = sorted(margin_of(row) for row in rows if None not in row)
    if not margins:
        return None, 1.0
    line = margins[max(ceil(share * len(margins)), 1) - 1]
    below, on = bisect_left(margins, line), margins.count(line)
    return line, min((share * len(margins) - below) / on, 1.0)
