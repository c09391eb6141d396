"""Stopping a run by stages: interrupt, ask to end, kill; each one recorded."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from nbprod.domain.run import EndCause

__all__ = ["CANCEL", "SignalCatcher", "Stop"]

CANCEL = "cancel"  # a file of this name in the run's folder asks the run to stop
STAGES = ("interrupt", "terminate", "kill")


class Stop:
    """One decision to stop a run, carried out stage by stage until the cell ends or the kernel is gone.

    There are ``grace_s`` seconds between two stages. ``on_stage`` is called with each stage's name, for the journal;
    ``at_once`` means to kill without asking first.
    """

    def __init__(
        self,
        kernel: Any,
        *,
        cause: EndCause,
        message: str,
        grace_s: float,
        on_stage: Callable[[str], None],
        at_once: bool = False,
    ) -> None:
        self.kernel, self.cause, self.message, self.grace_s, self.on_stage = kernel, cause, message, grace_s, on_stage
        self.stages = list(STAGES[2:] if at_once else STAGES)
        self.next_at = 0.0
        self.advance()

    def advance(self) -> None:
        """Take the next stage when its time has come."""
        if not self.stages or time.monotonic() < self.next_at:
            return
        stage = self.stages.pop(0)
        self.on_stage(stage)
        getattr(self.kernel, stage)()
        self.next_at = time.monotonic() + self.grace_s


class SignalCatcher:
    """Catches Ctrl-C and a request to end (SIGTERM) for a while, so that a run can be stopped in order.

    Only the main thread gets signals; elsewhere this does nothing. A second Ctrl-C has its usual effect.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self.previous[signum] = signal.signal(signum, self.note)
        return self

    def note(self, signum: int, _frame: FrameType | None) -> None:
        """Remember the signal; give way to the usual handler from the second one on."""
        if self.signum:
            signal.signal(signum, self.previous.get(signum) or signal.SIG_DFL)
        self.signum = signum

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self.previous.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)

    def pass_on(self) -> None:
        """End the caller as the signal asked, once everything is saved.

        Raises
        ------
        KeyboardInterrupt
            For Ctrl-C.
        SystemExit
            For SIGTERM, with the usual status 143.
        """
        if self.signum == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signum:
            raise SystemExit(128 + self.signum)


def is_stop_requested(folder: Path) -> bool:
    """Whether somebody asked this run to stop."""
    return (folder / CANCEL).exists()
