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

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if (
    TYPE_CHECKING
):  # for editors and mypy: at run time each name is imported on first use, so that the import stays light
    from nbprod.domain.markers import Column, ColumnOf, Dataset, Model, Range, Secret
    from nbprod.errors import NbprodError
    from nbprod.panels import watch
    from nbprod.recording import record, save_model
    from nbprod.workspace import Workspace
    from nbprod.workspace import open_workspace as open  # noqa: A004 — `nbprod.open()` reads as it should

#: Public name, the module it lives in, and its name there.
_HOMES = {
    "Column": ("nbprod.domain.markers", "Column"),
    "ColumnOf": ("nbprod.domain.markers", "ColumnOf"),
    "Dataset": ("nbprod.domain.markers", "Dataset"),
    "Model": ("nbprod.domain.markers", "Model"),
    "NbprodError": ("nbprod.errors", "NbprodError"),
    "Range": ("nbprod.domain.markers", "Range"),
    "Secret": ("nbprod.domain.markers", "Secret"),
    "Workspace": ("nbprod.workspace", "Workspace"),
    "open": ("nbprod.workspace", "open_workspace"),
    "record": ("nbprod.recording", "record"),
    "save_model": ("nbprod.recording", "save_model"),
    "watch": ("nbprod.panels", "watch"),
    # looked for by %load_ext nbprod
    "load_ipython_extension": ("nbprod.magics", "load_ipython_extension"),
    "unload_ipython_extension": ("nbprod.magics", "unload_ipython_extension"),
}
__all__ = [
    "Column",
    "ColumnOf",
    "Dataset",
    "Model",
    "NbprodError",
    "Range",
    "Secret",
    "Workspace",
    "open",
    "record",
    "save_model",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("nbprod")
    # unknown names are refused before anything is imported: `from nbprod import runs` would recurse otherwise
    if name not in _HOMES:
        raise AttributeError(f"module 'nbprod' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
