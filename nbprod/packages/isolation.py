"""Scores rows by a package in a process of its own, so that no two packages share one.

::

    python -m nbprod.packages.isolation FOLDER INPUT OUTPUT

Two packages in one process share whatever module both name, and one that crashes takes the other along.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod import errors
from nbprod.errors import NbprodError, PackageError
from nbprod.kernels.forked_module import run_forked
from nbprod.threads import waiting_politely

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["answer", "ask_fresh_process", "options", "predict_beside", "predict_isolated"]

TIMEOUT_S = 900.0


def predict_isolated(
    folder: Path | str,
    data: pd.DataFrame | str | PathLike[str],
    *,
    digest: str | None = None,
    trusted: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
) -> pd.DataFrame:
    """Predict rows by a package in a process of its own.

    Parameters
    ----------
    folder
        The package.
    data
        A data frame, or what :func:`nbprod.datasets.open_dataset` opens.
    digest
        What the package must be; by default its folder's name, where that is a digest.
    trusted
        Full names of types to trust beside the list for verified packages.
    timeout_s
        After this long the process is ended.

    Returns
    -------
    pandas.DataFrame
        As :meth:`~nbprod.packages.LoadedPackage.predict` gives it, with the frame's index.

    Raises
    ------
    NbprodError
        Whatever went wrong there, with its message; :class:`~nbprod.errors.PackageError` if the process crashed.
    """
    import pandas as pd  # delayed, as in all of nbprod

    with tempfile.TemporaryDirectory(prefix="nbprod-predict-") as temporary:
        source, result = Path(temporary, "input.parquet"), Path(temporary, "output.parquet")
        given = data
        if isinstance(data, pd.DataFrame):
            from nbprod.datasets import write_parquet  # delayed: it loads pyarrow

            given = write_parquet(data, source)
        ask_fresh_process(
            "nbprod.packages.isolation",
            [str(folder), str(given), str(result)],
            digest=digest,
            trusted=trusted,
            timeout_s=timeout_s,
        )
        made = pd.read_parquet(result)
    return made.set_axis(data.index, axis=0) if isinstance(data, pd.DataFrame) else made


def predict_beside(folders: Mapping[str, Path | str], data: pd.DataFrame, **how: Any) -> dict[str, pd.DataFrame]:
    """Predict the same rows by several packages, each in a fresh process, all at the same time.

    Parameters
    ----------
    folders
        The packages by the name their answers get.
    data
        The rows.
    **how
        As of `predict_isolated`, whose errors it raises.
    """
    with ThreadPoolExecutor(len(folders) or 1, thread_name_prefix="nbprod-predict") as pool:
        asked = {name: pool.submit(predict_isolated, folder, data, **how) for name, folder in folders.items()}
        return {name: answer.result() for name, answer in asked.items()}


def ask_fresh_process(
    module: str,
    arguments: Sequence[str],
    *,
    digest: str | None = None,
    trusted: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
) -> dict[str, Any]:
    """Run a module of nbprod in a process that has imported and nothing else, and return what it answers.

    That is a fork of the fork server, or of the guard of the kernel this runs in; else a new interpreter.

    Raises
    ------
    NbprodError
        What the module raised, of the same class.
    PackageError
        The process crashed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="nbprod-answer-") as temporary:
        answered = Path(temporary, "answer.json")
        given = [*arguments, "--answer", str(answered)]
        given += ["--digest", digest] if digest else []
        for name in trusted:
            given += ["--trusted", name]
        try:
            code, said = _executed(module, given, timeout_s)
        except subprocess.TimeoutExpired as error:
            raise PackageError(f"The process for {arguments[0]} took longer than {timeout_s:g} s") from error
        if not answered.exists():
            raise PackageError(
                f"The process for {arguments[0]} ended without an answer ({_ending(code)})",
                hint=(said.strip().splitlines() or [""])[-1][:500],
            )
        found: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    if "error" in found:
        raise _raised(found["error"])
    return found


def _executed(module: str, arguments: Sequence[str], timeout_s: float) -> tuple[int, str]:
    """The exit code of a fresh process and what it wrote to standard error."""
    env = waiting_politely(os.environ)
    if (ended := run_forked(module, arguments, env=env, timeout_s=timeout_s)) is not None:
        return ended
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(  # noqa: S603 — our own interpreter and module, no shell
        command, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL, env=env
    )
    return done.returncode, done.stderr


def options(description: str) -> argparse.ArgumentParser:
    """The arguments every such module takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder")
    parser.add_argument("--digest")
    parser.add_argument("--trusted", action="append", default=[])
    parser.add_argument("--answer", type=Path, help="a file for the answer, instead of standard output")
    return parser


def answer(given: argparse.Namespace, work: Callable[[argparse.Namespace], dict[str, Any]]) -> int:
    """Do the work and write its answer, or what it raised; return the exit code."""
    try:
        found, code = work(given), 0
    except NbprodError as error:
        facts = {name: list(getattr(error, name)) for name in ("columns", "types") if hasattr(error, name)}
        found = {"error": {"class": type(error).__name__, "message": error.message, "hint": error.hint, **facts}}
        code = 1
    text = json.dumps(found, allow_nan=True)
    if given.answer:
        given.answer.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Score a source by a package into a Parquet file."""
    parser = options("Score rows by a package in a process of its own.")
    parser.add_argument("input")
    parser.add_argument("output", type=Path)
    return answer(parser.parse_args(arguments), _score)


def _score(given: argparse.Namespace) -> dict[str, Any]:
    from nbprod.datasets import read_frame, write_parquet  # delayed: pyarrow and pandas
    from nbprod.packages.loading import load_package  # delayed: scikit-learn

    package = load_package(given.folder, digest=given.digest, trusted=given.trusted)
    made = package.predict(read_frame(given.input))
    write_parquet(made, given.output)
    return {"rows": len(made)}


def _raised(error: dict[str, Any]) -> NbprodError:
    found = getattr(errors, str(error.pop("class")), PackageError)
    message = error.pop("message")
    try:
        made: NbprodError = found(message, **error)
    except TypeError:  # a class that takes other facts
        made = PackageError(message, hint=error.get("hint", ""))
    return made


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    raise SystemExit(main())
