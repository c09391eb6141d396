"""Numbers, moments, sizes and statuses in words: the same everywhere on the pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nbprod.domain.numbers import number
from nbprod.domain.run import EndCause, Run, RunStatus

__all__ = ["duration", "moment", "number", "plural", "run_sentence", "shown", "size", "tone"]

# By word: several statuses share one, and a word has the same tone wherever it stands.
TONES = {
    "good": {"succeeded", "passed", "healthy", "resolved", "approved", "promoted", "promote", "advance"},
    "watch": {"cancelled", "watch", "warning", "acknowledged", "snoozed", "pending", "skipped", "paused", "hold"}
    | {"blocked", "aborted"},
    "bad": {"failed", "lost", "alarm", "open", "critical", "rejected", "refused", "rolled-back", "roll back"},
}

CAUSES = {
    EndCause.ERROR: "Python raised an error",
    EndCause.EXITED: "the code ended its own interpreter",
    EndCause.TIMEOUT: "its time ran out",
    EndCause.KILLED: "its kernel was killed",
    EndCause.OUT_OF_MEMORY: "its kernel passed the memory limit",
    EndCause.CANCELLED: "somebody stopped it",
    EndCause.LOST: "its process vanished",
    EndCause.START: "no kernel could be started",
}


def tone(status: str) -> str:
    """The tone of a badge: ``good``, ``watch``, ``bad`` or ``calm``; the badge always carries the word as well."""
    return next((name for name, words in TONES.items() if status in words), "calm")


def duration(seconds: float | None) -> str:
    """A length of time: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``, ``4 d 3 h``."""
    if seconds is None or not math.isfinite(seconds):
        return "—"
    if seconds < 0.0995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def moment(at: datetime | None) -> str:
    """A moment: ``2026-11-20 09:44 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "—"


def size(count: float) -> str:
    """A file's size: ``812 B``, ``14 kB``, ``3.2 MB``."""
    if count < 1000:
        return f"{count:.0f} B"
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def plural(count: int, noun: str, many: str = "") -> str:
    """A count with its noun: ``1 alert``, ``3 alerts``, ``no alerts``."""
    words = noun if count == 1 else (many or f"{noun}s")
    return f"{count:,} {words}" if count else f"no {words}"


def shown(value: Any, longest: int = 400) -> str:
    """A parameter's value as text, cut with a mark when it is long."""
    if isinstance(value, str):
        written = value or "(empty)"
    elif isinstance(value, bool) or value is None:
        written = {True: "yes", False: "no", None: "none"}[value]
    elif isinstance(value, int | float):
        written = repr(value)
    elif isinstance(value, Mapping):
        written = ", ".join(f"{key}: {shown(one, longest)}" for key, one in value.items()) or "(empty)"
    elif isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        written = ", ".join(shown(one, longest) for one in value) or "(empty)"
    else:
        written = str(value)
    return written if len(written) <= longest else f"{written[:longest]}… ({len(written):,} characters)"


def run_sentence(run: Run) -> str:
    """A run in one sentence: how it stands, where it ended and why."""
    took = f" after {duration(run.duration.total_seconds())}" if run.duration else ""
    if run.status is RunStatus.SUCCEEDED:
        return f"Every cell completed{took}."
    if run.status is RunStatus.QUEUED:
        return "It waits to be started."
    if run.status is RunStatus.RUNNING:
        return "It was still running when this page was written."
    where = f" in cell {run.failed_at}" if run.failed_at else ""
    why = f": {CAUSES[run.cause]}" if run.cause else ""
    verb = {RunStatus.CANCELLED: "It was stopped", RunStatus.LOST: "It was lost"}.get(run.status, "It failed")
    if run.status in {RunStatus.CANCELLED, RunStatus.LOST} and run.cause in {EndCause.CANCELLED, EndCause.LOST}:
        why = ""
    return f"{verb}{where}{took}{why}."
