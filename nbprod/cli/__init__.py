"""The command line: the same nouns and verbs as Python, one exit code a kind of outcome.

Exit codes: 0 done · 1 the notebook or job failed · 2 usage or bad parameter · 3 a gate or check said no ·
4 not found · 5 environment or store problem · 130 interrupted.
"""

from __future__ import annotations

import io
import sys

from nbprod import errors

__all__ = ["exit_code", "main"]

#: The first class that fits decides.
EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.RunFailedError, 1),
    (errors.RefusedError, 3),
    (errors.ConflictError, 3),
    (errors.NotFoundError, 4),
    (errors.EnvironmentProblem, 5),
    (errors.StoreError, 5),
    (errors.PackageError, 5),
    (errors.NbprodError, 2),
)


def exit_code(error: errors.NbprodError) -> int:
    """The exit code of an error nbprod raised on purpose."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code; an error is a sentence on stderr, never a traceback."""
    import traceback

    import typer

    from nbprod.cli.application import app
    from nbprod.cli.output import say

    try:
        code = app(args=arguments, prog_name="nbprod", standalone_mode=False)
    except errors.NbprodError as error:
        say(f"nbprod: {error.message}")
        if error.hint:
            say(f"  {error.hint}")
        sys.exit(exit_code(error))
    except typer.Abort:
        say("Aborted.")
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 — whatever it is, its message may repeat what others wrote
        if not hasattr(error, "format_message"):  # of click, of which newer versions of typer have a copy
            say(traceback.format_exc())
            sys.exit(1)
        usage = io.StringIO()
        error.show(usage)  # type: ignore[attr-defined]
        say(usage.getvalue().rstrip("\n"))
        sys.exit(error.exit_code)  # type: ignore[attr-defined]
    sys.exit(code if isinstance(code, int) else 0)
