"""What a notebook writes beside a parameter: a range, a secret by reference, a data set, a model, a column."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from nbprod.errors import EnvironmentProblem, ParameterError

__all__ = ["Column", "ColumnOf", "Dataset", "Model", "Range", "Secret"]

COMMAND_TIMEOUT_S = 30
HANDED_OVER = "NBPROD_SECRETS"  # names the private file

#: The name of a registered data set, a path or a URL; at run time a plain string.
Dataset: TypeAlias = Annotated[str, "the name of a registered data set, a path or a URL"]

#: A model version, an alias, a package digest or folder; the process that executes a run replaces it by a folder.
Model: TypeAlias = Annotated[str, "electricity@champion, electricity/2, a package digest or a package folder"]

#: A column of the first data set the notebook declares; a name it does not have is refused before a kernel starts.
Column: TypeAlias = Annotated[str, "a column of the notebook's data set"]


@dataclass(frozen=True)
class ColumnOf:
    """A column of a certain data set, where a notebook has several: ``Annotated[str, ColumnOf("test_data")]``."""

    dataset: str  #: the parameter that names the data set


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value allowed, both included: ``Annotated[float, Range(0.05, 0.5)]``.

    ``None`` leaves an end open. A parameter with a range takes neither NaN nor an infinity.

    Raises
    ------
    ParameterError
        An end is not a number, or the ends are the wrong way round.
    """

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if end is not None and (isinstance(end, bool) or not isinstance(end, int | float) or end != end):  # noqa: PLR0124 — NaN
                raise ParameterError(
                    f"Range({self.low!r}, {self.high!r}) is not a range: {end!r} is not a number",
                    hint="Give numbers, or None for an open end.",
                )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ParameterError(
                f"Range({self.low!r}, {self.high!r}) is not a range: it starts above its end",
                hint=f"Write Range({self.high!r}, {self.low!r}).",
            )


def handed_over() -> dict[str, str]:
    """The secrets that the process executing this notebook left in a private file, by reference."""
    try:
        found = json.loads(Path(os.environ[HANDED_OVER]).read_bytes())
    except (KeyError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, repr=False)
class Secret:
    """Where a secret is, never the secret: ``Secret("env:DB_TOKEN")``.

    Only the reference is kept, shown, compared and written into notebooks; ``reveal()`` reads the secret where and
    when it is needed.

    Parameters
    ----------
    reference
        ``env:NAME`` (an environment variable), ``file:PATH`` (a file's text) or ``cmd:COMMAND`` (what a command
        prints, started without a shell).

    Raises
    ------
    ParameterError
        The text is no reference. It is not repeated in the message, because it may be the secret itself.
    """

    reference: str

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str) or not is_reference(self.reference):
            raise ParameterError(
                "A secret was given that is not a reference; it is not shown here",
                hint="Say where the secret is: env:NAME, file:PATH or cmd:COMMAND.",
            )

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __str__(self) -> str:
        return self.reference

    def reveal(self) -> str:
        """Read the secret; a line end after it is not part of it.

        Raises
        ------
        EnvironmentProblem
            The variable is not set, the file cannot be read or the command failed.
        """
        if (handed := handed_over()) and self.reference in handed:
            return handed[self.reference]
        scheme, place = self.reference.split(":", 1)
        if scheme == "env":
            if place not in os.environ:
                raise EnvironmentProblem(
                    f"The secret {self} is not set", hint=f"Set the environment variable {place} and try again."
                )
            return os.environ[place]
        if scheme == "file":
            try:
                return Path(place).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, ValueError) as error:
                raise EnvironmentProblem(
                    f"The secret {self} cannot be read: {type(error).__name__}",
                    hint="Name a text file this account may read.",
                ) from error
        try:
            done = subprocess.run(  # noqa: S603 — the person who runs the notebook names the command; there is no shell
                shlex.split(place), capture_output=True, text=True, check=True, timeout=COMMAND_TIMEOUT_S
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            # "from None": what the command printed may hold the secret
            raise EnvironmentProblem(
                f"The secret {self} cannot be read: its command failed or took over {COMMAND_TIMEOUT_S} s",
                hint="Run the command by hand; it must print the secret and end with 0.",
            ) from None
        return done.stdout.rstrip("\r\n")


def is_reference(text: str) -> bool:
    """Whether a text says where a secret is."""
    scheme, _, place = text.partition(":")
    if scheme == "env":
        return place.isidentifier()
    return scheme in {"file", "cmd"} and bool(place.strip()) and "\n" not in place and "\0" not in place
