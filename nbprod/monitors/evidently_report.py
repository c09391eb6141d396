"""evidently's rich report of the same window, as a linked file; its verdicts decide nothing."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nbprod.disk import write_file
from nbprod.domain.monitor import Verdict
from nbprod.monitors.assessment import Assessment
from nbprod.monitors.window import MonitoredWindow
from nbprod.pages.box import BOXED, boxed
from nbprod.recording.context import current as current_run
from nbprod.visible import escape

__all__ = ["RichReport", "rich_report", "snapshot_of"]

#: Rows of each side that are drawn: the pictures do not change with more, the time does.
MOST_ROWS = 5_000
LOOK_ALIKES = {ord("<"): "\u2039", ord(">"): "\u203a", ord("&"): "\uff06"}
#: Columns that are drawn: each is 70 kB of HTML and a tenth of a second.
MOST_COLUMNS = 12


@dataclass(frozen=True)
class RichReport:
    """Where evidently's report is, or why there is none."""

    path: Path | None
    sentence: str

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        if self.path is None:
            return f"<p>{escape(self.sentence)}</p>"
        place = f"files/{self.path.name}"
        return f'<p>{escape(self.sentence)}: <a href="{escape(place)}">{escape(place)}</a></p>'


def rich_report(found: Assessment, window: MonitoredWindow, *, when: str = "auto") -> RichReport:
    """Draw evidently's report of a window, as a file of the run.

    Parameters
    ----------
    found, window
        The assessment and what it is about.
    when
        ``auto`` draws it when the window alarms, ``always`` and ``never`` say so themselves.
    """
    if when == "never" or found.comparison is None or (when == "auto" and found.verdict is not Verdict.ALARM):
        return RichReport(None, "evidently's report was not made: the window has no alarm, and it was not asked for")
    context = current_run()
    folder = context.files if context else Path(tempfile.mkdtemp(prefix="nbprod-"))
    reference, current = window.reference.rows, window.current
    names = [*found.comparison.significant, *window.reference.inputs]
    columns = [name for name in dict.fromkeys(names) if name in current and name in reference]
    path = draw(
        reference,
        current,
        columns,
        folder / "evidently",
        title=f"{window.deployment}, {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}, by evidently",
    )
    return RichReport(path, "evidently's report, for those who want every column")


def draw(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str], path: Path, *, title: str, seed: int = 0
) -> Path:
    """Write evidently's drift report of some columns, in a box that reaches nothing.

    Parameters
    ----------
    reference, current
        Frames with the columns.
    columns
        The most telling first; at most twelve are drawn.
    path
        A file name; ``.boxed.html`` is added, for a page that must be shown in a frame.
    title
        Plain text.
    seed
        Of the sample of rows that is drawn.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # as in `snapshot_of`
        page = Path(folder) / "page.html"
        snapshot_of(reference, current, columns, seed=seed).save_html(str(page))
        html = page.read_text(encoding="utf-8")
    target = path.with_name(path.name + BOXED)
    write_file(target, boxed(html, title=title).encode())
    return target


def snapshot_of(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str], *, seed: int = 0, **about: Any
) -> Any:
    """Evidently's snapshot of the drift of some columns; of at most twelve, the first ones.

    Parameters
    ----------
    reference, current
        Frames with the columns.
    columns
        The most telling first.
    seed
        Of the sample of rows.
    **about
        For evidently: ``timestamp``, ``metadata``, ``tags``, ``name``.
    """
    with warnings.catch_warnings():
        # evidently and what it imports warn of their own deprecations; nothing here can mend those
        warnings.simplefilter("ignore")
        # the import takes seconds, and only an alarming window or a request pays for it
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        chosen = list(columns)[:MOST_COLUMNS]
        sides = [_drawable(frame, chosen, seed) for frame in (current, reference)]
        names = list(sides[0].columns)
        numeric = [name for name in names if all(pd.api.types.is_numeric_dtype(side[name]) for side in sides)]
        definition = DataDefinition(
            numerical_columns=numeric, categorical_columns=[name for name in names if name not in numeric]
        )
        data = [Dataset.from_pandas(side, data_definition=definition) for side in sides]
        return Report([DataDriftPreset()]).run(*data, **about)


def _drawable(frame: pd.DataFrame, columns: Sequence[str], seed: int) -> pd.DataFrame:
    """A sample in dtypes evidently tests: it skips unsigned, nullable and Arrow numbers without a word.

    Angle brackets become look-alikes: evidently writes names and values into its script as they are.
    """
    part = frame[list(columns)]
    if len(part) > MOST_ROWS:
        part = part.sample(MOST_ROWS, random_state=seed)
    made = {}
    for name in columns:
        values = part[name]
        if pd.api.types.is_bool_dtype(values.dtype) or not pd.api.types.is_numeric_dtype(values.dtype):
            made[_harmless(name)] = values.astype("object").map(lambda value: _harmless(str(value)))
        else:
            made[_harmless(name)] = values.astype("float64")
    return pd.DataFrame(made).reset_index(drop=True)


def _harmless(text: str) -> str:
    return text.translate(LOOK_ALIKES)
