"""Carries a Jupyter notebook from experiment to production without rewriting it.

In a notebook::

    import nbprod

    ws = nbprod.open()
    run = ws.runs.start("train", data="electricity", target="class", seed=7)

Inside a template, where it also works by hand with no workspace::

    nbprod.record(roc_auc=auc, rows=len(train))
    nbprod.save_model(pipeline, inputs=X_test, target=y_test)
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.domain.markers import Column, ColumnOf, Dataset, Model, Range, Secret
    from nbprod.errors import NbprodError
    from nbprod.magics import load_ipython_extension as load_ipython_extension  # looked for by %load_ext nbprod
    from nbprod.magics import unload_ipython_extension as unload_ipython_extension
    from nbprod.monitors.kpis.kpi import kpi
    from nbprod.recording import record, save_model
    from nbprod.watching import watch
    from nbprod.workspace import Workspace
    from nbprod.workspace import open_workspace as open  # noqa: A004 — `nbprod.open()` reads as it should

_on_first_use = on_first_use(__name__)
__all__ = [
    "Column",
    "ColumnOf",
    "Dataset",
    "Model",
    "NbprodError",
    "Range",
    "Secret",
    "Workspace",
    "kpi",
    "open",
    "record",
    "save_model",
    "watch",
]


def __getattr__(name: str) -> Any:
    return version("nbprod") if name == "__version__" else _on_first_use(name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
