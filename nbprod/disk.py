"""Writes that are visible whole or not at all, and on the disk when they return (POSIX: temp, sync, rename, sync)."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from nbprod.errors import ConflictError, StoreError

__all__ = [
    "digest_file",
    "digest_folder",
    "locked",
    "make_folder",
    "make_private",
    "private_opener",
    "publish_folder",
    "refuse_links",
    "reporting_os_errors",
    "sync",
    "sync_tree",
    "write_file",
]

HINTS = {
    errno.ENOSPC: "The disk is full: free space and repeat the command; nothing was half-written.",
    errno.EDQUOT: "The quota is used up: free space and repeat the command; nothing was half-written.",
    errno.EROFS: "The file system is read-only: make it writable, or choose another [store] files.",
    errno.EACCES: "Make the folder writable for this user, or choose another [store] files.",
    errno.EPERM: "Make the folder writable for this user, or choose another [store] files.",
}


@contextmanager
def reporting_os_errors(doing: str) -> Iterator[None]:
    """Turn the operating system's complaint into one that says what to do."""
    try:
        yield
    except OSError as problem:
        raise StoreError(
            f"{doing} failed: {problem.strerror or problem}",
            hint=HINTS.get(problem.errno or 0, "Check the disk and its permissions; nothing was half-written."),
        ) from problem


def sync(path: Path) -> None:
    """Bring one file, or the names in one folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Bring every file and folder below a folder, and itself, to the disk."""
    for inside, _, names in os.walk(folder):
        for name in names:
            sync(Path(inside, name))
        sync(Path(inside))


def make_folder(path: Path) -> Path:
    """Make a private folder and its parents, and bring their names to the disk."""
    with reporting_os_errors(f"making the folder {path}"):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in missing:
            folder.chmod(0o700)  # mkdir gives the mode to the last one alone
            sync(folder.parent)
    return path


def private_opener(path: str, flags: int) -> int:
    """An opener for ``open`` and ``Path.open``: a file it creates is its owner's alone, whatever the umask says."""
    return os.open(path, flags, 0o600)


def make_private(folder: Path) -> None:
    """Give a folder and all in it to its owner alone: 0700 and 0600; links are left as they are."""
    for inside, _, names in os.walk(folder):
        for path, mode in ((Path(inside), 0o700), *((Path(inside, name), 0o600) for name in names)):
            if not path.is_symlink() and path.stat().st_mode & 0o777 != mode:
                path.chmod(mode)


def write_file(path: Path, content: bytes | str) -> Path:
    """Write a whole private file in place of an older one, never half of it.

    Raises
    ------
    StoreError
        The disk is full or refuses; the older file is untouched.
    """
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")
    with reporting_os_errors(f"writing {path}"):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


def publish_folder(folder: Path, target: Path) -> Path:
    """Make a finished folder visible under its name: everything synced, then one rename, then the parent synced.

    A plain rename replaces an empty folder and refuses a filled one, so of several publishers one wins.

    Raises
    ------
    ConflictError
        The name is taken.
    StoreError
        The folder is empty, holds links, or the disk refuses.
    """
    refuse_links(folder)
    if not any(folder.iterdir()):
        raise StoreError(f"{folder} is empty and cannot be published as {target.name}")
    with reporting_os_errors(f"publishing {target}"):
        sync_tree(folder)
        folder.chmod(0o700)
        try:
            folder.rename(target)
        except OSError as problem:
            if problem.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise ConflictError(f"{target} exists already; nothing was changed") from problem
            raise
        sync(target.parent)
    return target


def refuse_links(folder: Path) -> None:
    """Refuse a folder that holds anything but files and folders.

    Raises
    ------
    StoreError
        Naming the first link, socket, pipe or device.
    """
    for path in (folder, *sorted(folder.rglob("*"))):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StoreError(
                f"{path} is a link or a special file", hint="Only plain files and folders are kept; copy it there."
            )


def digest_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def digest_folder(folder: Path, *, without: Iterable[str] = ()) -> dict[str, str]:
    """SHA-256 by relative POSIX path of every file below a folder, in sorted order."""
    refuse_links(folder)
    skipped = set(without)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: digest_file(folder / name) for name in names if name not in skipped}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, alone among the processes of this machine; it ends with its holder, however that ends."""
    import fcntl  # not on Windows, where nothing else here needs it

    with reporting_os_errors(f"locking {path}"):
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
