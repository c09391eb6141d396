"""What a batch job predicted, in the form a deployment's table keeps: part by part, from the job's work folder."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from nbprod.scoring.job import LOG_TIME, LOG_UNIT
from nbprod.scoring.places import Place
from nbprod.scoring.work_folder import INPUTS, PART, WorkFolder

__all__ = ["Logged"]


class Logged:
    """The predictions of a finished job that are still to be kept.

    Parameters
    ----------
    output
        What the job wrote.
    """

    def __init__(self, output: str) -> None:
        self._work = WorkFolder(Place(output))
        self._facts = self._work.facts

    @property
    def mark(self) -> str | None:
        """What tells this job from others, and from itself begun anew; ``None`` when all was kept before."""
        return f"score-{self._facts['key'][:20]}-{self._facts['begun_at']}" if self._facts else None

    def parts(self) -> Iterator[tuple[int, pa.Table, pa.Table]]:
        """Number from 1, predictions and inputs of each part; nothing when all was kept before."""
        if self._facts is None:
            return
        keep = set(self._facts["told"]["keep"])
        kinds = {"prediction_id", "version", "prediction"}
        with_rows = set(self._work.names(INPUTS))
        for name in self._work.names(PART):
            number = int(name.partition("-")[2].partition(".")[0])
            beside = f"{INPUTS}-{number:06d}.parquet"
            if beside not in with_rows:
                continue  # none of its rows was taken
            made = self._work.table(name)
            names = [
                one for one in made.column_names if one not in keep and (one in kinds or one[:11] == "probability")
            ]
            core, inputs = made.select(names).replace_schema_metadata(None), self._work.table(beside)
            for name_there, name_here in ((LOG_TIME, "at"), (LOG_UNIT, "unit")):
                if name_there in inputs.column_names:
                    core = core.append_column(name_here, inputs.column(name_there))
                    inputs = inputs.drop_columns([name_there])
            yield number + 1, core, inputs

    def finish(self) -> None:
        """Let the work folder go: all is kept."""
        self._work.remove()
