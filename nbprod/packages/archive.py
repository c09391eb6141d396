"""Packages as single files: a plain tar out, and back in without trusting a name or a size in it."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

from nbprod.disk import publish_folder
from nbprod.errors import ConflictError, PackageError
from nbprod.packages.sealing import MANIFEST, PART, Sealed

__all__ = ["unpack", "write_folder", "write_tar"]

MOST_FILES = 10_000


def write_tar(sealed: Sealed, path: Path) -> Path:
    """Write a verified package as an uncompressed tar, equal for equal packages.

    Raises
    ------
    ConflictError
        The file exists.
    PackageError
        A file of the package changed on the way.
    """
    temporary = path.with_name(f".{path.name}.part")
    _refuse_existing(path)
    try:
        with temporary.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for name in sorted([*sealed.files, MANIFEST]):
                    content = (sealed.folder / name).read_bytes() if name == MANIFEST else sealed.read(name)
                    entry = tarfile.TarInfo(name)
                    entry.size, entry.mode = len(content), 0o644
                    archive.addfile(entry, io.BytesIO(content))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_folder(sealed: Sealed, path: Path) -> Path:
    """Write a verified package as a folder, whole or not at all.

    Raises
    ------
    ConflictError
        The folder exists.
    """
    _refuse_existing(path)
    temporary = path.with_name(f".{path.name}.part")
    temporary.mkdir(mode=0o700)
    try:
        for name in sealed.files:
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sealed.read(name))
        (temporary / MANIFEST).write_bytes((sealed.folder / MANIFEST).read_bytes())
        return publish_folder(temporary, path)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def unpack(path: Path, folder: Path) -> None:
    """Unpack a tar into an empty private folder: plain files with plain names, each once.

    A compressed one is refused, because a small file could become a huge one.

    Raises
    ------
    PackageError
        Naming the entry that may not be there.
    """
    seen: set[str] = set()
    try:
        with tarfile.open(path, mode="r:") as archive:
            for entry in archive:
                name = entry.name.removeprefix("./")
                if entry.isdir():
                    continue
                if entry.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or entry.issparse():
                    raise PackageError(
                        f"{name!r} in {path} is a link or a special file", hint="Nothing was imported."
                    )
                if not all(PART.fullmatch(part) for part in name.split("/")):
                    raise PackageError(f"{name!r} in {path} cannot name a file", hint="Nothing was imported.")
                if name.casefold() in seen or len(seen) >= MOST_FILES:
                    raise PackageError(
                        f"{name!r} in {path} is there twice, or one too many", hint="Nothing was imported."
                    )
                seen.add(name.casefold())
                content = archive.extractfile(entry)
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read() if content else b"")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise PackageError(
            f"{path} cannot be read as a tar: {error}", hint="Give an uncompressed .tar or a folder."
        ) from error


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise ConflictError(f"{path} exists already; nothing was changed", hint="Choose another name.")
