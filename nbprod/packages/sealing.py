"""The seal of a package: a manifest of sizes and SHA-256, and the check that nothing differs from it.

The digest of a package is the SHA-256 of its ``manifest.json``, whose form is canonical: one content has one digest.
The check reads bytes and names alone, before any parser sees a file; what is parsed afterwards comes through
:meth:`Sealed.read` or :meth:`Sealed.copy`, which compare the very bytes they hand out, so that a file exchanged after
the check is noticed too.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from nbprod.errors import NotFoundError, PackageError

__all__ = ["MANIFEST", "Sealed", "SealedFile", "is_digest", "seal_folder", "verify_folder"]

MANIFEST = "manifest.json"
FORMAT = 1
MOST_MANIFEST_BYTES = 4 << 20
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class SealedFile:
    """What the manifest says of one file."""

    size: int  #: bytes
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A folder whose every byte is what its manifest says."""

    folder: Path
    digest: str
    files: Mapping[str, SealedFile]

    @property
    def size_bytes(self) -> int:
        """Of all files but the manifest."""
        return sum(file.size for file in self.files.values())

    def read(self, name: str) -> bytes:
        """The bytes of one file, which are those of the manifest or an error.

        Raises
        ------
        NotFoundError
            The manifest names no such file.
        PackageError
            The file was changed since the folder was verified.
        """
        if name not in self.files:
            raise NotFoundError(f"Package {self.digest[:12]} holds no {name}")
        content = _bytes(self.folder / name, most=self.files[name].size)
        if sha256(content).hexdigest() != self.files[name].sha256:
            raise _changed(self.folder, name)
        return content

    def copy(self, below: str, into: Path) -> None:
        """Copy the files below one folder of the package, verified on the way, into an existing private folder."""
        for name in self.files:
            if name.startswith(f"{below}/"):
                target = into / name.removeprefix(f"{below}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.read(name))

    def __repr__(self) -> str:
        return f"<Sealed {self.digest[:12]}, {len(self.files)} files>"


def is_digest(text: str) -> bool:
    """Whether a text is 64 lower-case hex digits."""
    return DIGEST.fullmatch(text) is not None


def seal_folder(folder: Path) -> Sealed:
    """Write ``manifest.json`` over what a folder holds; nothing may change in it afterwards.

    Raises
    ------
    PackageError
        The folder holds something that is no plain file, or a name the manifest cannot carry.
    """
    files = {}
    for name in sorted(_walk(folder) - {MANIFEST}):
        _check_path(name)
        content = sha256()
        with (folder / name).open("rb") as file:
            while chunk := file.read(1 << 20):
                content.update(chunk)
            files[name] = SealedFile(size=file.tell(), sha256=content.hexdigest())
    manifest = _encode(files)
    (folder / MANIFEST).write_bytes(manifest)
    return Sealed(folder=folder, digest=sha256(manifest).hexdigest(), files=files)


def verify_folder(folder: Path | str, digest: str | None = None) -> Sealed:
    """Compare every byte and every name of a package with its manifest, before anything is parsed.

    Parameters
    ----------
    folder
        The package.
    digest
        What it must be; by default the folder's own name, where that is a digest.

    Raises
    ------
    NotFoundError
        There is no such folder.
    PackageError
        Naming the first file that was changed, added, removed or is no plain file.
    """
    folder = Path(folder)
    if folder.is_symlink() or not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise PackageError(f"{folder} is no plain folder", hint="Give the package's folder itself.")
        raise NotFoundError(f"There is no package folder {folder}", hint="nbprod packages list shows the packages.")
    expected = digest or (folder.name if is_digest(folder.name) else None)
    found = _walk(folder)
    if MANIFEST not in found:
        raise PackageError(
            f"{folder} has no {MANIFEST} and is no package", hint="It may be half-copied; copy it again."
        )
    manifest = _bytes(folder / MANIFEST, most=MOST_MANIFEST_BYTES)
    actual = sha256(manifest).hexdigest()
    if expected is not None and actual != expected:
        raise PackageError(
            f"{folder / MANIFEST} was changed: its digest is {actual[:12]}…, not {expected[:12]}…",
            hint="Nothing was loaded. Import the package again from where it came from, or build it from its run.",
        )
    files = _decode(manifest, folder)
    for extra in sorted(found - files.keys() - {MANIFEST}):
        raise PackageError(
            f"{folder / extra} does not belong to the package",
            hint="Nothing was loaded. Move it away; files of your own live outside of packages.",
        )
    for name, file in files.items():
        if name not in found:
            raise PackageError(f"{folder / name} is missing from the package", hint="Nothing was loaded.")
        _check_file(folder, name, file)
    return Sealed(folder=folder, digest=actual, files=files)


def _check_file(folder: Path, name: str, file: SealedFile) -> None:
    descriptor = _open(folder / name)
    with os.fdopen(descriptor, "rb") as stream:
        size = os.fstat(descriptor).st_size
        if size != file.size:
            raise PackageError(
                f"{folder / name} has {size} bytes; the manifest says {file.size}", hint="Nothing was loaded."
            )
        content = sha256()
        while chunk := stream.read(1 << 20):
            content.update(chunk)
    if content.hexdigest() != file.sha256:
        raise _changed(folder, name)


def _walk(folder: Path) -> set[str]:
    """Names of all files below a folder; an empty folder counts as one, so that it is noticed."""
    found: set[str] = set()
    for inside, folders, names in os.walk(folder, onerror=_raise):
        here = Path(inside)
        if not folders and not names and here != folder:
            found.add(here.relative_to(folder).as_posix())
        for name in (*folders, *names):
            path = here / name
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise PackageError(f"{path} is a link or a special file, not a plain one", hint="Nothing was loaded.")
        found.update((here / name).relative_to(folder).as_posix() for name in names)
    return found


def _raise(error: OSError) -> None:
    raise PackageError(f"{error.filename} cannot be read: {error.strerror}") from error


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise PackageError(f"{path} cannot be read: {error.strerror}", hint="Nothing was loaded.") from error


def _bytes(path: Path, *, most: int) -> bytes:
    with os.fdopen(_open(path), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise PackageError(f"{path} is larger than the {most} bytes it may have", hint="Nothing was loaded.")
    return content


def _encode(files: Mapping[str, SealedFile]) -> bytes:
    listed = {name: {"sha256": file.sha256, "size": file.size} for name, file in files.items()}
    return (json.dumps({"files": listed, "format": FORMAT}, indent=1, sort_keys=True) + "\n").encode()


def _decode(manifest: bytes, folder: Path) -> dict[str, SealedFile]:
    try:
        data = json.loads(manifest)
        if data["format"] != FORMAT:
            raise PackageError(
                f"{folder / MANIFEST} has format {data['format']}; this nbprod reads {FORMAT}",
                hint="Use the nbprod that made it, or a newer one.",
            )
        files = {name: _sealed_file(entry) for name, entry in data["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise PackageError(f"{folder / MANIFEST} is no manifest: {error!r}", hint="Nothing was loaded.") from error
    for name in files:
        _check_path(name)
    if len({name.casefold() for name in files}) < len(files) or _encode(files) != manifest:
        raise PackageError(f"{folder / MANIFEST} is not in canonical form", hint="Nothing was loaded.")
    return files


def _sealed_file(entry: Mapping[str, Any]) -> SealedFile:
    size, digest = entry["size"], entry["sha256"]
    if type(size) is not int or size < 0 or not is_digest(digest):
        raise ValueError(f"{entry!r} describes no file")
    return SealedFile(size=size, sha256=digest)


def _check_path(name: str) -> None:
    if not all(PART.fullmatch(part) for part in name.split("/")) or name == MANIFEST:
        raise PackageError(f"{name!r} cannot be the name of a file in a package", hint="Nothing was loaded.")


def _changed(folder: Path, name: str) -> PackageError:
    return PackageError(
        f"{folder / name} was changed: its bytes are not those of the manifest",
        hint="Nothing was loaded. Import the package again from where it came from, or build it from its run.",
    )
