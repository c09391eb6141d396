"""Settings and where each came from: arguments, then ``NBPROD_*`` variables, then ``nbprod.toml``, then defaults."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbprod.errors import NotFoundError, SettingsError

__all__ = ["FILE_NAME", "Setting", "Settings", "actor", "find_folder"]

FILE_NAME = "nbprod.toml"

#: Every scalar setting: its default and one sentence of help; tables (``[data.NAME]`` …) are read by their owners.
KNOWN: Mapping[str, tuple[Any, str]] = MappingProxyType(
    {
        "store.ledger": ("", "URL of the ledger; empty: SQLite in .nbprod/"),
        "store.files": ("", "folder or fsspec URL of runs, packages and tables; empty: .nbprod/"),
        "data.private": ([], "columns that never enter samples, reports or logs"),
        "packages.trusted": ([], "full names of types a model may hold beside those nbprod trusts"),
        "runs.timeout_s": (0.0, "deadline of a whole run, in seconds; 0: none"),
        "runs.cell_timeout_s": (0.0, "deadline of one cell, in seconds; 0: none"),
        "runs.memory_mb": (0, "memory a kernel may use, in megabytes; 0: no limit"),
        "runs.hold": ("", "how long to keep the kernel of a run that failed by an error, such as 30m; empty: not"),
        "kernels.name": ("", "kernel spec that runs notebooks; empty: this interpreter"),
        "kernels.warm": (True, "fork kernels from a process that has imported what the notebook imports"),
        "kernels.preload": ([], "modules that process may import although no installed distribution has them"),
        "kernels.not_preloaded": ([], "modules that process leaves to the notebook"),
        "serve.durable": (
            True,
            "whether an answer waits until its prediction is on the disk; false: within a second",
        ),
        "alerts.group": ("7d", "what begins within this of each other, in event time, is one alert"),
        "alerts.quiet": ("", 'hours nothing is sent in, such as "22:00-07:00"; it waits for their end'),
        "alerts.timezone": ("UTC", "of quiet hours and digest"),
        "alerts.wakes": (
            "critical",
            "what quiet hours do not hold: this severity and worse, or never",
        ),
        "alerts.escalate": (
            "",
            'others are told of an alert nobody looks at for so long: "4h"; empty: never',
        ),
        "alerts.escalate_to": ([], "channels of those others; empty: the same ones"),
        "alerts.escalate_owner": ("", "who owns an escalated alert; empty: whoever did"),
        "alerts.digest": (
            "",
            'when a summary of what is not resolved is sent each day: "08:00"; empty: never',
        ),
        "alerts.channels": ([], "the channels that are told, each a table [channels.NAME]; empty: all"),
        "alerts.owner": ("", "who looks after alerts"),
        "alerts.runbook": ("", "address of what to do about an alert"),
        "notify.webhook": ("", "URL that receives alerts as JSON; the short form of a channel"),
        "notify.allow_private": (
            False,
            "whether that URL may lead to this machine or a private network",
        ),
        "notify.apprise": ([], "apprise addresses that receive alerts (extra: notify); the short form of a channel"),
        "site.folder": ("site", "where the static site is built"),
    }
)
#: Tables whose entries are named by the user, and the first words of their entries' help.
TABLES = ("data", "gates", "monitors", "alerts", "channels", "retraining", "rollouts", "pipelines", "schedules")


def actor() -> str:
    """Who acts: ``NBPROD_ACTOR``, else the name of the login."""
    if named := os.environ.get("NBPROD_ACTOR"):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return f"user-{os.getuid()}"


def find_folder(start: Path | str = ".") -> Path:
    """The nearest folder at or above ``start`` that holds ``nbprod.toml``.

    Raises
    ------
    NotFoundError
        There is none.
    """
    here = Path(start).expanduser().resolve()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise NotFoundError(
        f"There is no workspace at {here} or above it (no {FILE_NAME})",
        hint="Make one with `nbprod init DIR`, or give its folder: `nbprod --workspace DIR …`.",
    )


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting's value and where it came from."""

    name: str
    value: Any
    origin: str  #: ``argument``, the variable's name, ``nbprod.toml`` or ``default``
    help: str


