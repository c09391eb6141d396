"""A server in a process of its own, held from a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nbprod.domain.markup import card
from nbprod.errors import EnvironmentProblem
from nbprod.serving.traffic import Traffic, ask, send_rows

__all__ = ["RunningServer", "start_server"]

START_S = 60.0
END_S = 15.0


class RunningServer:
    """What ``ws.deployments.serve`` gives: a server beside this process, which ends with it or by :meth:`stop`.

    Use it in a ``with`` statement, or stop it by hand.
    """

    def __init__(self, deployment: str, process: subprocess.Popen[str], url: str, said: deque[str]) -> None:
        self.deployment = deployment
        self.url = url
        self._process = process
        self._said = said

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it still answers."""
        return self._process.poll() is None

    @property
    def log(self) -> list[str]:
        """The last lines it wrote."""
        return list(self._said)

    def predict(
        self, rows: Sequence[Mapping[str, Any]], *, unit: str | None = None, token: str = ""
    ) -> dict[str, Any]:
        """Ask it for predictions, as any client does over HTTP.

        Parameters
        ----------
        rows
            Field by name.
        unit
            What the rows are about: a customer, say.
        token
            Where one is needed.

        Raises
        ------
        EnvironmentProblem
            It did not answer 200; the message is the server's.
        """
        body = {"rows": list(rows), **({"unit": unit} if unit is not None else {})}
        return ask(self.url, "/predict", body, token=token)

    def send(
        self, rows: Sequence[Mapping[str, Any]], *, units: Sequence[str] = (), outcomes: Sequence[Any] = ()
    ) -> Traffic:
        """Ask for a prediction of each row by a request of its own, and tell at once what became of it.

        Parameters
        ----------
        rows
            Field by name.
        units
            What each row is about, as many as rows; by it a rollout assigns arms.
        outcomes
            What turned out, as many as rows; none are told without them.

        Raises
        ------
        EnvironmentProblem
            A request was not answered 200.
        """
        answered = send_rows(self.url, rows, units=units)
        if len(outcomes):
            pairs = zip(answered.ids, outcomes, strict=True)
            self.tell([{"prediction_id": name, "outcome": outcome} for name, outcome in pairs])
        return answered

    def tell(self, outcomes: Sequence[Mapping[str, Any]], *, token: str = "") -> dict[str, Any]:
        """Tell it outcomes: ``prediction_id`` or ``unit``, ``outcome`` and perhaps ``at`` of each."""
        return ask(self.url, "/outcomes", {"outcomes": list(outcomes)}, token=token)

    def stop(self) -> None:
        """Finish what was begun, keep everything, and end; again is fine."""
        if self._process.poll() is None:
            if self._process.stdin is not None:
                with suppress(OSError):
                    self._process.stdin.close()
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<RunningServer of {self.deployment} at {self.url}{'' if self.is_running else ', ended'}>"

    def _repr_html_(self) -> str:
        return card(
            f"Server of {self.deployment}",
            [("address", self.url if self.is_running else "ended"), ("form", f"{self.url}/"), ("process", self.pid)],
        )


def start_server(folder: Path, deployment: str, options: Sequence[str]) -> RunningServer:
    """Start ``nbprod serve`` beside this process, and return when it answers.

    Parameters
    ----------
    folder
        Of the workspace.
    deployment
        Its name.
    options
        Of the command.

    Raises
    ------
    EnvironmentProblem
        It ended before it answered; the message is its own.
    """
    process = subprocess.Popen(  # noqa: S603 — our own command
        [sys.executable, "-m", "nbprod", "--workspace", str(folder), "serve", deployment, "--attached", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # Ctrl-C in a notebook interrupts the cell, not the server
    )
    said: deque[str] = deque(maxlen=200)

    def listen() -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            said.extend(line.rstrip("\n") for line in lines)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(END_S)
        listener.join(1.0)
        raise EnvironmentProblem(
            f"the server of {deployment} ended before it answered: {' '.join(list(said)[-3:])}",
            hint=f"Try it in a terminal: nbprod serve {deployment}.",
        )
    return RunningServer(deployment, process, json.loads(line)["url"], said)
