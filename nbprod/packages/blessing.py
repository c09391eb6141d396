"""Blesses a package: a fresh process loads it, scores its golden rows and compares the values.

::

    python -m nbprod.packages.blessing FOLDER

Success of a request proves little; equal values prove that this environment computes what the notebook computed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbprod.clock import format_utc, now, parse_utc
from nbprod.domain.blessing import Blessing
from nbprod.packages.environment import installed, surroundings
from nbprod.packages.isolation import answer, ask_fresh_process, options

__all__ = ["bless_folder"]

TIMEOUT_S = 300.0


def bless_folder(
    folder: Path | str,
    *,
    digest: str | None = None,
    trusted: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
) -> Blessing:
    """Bless a package in a fresh process; a blessing that failed is returned, not raised.

    Raises
    ------
    PackageError
        The package was changed, cannot be loaded, or its process crashed.
    """
    found = ask_fresh_process(
        "nbprod.packages.blessing", [str(folder)], digest=digest, trusted=trusted, timeout_s=timeout_s
    )
    return Blessing(**{**found, "blessed_at": parse_utc(found["blessed_at"])})


def main(arguments: Sequence[str] | None = None) -> int:
    """Bless in this process; the exit code is 1 if the values differ or the package cannot be loaded."""
    parser = options("Load a package, score its golden rows and compare the values.")
    return answer(parser.parse_args(arguments), _bless)


def _bless(given: argparse.Namespace) -> dict[str, Any]:
    start = time.perf_counter()
    from nbprod.packages.golden import largest_difference  # delayed: what it loads is part of the time
    from nbprod.packages.loading import load_package

    package = load_package(given.folder, digest=given.digest, trusted=given.trusted)
    inputs, expected = package.golden()
    is_single = any(column.dtype == "float32" for column in package.schema.columns)
    found = largest_difference(
        expected, package.predict_by_pipeline(package.check(inputs).frame), is_single=is_single
    )
    compiled = largest_difference(expected, package.predict(inputs), is_single=is_single)
    if found.within and not compiled.within:  # what predicts must be near too; how near is told of the pipeline
        found = compiled
    around = surroundings()
    pinned = [line.partition("==")[0] for line in package.sealed.read("requirements.txt").decode().splitlines()]
    return {
        "digest": package.digest,
        "passed": found.within,
        "sentence": f"{len(inputs)} golden rows scored in a fresh process: {found}.",
        "rows": len(inputs),
        "column": found.column,
        "largest_difference": found.value,
        "seconds": time.perf_counter() - start,
        "python": around["python"],
        "platform": around["platform"],
        "blessed_at": format_utc(now()),
        "versions": {name: installed().get(name, "not installed") for name in pinned},
    }


if __name__ == "__main__":
    raise SystemExit(main())