@dataclass(frozen=True)
class Settings:
    """All settings of a workspace.

    Attributes
    ----------
    folder
        The workspace.
    values
        Each scalar setting by its dotted name.
    tables
        The named tables as written: ``tables["data"]["electricity"]["target"]``.
    """

    folder: Path
    values: Mapping[str, Setting] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name].value

    @classmethod
    def load(cls, folder: Path | str, **arguments: Any) -> Settings:
        """Read the settings of a workspace.

        Parameters
        ----------
        folder
            The folder with ``nbprod.toml``.
        **arguments
            Settings that win over everything, with ``__`` for the dot: ``store__ledger="sqlite:///x.db"``.

        Raises
        ------
        SettingsError
            The file is no TOML, or a setting is unknown or of the wrong type.
        """
        folder = Path(folder).resolve()
        document = _read_toml(folder / FILE_NAME)
        flat, tables = _split(document)
        chosen = {name.replace("__", "."): value for name, value in arguments.items()}
        if unknown := sorted(set(chosen) - set(KNOWN)):
            raise SettingsError(f"No setting is called {unknown[0]}", hint=f"Known: {', '.join(KNOWN)}.")
        values = {}
        for name, (default, help_text) in KNOWN.items():
            variable = "NBPROD_" + name.replace(".", "_").upper()
            if name in chosen:
                value, origin = chosen[name], "argument"
            elif variable in os.environ:
                value, origin = _from_text(os.environ[variable], default, variable), variable
            elif name in flat:
                value, origin = flat[name], FILE_NAME
            else:
                value, origin = default, "default"
            values[name] = Setting(
                name=name, value=_checked(name, value, default, origin), origin=origin, help=help_text
            )
        return cls(folder, MappingProxyType(values), MappingProxyType(tables))

    @property
    def private_columns(self) -> tuple[str, ...]:
        """Columns that never enter samples, reports or logs."""
        return tuple(self["data.private"])


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", hint="Make a workspace with `nbprod init DIR`.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{path} is not valid TOML: {problem}", hint="Mend that line and try again.") from problem
    except OSError as problem:
        raise SettingsError(f"{path} cannot be read: {problem.strerror}") from problem


def _split(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Mapping[str, Any]]]]:
    flat: dict[str, Any] = {}
    tables: dict[str, dict[str, Mapping[str, Any]]] = {name: {} for name in TABLES}
    sections = {name.split(".")[0] for name in KNOWN} | set(TABLES)
    for section, content in document.items():
        if section not in sections or not isinstance(content, dict):
            raise SettingsError(
                f"{FILE_NAME} has an unknown section [{section}]", hint=f"Known: {', '.join(sorted(sections))}."
            )
        for key, value in content.items():
            if f"{section}.{key}" in KNOWN:
                flat[f"{section}.{key}"] = value
            elif section in tables and isinstance(value, dict):
                tables[section][key] = value
            else:
                raise SettingsError(
                    f"{FILE_NAME} has an unknown setting {section}.{key}",
                    hint="`nbprod config` lists the settings."
                    + (f" A named entry is a table: [{section}.{key}]." if section in tables else ""),
                )
    return flat, tables


def _from_text(text: str, default: Any, variable: str) -> Any:
    """Read a variable as the type of the setting's default; lists are separated by commas."""
    try:
        if isinstance(default, bool):
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        if isinstance(default, list):
            return [part.strip() for part in text.split(",") if part.strip()]
        return type(default)(text)
    except (KeyError, ValueError) as problem:
        raise SettingsError(
            f"{variable} holds {text!r}, which is no {type(default).__name__}", hint=f"For instance: {default!r}."
        ) from problem


def _checked(name: str, value: Any, default: Any, origin: str) -> Any:
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    right = type(value) is type(default) and (
        not isinstance(value, list) or all(isinstance(item, str) for item in value)
    )
    if not right:
        raise SettingsError(
            f"{name} (from {origin}) is {value!r}, but must be a {type(default).__name__}",
            hint=f"For instance: {name.split('.')[1]} = {default!r}",
        )
    return value
