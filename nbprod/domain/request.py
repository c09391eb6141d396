"""A request to execute a prepared run folder: plain data, so that any process on any machine can take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nbprod.domain.execution import Limits

__all__ = ["REQUEST", "RunRequest"]

REQUEST = "request.json"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What an executor needs to know; the notebook, its values in it, is in the folder already."""

    run_id: str
    folder: str  #: holds ``notebook.ipynb``; everything the run leaves goes there
    kernel: str = "python3"  #: name of the Jupyter kernel
    cwd: str = "."  #: where the kernel works
    env: Mapping[str, str] = field(default_factory=dict)  #: added to the executing process's own environment
    limits: Limits = field(default_factory=Limits)
    preload: tuple[str, ...] | None = None  #: modules a warm kernel finds imported; ``None``: no warm kernel
    secrets: tuple[str, ...] = ()  #: references, read where the run is executed
    retries: int = 0  #: further attempts after an end that another attempt may not have
    retry_on: tuple[str, ...] = ()  #: names of errors that pass by themselves, for instance ``ConnectionError``
    hold_s: float = 0  #: how long to keep the kernel alive after an error, to be looked into
    resume_at: str = ""  #: the cell to go on from, in the kernel that is held for an earlier run
    finish: str = ""  #: ``module:function`` called with the folder after the end, where the run is executed

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> RunRequest:
        """From its text."""
        content = json.loads(text)
        preload = content.pop("preload")
        limits = Limits(**content.pop("limits"))
        lists: dict[str, Any] = {name: tuple(content.pop(name)) for name in ("secrets", "retry_on")}
        return cls(**content, **lists, limits=limits, preload=None if preload is None else tuple(preload))
