"""The live panel of a run: progress by cell, what it prints, how it ended, and a button that stops it."""

from __future__ import annotations

import secrets
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Button, VBox

from nbprod import clock
from nbprod.disk import write_file
from nbprod.domain.run import Run
from nbprod.errors import NotFoundError
from nbprod.notebook.stopping import CANCEL
from nbprod.panels.run_follower import Follower, Standing
from nbprod.panels.run_html import draw, sentence
from nbprod.settings import actor

__all__ = ["POLL_S", "RunPanel"]

POLL_S = 0.4


class RunPanel(VBox):
    """Shows a run while it goes on and when it has ended, whoever started it.

    A thread of its own looks at the run's journal and ends with the run; the kernel is never blocked. Saved with the
    notebook is plain HTML of the same content, for readers without a kernel.

    Parameters
    ----------
    run
        A run, or the folder of a record: what plain papermill with our engine leaves beside its output.
    poll_s
        Between two looks.

    Raises
    ------
    NotFoundError
        The folder is gone.
    """

    def __init__(self, run: Run | Path, *, poll_s: float = POLL_S) -> None:
        self.closing = threading.Event()  # first of all: close() is called also when the rest is refused
        folder, title, created_at = _record_of(run)
        if not folder.is_dir():
            raise NotFoundError(
                f"There is no record at {folder}", hint="It may have been removed; see nbprod runs list"
            )
        self.folder = folder
        self.poll_s = poll_s
        self.follower = Follower(folder, title=title, created_at=created_at)
        self.standing: Standing = self.follower.poll()
        self.body = HTML(value=draw(self.standing))
        self.button = Button(description="Stop the run", disabled=self.standing.has_ended)
        self.button.on_click(lambda _: self.stop())
        self.display_id = ""
        super().__init__([self.body, self.button])
        self.add_class("nbp-run")
        self.thread = threading.Thread(target=self._follow, name=f"nbprod panel {title}", daemon=True)
        if not self.standing.has_ended:
            self.thread.start()

    def stop(self) -> None:
        """Ask the run to stop, and return at once; the panel shows how it does."""
        if not self.standing.has_ended:
            write_file(self.folder / CANCEL, f"{actor()} {clock.format_utc(clock.now())}\n")
            self.button.description, self.button.disabled = "Stopping …", True

    def close(self) -> None:
        """Take the panel away; the run goes on."""
        self.closing.set()
        super().close()

    def _follow(self) -> None:
        while not self.closing.wait(self.poll_s) and self.folder.is_dir():  # it may be pruned meanwhile
            self.standing = self.follower.poll()
            self.body.value = draw(self.standing)
            if self.standing.has_ended:
                self.button.description, self.button.disabled = "Stop the run", True
                self._show(update=True)
                return

    def _repr_mimebundle_(self, **_asked: Any) -> dict[str, Any]:
        """The live widget, and beside it the same as HTML and as a line of text."""
        live = super()._repr_mimebundle_() or {}
        return {**live, "text/html": draw(self.standing), "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        """Show the panel so that what is saved with the notebook can say the end, once there is one."""
        self.display_id = self.display_id or secrets.token_hex(16)
        self._show()

    def _show(self, *, update: bool = False) -> None:
        interpreter = sys.modules.get("IPython")
        shell = interpreter.get_ipython() if interpreter is not None else None
        if shell is None or not self.display_id:
            return
        shell.display_pub.publish(
            data=self._repr_mimebundle_(), metadata={}, transient={"display_id": self.display_id}, update=update
        )

    def __repr__(self) -> str:
        return f"<RunPanel {self.follower.title}: {sentence(self.standing)}>"


def _record_of(run: Run | Path) -> tuple[Path, str, datetime]:
    if isinstance(run, Run):
        return Path(run.folder), run.id, run.created_at
    return Path(run), Path(run).resolve().stem, clock.now()
