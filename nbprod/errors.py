"""The exception tree: every error nbprod raises on purpose, and nothing else.

::

    NbprodError
    ├── SettingsError            nbprod.toml, a variable or an argument cannot be used
    ├── EnvironmentProblem       Python, a kernel, a library or a missing extra
    ├── NotFoundError            a named thing does not exist
    ├── ConflictError            the world is not as the caller expected
    │   ├── StaleMoveError       somebody else moved first
    │   └── IllegalMoveError     a status may not become that one
    ├── StoreError               the ledger, a file or a table cannot be read or written
    ├── NotebookError            a notebook cannot be read or is not what it must be
    │   └── ParameterError       an unknown name, a wrong type, a value out of range
    ├── RunFailedError           a notebook was executed and did not finish
    ├── DeliveryError            a channel did not take a message
    ├── DataError                data cannot be read or are not what the work needs
    │   └── SchemaError          rows do not match what a model was trained on
    ├── PackageError             a model package is not what its manifest says
    │   └── UntrustedTypesError  a model file holds types the reader does not trust
    └── RefusedError             a gate, a check or a policy said no

A message has three parts: what happened, to which named thing, what to do next. The classes know no exit code and
no HTTP status: those tables live at the edges (``cli``).
"""

from __future__ import annotations

from collections.abc import Sequence

from nbprod.visible import visible


class NbprodError(Exception):
    """Something nbprod can name went wrong.

    Parameters
    ----------
    message
        What happened, to which named thing.
    hint
        What to do next; shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        message, hint = visible(message), visible(hint)  # both repeat what others wrote
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class SettingsError(NbprodError):
    """A setting in ``nbprod.toml``, a variable or an argument cannot be used."""


class EnvironmentProblem(NbprodError):  # noqa: N818 — "EnvironmentError" is a builtin with another meaning
    """Python, a kernel, a library or an extra is missing or known not to work."""


class NotFoundError(NbprodError, LookupError):
    """A named thing does not exist.

    The nearest existing names belong into the hint.
    """


class ConflictError(NbprodError):
    """The world is not as the caller expected; nothing was changed."""


class StaleMoveError(ConflictError):
    """Somebody else moved first; nothing was changed."""


class IllegalMoveError(ConflictError):
    """A status may not become that one; nothing was changed."""


class StoreError(NbprodError):
    """The ledger, a file or a table cannot be read or written."""


class NotebookError(NbprodError):
    """A notebook cannot be read or is not what it must be."""


class ParameterError(NotebookError):
    """A parameter has an unknown name, a wrong type or a value out of range.

    Parameters
    ----------
    message
        All problems, one a line.
    names
        The parameters at fault.
    """

    def __init__(self, message: str, *, names: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.names = tuple(names)


class RunFailedError(NbprodError):
    """A notebook was executed and did not finish.

    Parameters
    ----------
    message
        Which cell of which notebook failed, and how.
    run_id
        The run, whose folder holds the partial notebook.
    """

    def __init__(self, message: str, *, run_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id


class DeliveryError(NbprodError):
    """A channel did not take a message; it is kept and sent again. The text holds no address and no secret."""


class DataError(NbprodError):
    """Data cannot be read, or are not what the work needs."""


class SchemaError(DataError):
    """Rows do not match what a model was trained on.

    Parameters
    ----------
    message
        A sentence for each column at fault.
    columns
        The columns at fault.
    """

    def __init__(self, message: str, *, columns: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.columns = tuple(columns)


class PackageError(NbprodError):
    """A model package is not what its manifest says; nothing was loaded."""


class UntrustedTypesError(PackageError):
    """A model file holds types the reader does not trust; nothing was loaded.

    Parameters
    ----------
    message
        Which model file.
    types
        The types at fault.
    """

    def __init__(self, message: str, *, types: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.types = tuple(types)


class RefusedError(NbprodError):
    """A gate, a check or a policy said no; nothing was changed."""
