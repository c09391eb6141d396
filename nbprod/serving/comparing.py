"""Goes on holding the compiled model against its pipeline, on a sample of the requests, in a process beside.

::

    python -m nbprod.serving.comparing FOLDER DIGEST < samples > results

The pipeline needs data frames and scikit-learn, which the worker does not load; nobody waits for a sample, and one
that finds the process busy is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from nbprod.serving.assignment import Arm

__all__ = ["Comparison", "main"]

log = logging.getLogger("nbprod.serving")
EVERY = 1000  #: one request in so many is compared
RELATIVE, ABSOLUTE = 1e-6, 1e-9


class Sample(msgspec.Struct):
    """Rows as they were sent, and what the compiled model gave."""

    rows: list[dict[str, Any]]
    outputs: dict[str, list[Any]]


class Comparison:
    """Of one version, for one worker.

    Parameters
    ----------
    arm
        The version.
    trusted
        Further types its pipeline may hold.
    told
        Called with the rows that were compared and whether all were equal.
    every
        One request in so many is compared.
    """

    def __init__(
        self, arm: Arm, trusted: Sequence[str], told: Callable[[int, bool], None], *, every: int = EVERY
    ) -> None:
        self._arm, self._trusted, self._told, self._every = arm, trusted, told, every
        self._count = 0
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def see(self, arm: Arm, rows: Sequence[Mapping[str, Any]], outputs: Mapping[str, list[Any]]) -> None:
        """Take one request in so many that this version answered, unless the one before is still being compared."""
        if arm != self._arm:  # the candidate of a rollout answers otherwise, and that is no fault of this one
            return
        self._count += 1
        if self._count % self._every == 0 and (self._task is None or self._task.done()):
            sample = Sample([dict(row) for row in rows[:16]], {name: values[:16] for name, values in outputs.items()})
            self._task = asyncio.get_running_loop().create_task(self._compare(sample))

    async def _compare(self, sample: Sample) -> None:
        try:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "nbprod.serving.comparing", self._arm.folder, self._arm.digest),
                    *self._trusted,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(msgspec.json.encode(sample) + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
            if line:
                self._told(len(sample.rows), msgspec.json.decode(line, type=bool))
        except (OSError, msgspec.MsgspecError) as problem:
            log.warning("a sample could not be compared: %s", problem)
            self.close()

    def close(self) -> None:
        """End the process beside."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process = None


def are_equal(expected: Mapping[str, Sequence[Any]], given: Mapping[str, Sequence[Any]]) -> bool:
    """Whether labels are equal and numbers near."""
    return expected.keys() == given.keys() and all(
        math.isclose(left, right, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if isinstance(left, float) else left == right
        for name in expected
        for left, right in zip(expected[name], given[name], strict=True)
    )


def main() -> int:
    """Compare until the worker ends."""
    from nbprod.packages import load_package  # delayed: pandas and scikit-learn

    os.nice(15)  # whoever waits for an answer comes first
    folder, digest, *trusted = sys.argv[1:]
    package = load_package(folder, digest=digest, trusted=trusted)
    for line in sys.stdin.buffer:
        sample = msgspec.json.decode(line, type=Sample)
        made = package.predict_by_pipeline(package.check(sample.rows).frame)
        expected = {name: made[name].tolist() for name in made.columns}
        sys.stdout.write("true\n" if are_equal(expected, sample.outputs) else "false\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
