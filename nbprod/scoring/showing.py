"""What the score notebook shows of an output: its first rows, and predictions from all over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.datasets import open_dataset
from nbprod.recording import private_columns
from nbprod.scoring.summary import ScoreSummary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["shown"]

SAMPLE_ROWS = 200_000


def shown(summary: ScoreSummary, rows: int = 10) -> tuple[pd.DataFrame, pd.Series[float]]:
    """The first rows of an output, without private columns, and a sample of its predictions."""
    written = open_dataset(summary.output, allow_empty=True)
    predicted = written.sample(SAMPLE_ROWS, ["prediction"]).to_pandas()["prediction"]
    names = [name for name in written.schema.names if name not in set(private_columns())]
    first = next(written.batches(names), None)
    return (first.slice(0, rows).to_pandas() if first is not None else written.frame(names)), predicted
