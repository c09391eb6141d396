"""``%load_ext nbprod``: the command line inside a notebook, where a run shows a live panel and goes on by itself.

::

    %nbprod run train alpha=0.1 data={path}
    %nbprod watch 7f3a
    %nbprod cancel 7f3a
    %nbprod runs list
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from nbprod.errors import NbprodError, ParameterError
from nbprod.visible import visible

__all__ = ["NbprodMagics", "load_ipython_extension", "unload_ipython_extension"]

VARIABLE = re.compile(r"\{([^\W\d]\w*)\}")
COMMANDS = ("run", "watch", "cancel", "runs", "packages", "models", "deployments", "alerts", "notebooks", "doctor")


class Refused(Exception):  # noqa: N818 — shown in the notebook by this name
    """A command that did not do what was asked; shown as its message alone, as the command line does."""

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


@magics_class
class NbprodMagics(Magics):
    """The magic ``%nbprod``."""

    @no_var_expand  # a variable is handed over as it is, not as a text
    @line_magic
    def nbprod(self, line: str) -> None:
        """Do what the command line does.

        ``run`` starts the run in a process of its own, so that closing the notebook does not stop it, and shows its
        panel; ``watch RUN`` shows the panel of any run; ``cancel RUN`` stops one. Everything else is a command of
        ``nbprod``. Values may name variables: ``data={path}``.
        """
        try:
            words = _split(line) or ["--help"]
            match words:
                case ["run", template, *given] if not any(_is_option(word) for word in [template, *given]):
                    self._run(template, [word for word in given if word != "-p"])
                case ["watch", run]:
                    self._watch(_with_variables(run, self.variables))
                case ["cancel", run]:
                    _run_command(["runs", "cancel", str(_with_variables(run, self.variables))])
                case ["run", *given] if not {"-h", "--help", "--detach"} & set(given):  # with options of its own
                    _run_command(["run", *(str(_with_variables(word, self.variables)) for word in given), "--detach"])
                case _:
                    _run_command([str(_with_variables(word, self.variables)) for word in words])
        except NbprodError as error:
            hint = f"\n  {error.hint}" if error.hint else ""
            raise Refused(f"nbprod: {error.message}{hint}") from None

    @property
    def variables(self) -> dict[str, Any]:
        """Those of the notebook."""
        assert self.shell is not None
        return self.shell.user_ns

    def _run(self, template: str, given: list[str]) -> None:
        from nbprod.workspace import open_workspace  # opens the ledger

        values = _parameter_values(given, self.variables)
        name = str(_with_variables(template, self.variables))
        self._watch(open_workspace().runs.start(name, values, detach=True, from_text=True))

    def _watch(self, run: Any) -> None:
        from IPython.display import display

        from nbprod.watching import watch  # ipywidgets takes half a second to import

        display(watch(run))  # type: ignore[no-untyped-call]


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext nbprod``."""
    shell.register_magics(NbprodMagics)
    shell.set_hook("complete_command", _complete, str_key="%nbprod")


def unload_ipython_extension(shell: Any) -> None:
    """Called by ``%unload_ext nbprod``."""
    shell.magics_manager.magics["line"].pop("nbprod", None)


def _is_option(word: str) -> bool:
    """Whether a word is an option that only the command line knows."""
    return word.startswith("-") and word != "-p"


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ParameterError(f"The line cannot be read: {error}", hint="Close every quotation mark.") from None


def _parameter_values(texts: list[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    """``NAME=VALUE`` texts as a mapping; a value that is one variable is that variable's value, of any type."""
    from nbprod.cli.run import assignments  # the command line, which a notebook without it need not load

    return {name: _with_variables(text, variables) for name, text in assignments(texts).items()}


def _with_variables(text: str, variables: Mapping[str, Any]) -> Any:
    """The text with variables put in for ``{name}``.

    Raises
    ------
    ParameterError
        There is no such variable.
    """

    def value(name: str) -> Any:
        if name not in variables:
            raise ParameterError(f"There is no variable {name} in this notebook", hint=f"Assign {name} first.")
        return variables[name]

    if match := VARIABLE.fullmatch(text):
        return value(match[1])
    return VARIABLE.sub(lambda match: str(value(match[1])), text)


def _run_command(arguments: list[str]) -> None:
    """Carry out a command of the command line; what it says is printed in the cell.

    Raises
    ------
    Refused
        The command was not understood, or ended with another code than 0.
    """
    from nbprod.cli.application import app  # the command line is loaded when it is used

    try:
        code = app(args=arguments, prog_name="nbprod", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # those of click, of which newer versions of typer have a copy
            raise
        raise Refused(f"nbprod: {visible(error.format_message())}") from None
    if isinstance(code, int) and code:
        raise Refused(visible(f"nbprod {' '.join(arguments)} ended with {code}"))


def _complete(_magics: Any, event: Any) -> list[str]:
    """Commands, then the names of templates, then those of the template's parameters."""
    words = event.line.split()[1:]
    before = words if event.line.endswith(" ") else words[:-1]
    if not before:
        return list(COMMANDS)
    if before[0] != "run":
        return []
    try:
        from nbprod.workspace import open_workspace  # opens the ledger

        templates = open_workspace().templates
        if len(before) == 1:
            return list(templates.names())
        return [f"{parameter.name}=" for parameter in templates.get(before[1]).parameters]
    except NbprodError:
        return []
