"""Files beside an output, on a disk or behind any fsspec URL, that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from nbprod.disk import make_folder, sync, write_file
from nbprod.errors import DataError

__all__ = ["Place"]

#: Where a file is visible only when it is complete, and a rename copies it.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "az", "adl", "oss"}


class Place:
    """A file or folder by path or URL.

    Parameters
    ----------
    url
        ``predictions.parquet``, ``s3://bucket/predictions.parquet``, ``memory://predictions.csv``.

    Raises
    ------
    DataError
        The address needs a library that is not installed, or cannot be understood.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        try:
            self._system, path = fsspec.core.url_to_fs(os.fspath(url))
        except (ImportError, ValueError) as error:
            raise DataError(f"{url} cannot be opened: {error}", hint="Install the extra it needs.") from error
        self.path: str = path.rstrip("/")
        protocols = self._system.protocol
        self.protocol: str = protocols if isinstance(protocols, str) else protocols[0]
        self.is_local = "file" in ((protocols,) if isinstance(protocols, str) else protocols)
        if self.is_local:
            self.path = str(Path(self.path).absolute())

    @property
    def url(self) -> str:
        """What opens it again, in this process or another."""
        return self.path if self.is_local else str(self._system.unstrip_protocol(self.path))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    def beside(self, name: str) -> Place:
        """Another one in the same folder."""
        return self._at(f"{self.path.rpartition('/')[0]}/{name}")

    def __truediv__(self, name: str) -> Place:
        return self._at(f"{self.path}/{name}")

    def exists(self) -> bool:
        """Whether there is something."""
        with _telling(self, "read"):
            self._system.invalidate_cache()
            return bool(self._system.exists(self.path))

    def names(self) -> list[str]:
        """The names in a folder, sorted; of one that does not exist, none."""
        with _telling(self, "read"):
            self._system.invalidate_cache()
            if not self._system.exists(self.path):
                return []
            return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in self._system.ls(self.path, detail=False))

    def size(self) -> int:
        """Bytes of a file."""
        with _telling(self, "read"):
            self._system.invalidate_cache()
            return int(self._system.size(self.path))

    def read(self) -> bytes:
        """All of a file."""
        with _telling(self, "read"):
            return bytes(self._system.cat_file(self.path))

    def open(self) -> Any:
        """A file to read."""
        with _telling(self, "read"):
            return self._system.open(self.path, "rb")

    def make(self) -> Place:
        """Make a folder and its parents."""
        with _telling(self, "made"):
            if self.is_local:
                make_folder(Path(self.path))
            else:
                self._system.makedirs(self.path, exist_ok=True)
        return self

    def write(self, content: bytes) -> None:
        """Put a whole file in the place of an older one; on a disk it is there after a power cut."""
        if self.is_local:
            write_file(Path(self.path), content)
            return
        with _telling(self, "written"):
            if self.protocol in OBJECT_STORES:
                self._system.pipe_file(self.path, content)
            else:
                self._system.pipe_file(f"{self.path}.new", content)
                self._replace(f"{self.path}.new")

    def publish(self, file: Path) -> None:
        """Put a finished local file here, in the place of an older one; the local one is gone afterwards."""
        with _telling(self, "written"):
            if self.is_local:
                sync(file)
                file.replace(self.path)
                sync(Path(self.path).parent)
                return
            if self.protocol in OBJECT_STORES:
                self._system.put_file(str(file), self.path)
            else:
                self._system.makedirs(self.path.rpartition("/")[0], exist_ok=True)
                self._system.put_file(str(file), f"{self.path}.new")
                self._replace(f"{self.path}.new")
            file.unlink()

    def remove(self) -> None:
        """Remove a file, or a folder with all in it; nothing when there is none."""
        with _telling(self, "removed"):
            self._system.invalidate_cache()
            if self._system.exists(self.path):
                self._system.rm(self.path, recursive=True)

    def _replace(self, unfinished: str) -> None:
        if self._system.exists(self.path):
            self._system.rm(self.path)
        self._system.mv(unfinished, self.path)

    def _at(self, path: str) -> Place:
        other = Place.__new__(Place)
        other.__dict__.update(self.__dict__, path=path)
        return other

    def __repr__(self) -> str:
        return f"<Place {self.url}>"


@contextmanager
def _telling(place: Place, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{place.url} cannot be {done}: {error}", hint="Check the free space and the access to it."
        ) from error
