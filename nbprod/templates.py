"""Finds notebooks by name: those of the workspace first, then those that come with nbprod."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nbprod.domain.names import nearest
from nbprod.domain.template import Template
from nbprod.errors import NotFoundError

__all__ = ["Templates", "shipped_folder"]


def shipped_folder() -> Path:
    """The folder of the templates that come with nbprod: inside the package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "resources" / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


class Templates:
    """The templates a workspace can run.

    Parameters
    ----------
    folders
        Where to look, the first one first; those that come with nbprod are looked for last.
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]] = ()) -> None:
        self.folders = (*(Path(folder) for folder in folders), shipped_folder())

    def names(self) -> list[str]:
        """The names of all templates, without reading any."""
        return sorted(self._paths())

    def get(self, name: str | os.PathLike[str]) -> Template:
        """One template by name, or any notebook by the path of its file.

        Raises
        ------
        NotFoundError
            No template has the name, or there is no such file; the nearest one is named.
        NotebookError
            The file is no notebook.
        """
        text = os.fspath(name)
        if text.endswith(".ipynb"):
            return read_template(Path(text))
        paths = self._paths()
        if text not in paths:
            raise NotFoundError(
                f"There is no template {text!r}",
                hint=f"{nearest(text, paths)} A notebook is named by its path, which ends in .ipynb.",
            )
        return read_template(paths[text])

    def _paths(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self.folders:
            for path in folder.glob("*.ipynb"):
                if not path.name.startswith("."):
                    found.setdefault(path.stem, path)
        return found

    def list(self) -> list[Template]:
        """All templates, by name; a workspace's own one hides the one of the same name that comes with nbprod.

        Raises
        ------
        NotebookError
            One of the files is no notebook.
        """
        return [read_template(path) for _, path in sorted(self._paths().items())]

    def __repr__(self) -> str:
        return f"<Templates {', '.join(self.names())}>"


def read_template(path: Path) -> Template:
    """What a notebook's file says of itself.

    Raises
    ------
    NotFoundError
        The file is missing.
    NotebookError
        It is no notebook, or its parameters cannot be read.
    """
    # nbformat takes a second to import
    from nbprod.notebook.document import code_digest, heading, read_notebook
    from nbprod.notebook.parameters import read_parameters

    notebook = read_notebook(path)
    title, summary = heading(notebook)
    return Template(
        name=path.stem,
        path=str(path.absolute()),
        title=title,
        summary=summary,
        digest=code_digest(notebook),
        parameters=read_parameters(notebook),
    )
