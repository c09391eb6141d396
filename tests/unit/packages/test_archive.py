import io
import tarfile
from pathlib import Path

import pytest

from nbprod.errors import ConflictError, NotFoundError, PackageError
from nbprod.packages import Packages
from nbprod.packages.archive import unpack
from nbprod.store import Store


@pytest.fixture
def elsewhere(tmp_path, empty_ledger):
    return Packages(Store.open(empty_ledger(tmp_path / "other.db"), tmp_path / "other", actor="somebody"))


@pytest.mark.parametrize("name", ["model.tar", "model"])
def test_a_package_travels(shared_packages, elsewhere, built, tmp_path, name):
    package = built()
    path = shared_packages.export(package, tmp_path / name)
    again = elsewhere.import_(path, digest=package.digest)
    assert again.digest == package.digest
    assert again.run_id is None
    assert elsewhere.import_(path) == again
    assert elsewhere.load(again).digest == package.digest


def test_equal_packages_give_equal_archives_and_nothing_is_overwritten(shared_packages, built, tmp_path):
    package = built()
    first, second = (
        shared_packages.export(package, tmp_path / "a.tar"),
        shared_packages.export(package, tmp_path / "b.tar"),
    )
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(ConflictError, match="exists already"):
        shared_packages.export(package, first)


def test_another_package_than_promised_is_refused(shared_packages, elsewhere, built, tmp_path):
    path = shared_packages.export(built(), tmp_path / "a.tar")
    with pytest.raises(PackageError, match="was changed"):
        elsewhere.import_(path, digest="0" * 64)
    assert elsewhere.list() == []


def test_a_flipped_bit_in_the_archive_is_refused_and_nothing_is_kept(shared_packages, elsewhere, built, tmp_path):
    path = shared_packages.export(built(), tmp_path / "a.tar")
    content = bytearray(path.read_bytes())
    content[content.index(b"library_name")] ^= 1
    path.write_bytes(content)
    with pytest.raises(PackageError, match=r"README\.md was changed"):
        elsewhere.import_(path)
    assert not (tmp_path / "other" / "packages").exists()
    assert list((tmp_path / "other" / ".tmp").iterdir()) == []


def entry(name, kind=tarfile.REGTYPE, link=""):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../outside")],
        [entry("/tmp/outside")],
        [entry("a/../../outside")],
        [entry("link", tarfile.SYMTYPE, "/etc"), entry("link/outside")],
        [entry("link", tarfile.LNKTYPE, "/etc/passwd")],
        [entry("pipe", tarfile.FIFOTYPE)],
        [entry("disk", tarfile.BLKTYPE)],
        [entry("twice"), entry("TWICE")],
        [entry("a\\b")],
        [entry("-rf")],
        [entry("")],
        [entry("sparse", tarfile.GNUTYPE_SPARSE)],
    ],
    ids=lambda entries: entries[-1].name,
)
def test_an_archive_reaches_nowhere_else(tmp_path, entries):
    path, folder = tmp_path / "bad.tar", tmp_path / "in" / "folder"
    folder.mkdir(parents=True)
    with tarfile.open(path, "w") as archive:
        for made in entries:
            archive.addfile(made, io.BytesIO(b""))
    with pytest.raises(PackageError, match=r"bad\.tar"):
        unpack(path, folder)
    assert {item.name for item in folder.rglob("*")} <= {"twice"}
    assert [item.name for item in folder.parent.iterdir()] == ["folder"]


def test_a_compressed_archive_is_refused(elsewhere, tmp_path):
    path = tmp_path / "small.tar"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(entry("a"), io.BytesIO(b""))
    with pytest.raises(PackageError, match="uncompressed"):
        elsewhere.import_(path)


def test_a_missing_path_is_told(elsewhere, tmp_path):
    with pytest.raises(NotFoundError, match="no file or folder"):
        elsewhere.import_(tmp_path / "none.tar")


def test_a_cut_off_archive_is_refused(shared_packages, elsewhere, built, tmp_path):
    path = shared_packages.export(built(), tmp_path / "a.tar")
    content = path.read_bytes()
    for share in (0, 0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(PackageError):
            elsewhere.import_(path)
    assert not Path(tmp_path / "other" / "packages").exists()
