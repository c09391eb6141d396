"""How far a job is, seen from another process by its work folder, and told in one line with rate and time left."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nbprod.errors import NbprodError
from nbprod.scoring.places import Place
from nbprod.scoring.work_folder import PART, WorkFolder

__all__ = ["Rate", "telling_progress"]

EVERY_S = 0.5
EVERY_PLAIN_S = 10.0  #: where there is no terminal to write over


class Rate:
    """Words for a number of rows done, with the rate since the first look and the time left."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def at(self, done: int, total: int, moment: float) -> str:
        """For instance ``131,072 of 2,000,000 rows, 43,690 a second, 43 s left``.

        Parameters
        ----------
        done, total
            Rows.
        moment
            Seconds of a clock that only goes forward.
        """
        if self._first is None:
            self._first = (moment, done)
        started, before = self._first
        text = f"{done:,} of {total:,} rows"
        if done <= before or moment <= started:
            return text
        rate = (done - before) / (moment - started)
        left = (total - done) / rate
        return f"{text}, {rate:,.0f} a second" + (f", {left:,.0f} s left" if done < total else "")


@contextmanager
def telling_progress(output: str, say: Callable[[str], None]) -> Iterator[None]:
    """Tell on stderr how far the job of an output is, while the block runs."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(output, say, over), name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(timeout=5)


def _watch(output: str, say: Callable[[str], None], over: threading.Event) -> None:
    work = WorkFolder(Place(output))
    rate, shown, is_terminal = Rate(), "", sys.stderr.isatty()
    last = time.monotonic()
    while not over.wait(EVERY_S):
        try:
            facts = work.facts
            names = work.names(PART)
        except NbprodError:  # it is just being published
            continue
        if facts is None:
            continue
        total = sum(rows for _, rows, _ in facts["told"]["input"])
        done = min(total, len(names) * facts["told"]["rows at once"])
        text = rate.at(done, total, time.monotonic())
        if is_terminal:
            sys.stderr.write(f"\r\x1b[2K{text}")
            sys.stderr.flush()
            shown = text
        elif time.monotonic() - last >= EVERY_PLAIN_S:
            last = time.monotonic()
            say(text)
    if shown:
        sys.stderr.write("\r\x1b[2K")
