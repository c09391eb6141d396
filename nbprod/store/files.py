"""The files of a workspace: run folders, packages and reports, on a disk or behind an fsspec URL."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbprod.disk import make_folder, publish_folder, refuse_links, reporting_os_errors, write_file
from nbprod.errors import ConflictError, EnvironmentProblem, NotFoundError, StoreError

__all__ = ["Files"]

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
LEFTOVERS = ".tmp"


class Files:
    """Whole files and folders by name; what is half-written has no name.

    On a disk a folder becomes visible by one rename. An object store has no rename: the manifest is put last and only
    if it is not there yet, and a folder without one does not exist.

    Parameters
    ----------
    root
        A folder, made private if it has to be made, or an fsspec URL such as ``s3://bucket/prefix``.
    cache
        Where folders of a URL are brought; by default below ``~/.cache/nbprod``.
    """

    def __init__(self, root: Path | str, *, cache: Path | None = None) -> None:
        text = str(root)
        self.is_local = "://" not in text or text.startswith("file://")
        self.root = text.removeprefix("file://") if self.is_local else text.rstrip("/")
        self._cache = cache
        if self.is_local:
            self.root = str(Path(self.root).expanduser().absolute())
            make_folder(Path(self.root))

    def path(self, name: str) -> Path:
        """Where a name is on this disk, whether it exists or not; of a URL, in the cache.

        Raises
        ------
        StoreError
            A part of the name is not letters, digits, dots, ``-`` and ``_``, or the way there goes through a link.
        """
        folder = Path(self.root) if self.is_local else self._cached()
        for part in checked(name).split("/"):
            folder /= part
            if folder.is_symlink():
                raise StoreError(f"{folder} is a link", hint="Put the file or folder itself there.")
        return folder

    def write(self, name: str, content: bytes | str) -> None:
        """Keep one file whole, in place of an older one."""
        if self.is_local:
            path = self.path(name)
            make_folder(path.parent)
            write_file(path, content)
            return
        with reporting_os_errors(f"writing {self._url(name)}"):
            self._remote().pipe_file(self._url(name), content.encode() if isinstance(content, str) else content)

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises
        ------
        NotFoundError
            There is none.
        """
        try:
            content: bytes = (
                self.path(name).read_bytes() if self.is_local else self._remote().cat_file(self._url(name))
            )
        except FileNotFoundError as problem:
            raise NotFoundError(f"there is no file {name} in {self.root}") from problem
        return content

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A private folder beside the files, to be filled and published; what is left of it is removed."""
        leftovers = make_folder((Path(self.root) if self.is_local else self._cached()) / LEFTOVERS)
        folder = leftovers / secrets.token_hex(8)
        with reporting_os_errors(f"making the folder {folder}"):
            folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, name: str, *, manifest: str = "manifest.json") -> Path:
        """Make a finished folder visible under a name, whole; return where it is on this disk.

        Parameters
        ----------
        folder
            On the same file system; ``staging`` gives one. It is moved.
        name
            ``packages/<digest>``, say.
        manifest
            The file that is put last into an object store, and makes the folder exist there.

        Raises
        ------
        ConflictError
            The name is taken; the folder stays where it was.
        StoreError
            The folder is empty or holds links, a name is refused, or the disk is full.
        """
        target = self.path(name)
        refuse_links(folder)
        for path in folder.rglob("*"):
            checked(path.relative_to(folder).as_posix())
        if not self.is_local:
            self._put(folder, name, manifest)
        make_folder(target.parent)
        return publish_folder(folder, target)

    def folder(self, name: str, *, manifest: str = "manifest.json") -> Path:
        """A published folder on this disk; one of a URL is brought into the cache first, whole.

        Raises
        ------
        NotFoundError
            There is none.
        """
        target = self.path(name)
        if target.is_dir():
            return target
        if self.is_local or not self._remote().exists(f"{self._url(name)}/{manifest}"):
            raise NotFoundError(f"there is no folder {name} in {self.root}")
        with self.staging() as folder, reporting_os_errors(f"fetching {self._url(name)}"):
            here = folder / "folder"
            self._remote().get(self._url(name) + "/", str(here), recursive=True)
            make_folder(target.parent)
            try:
                publish_folder(here, target)
            except ConflictError:  # another process fetched it meanwhile
                return target
        return target

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders right inside a folder, sorted."""
        if self.is_local:
            path = self.path(folder)
            return sorted(item.name for item in path.iterdir() if NAME.fullmatch(item.name)) if path.is_dir() else []
        try:
            found = self._remote().ls(self._url(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(item).rstrip("/").rsplit("/", 1)[-1] for item in found)

    def _put(self, folder: Path, name: str, manifest: str) -> None:
        remote, url = self._remote(), self._url(name)
        if not (folder / manifest).is_file():
            raise StoreError(f"{folder} has no {manifest}, which makes it exist at {url}")
        with reporting_os_errors(f"writing {url}"):
            if remote.exists(f"{url}/{manifest}"):
                raise ConflictError(f"{url} exists already; nothing was changed")
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path != folder / manifest:
                    remote.pipe_file(f"{url}/{path.relative_to(folder).as_posix()}", path.read_bytes())
            try:
                remote.pipe_file(f"{url}/{manifest}", (folder / manifest).read_bytes(), mode="create")
            except FileExistsError as problem:
                raise ConflictError(f"{url} exists already; nothing was changed") from problem

    def _url(self, name: str) -> str:
        return f"{self.root}/{checked(name)}"

    def _cached(self) -> Path:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", self.root)
        return make_folder(self._cache or Path.home() / ".cache" / "nbprod" / slug)

    def _remote(self) -> Any:
        import fsspec  # delayed: with its backends it takes a tenth of a second

        try:
            return fsspec.url_to_fs(self.root)[0]
        except (ImportError, ValueError) as problem:
            raise EnvironmentProblem(
                f"no library can open {self.root}: {problem}", hint="For s3: pip install 'nbprod[s3]'."
            ) from problem

    def __repr__(self) -> str:
        return f"<Files {self.root}>"


def checked(name: str) -> str:
    """Return a name of parts joined by ``/`` if every part is one that may become a file's name.

    Raises
    ------
    StoreError
        A part is not, for instance ``..``.
    """
    if not all(NAME.fullmatch(part) for part in name.split("/")):
        raise StoreError(
            f"{name!r} cannot name a file", hint="Use letters, digits, dots, - and _, in parts joined by /."
        )
    return name
