"""Where the data sets are that ``nbprod.toml`` names, and what a run is told of them."""

from __future__ import annotations

from glob import glob
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from nbprod.domain.csv_format import data_place, split_format
from nbprod.domain.names import nearest
from nbprod.errors import NotFoundError
from nbprod.settings import Settings

__all__ = ["DataRead", "RegisteredData"]


class DataRead(NamedTuple):
    """A data set that was looked at."""

    place: str  #: path, pattern or URL, with how it is to be read
    fingerprint: str
    columns: tuple[str, ...]
    read_as: str = ""  #: of a CSV file


class RegisteredData:
    """The ``[data]`` tables of a workspace.

    Parameters
    ----------
    settings
        With the folder that relative paths start from.
    """

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.folder
        self.known = settings.tables["data"]

    def registered(self, source: Any) -> Any:
        """The path or URL of a registered data set, with how it is to be read; anything else as it is."""
        if not isinstance(source, str) or source not in self.known:
            return source
        place, form = data_place(source, self.known[source])
        return (place if "://" in place else str(self.folder / place)) + form.fragment

    def locate(self, name: str) -> str:
        """The path or URL of a registered data set; a path or URL is taken as it is.

        Raises
        ------
        NotFoundError
            It is neither, and there is no such file.
        """
        if name in self.known:
            return str(self.registered(name))
        place, form = split_format(name)
        if "://" in place or Path(place).expanduser().exists() or _matches(Path.cwd(), place):
            return (place if "://" in place else str(Path(place).expanduser().resolve())) + form.fragment
        if (self.folder / place).exists() or _matches(self.folder, place):
            return f"{self.folder / place}{form.fragment}"
        raise NotFoundError(
            f"There is no data set, file or folder {name!r}",
            hint=f"Name data in nbprod.toml as [data.NAME], or give a path or URL. {nearest(name, self.known)}",
        )

    def read(self, name: str) -> DataRead:
        """What a data set is at this moment; of several files all together.

        Raises
        ------
        NotFoundError, DataError
            There is none, or it cannot be read.
        """
        from nbprod.datasets import open_dataset  # delayed: pandas and pyarrow
        from nbprod.datasets.many import is_pattern, tables_at

        place = self.locate(name)
        if is_pattern(place) and (names := tables_at(split_format(place)[0])):
            form = place.removeprefix(split_format(place)[0])
            several = [open_dataset(one + form) for one in names]
            marks = sha256("".join(one.fingerprint for one in several).encode()).hexdigest()
            return DataRead(place, f"{len(several)}-files:{marks}", tuple(several[0].schema.names))
        dataset = open_dataset(place)
        return DataRead(place, dataset.fingerprint, tuple(dataset.schema.names), dataset.read_as)


def _matches(folder: Path, pattern: str) -> bool:
    """Whether a pattern stands for at least one file."""
    return any(sign in pattern for sign in "*?[") and bool(glob(str(folder / pattern)))  # noqa: PTH207 — an absolute pattern too
