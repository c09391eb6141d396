"""Files and folders: whole or not at all, private, and never through a link."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.disk import digest_folder, publish_folder
from nbprod.errors import ConflictError, EnvironmentProblem, NotFoundError, StoreError
from nbprod.store import Files
from nbprod.store.files import checked


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "files")


def filled(folder, text="1"):
    (folder / "sub").mkdir()
    (folder / "sub" / "model.bin").write_text(text)
    (folder / "manifest.json").write_text("{}")
    return folder


def test_a_file_is_written_whole_over_an_older_one(files):
    files.write("runs/r1/report.html", "old")
    files.write("runs/r1/report.html", b"new")

    assert files.read("runs/r1/report.html") == b"new"
    assert files.names("runs/r1") == ["report.html"]
    assert stat.S_IMODE(files.path("runs/r1/report.html").stat().st_mode) == 0o600
    assert stat.S_IMODE(files.path("runs").stat().st_mode) == 0o700
    with pytest.raises(NotFoundError, match="there is no file runs/r1/x"):
        files.read("runs/r1/x")


def test_a_folder_is_published_once_under_its_name(files):
    with files.staging() as folder:
        published = files.publish(filled(folder), "packages/abc")
    with files.staging() as folder, pytest.raises(ConflictError, match="packages/abc exists already"):
        files.publish(filled(folder, "2"), "packages/abc")

    assert published == files.folder("packages/abc")
    assert (published / "sub/model.bin").read_text() == "1"
    assert sorted(digest_folder(files.folder("packages/abc"))) == ["manifest.json", "sub/model.bin"]
    assert list(Path(files.root, ".tmp").iterdir()) == []
    with pytest.raises(NotFoundError, match="there is no folder packages/xyz"):
        files.folder("packages/xyz")


def test_everything_is_synced_before_the_name_exists(files, monkeypatch):
    """Files and folders before the rename, the parent after it."""
    synced = []
    real = os.fsync

    def fsync(descriptor):
        real(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.name, files.path("packages/abc").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with files.staging() as folder:
        name = folder.name
        filled(folder)
        del synced[:]
        files.publish(folder, "packages/abc")

    before = {path for path, is_visible in synced if not is_visible}
    assert {"model.bin", "sub", "manifest.json", name} <= before
    assert synced[-1] == ("packages", True)


def test_of_many_publishers_one_wins(files):
    def publish(number):
        with files.staging() as folder:
            try:
                files.publish(filled(folder, str(number)), "packages/abc")
            except ConflictError:
                return None
            return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(publish, range(8)) if number is not None]
    assert [(files.folder("packages/abc") / "sub/model.bin").read_text()] == [str(number) for number in winners]


def test_links_are_refused_inside_a_folder_and_on_the_way_to_it(files, tmp_path):
    (tmp_path / "secret").write_text("s")
    with files.staging() as folder:
        (filled(folder) / "sub" / "link").symlink_to(tmp_path / "secret")
        with pytest.raises(StoreError, match="link is a link or a special file"):
            files.publish(folder, "packages/abc")
    files.path("packages").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="packages is a link"):
        files.write("packages/x", "1")


def test_an_empty_folder_is_not_published(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="is empty and cannot be published"):
        publish_folder(tmp_path / "empty", tmp_path / "target")


@pytest.mark.parametrize("name", ["..", "a/../b", "/etc", "", "a//b", ".hidden", "a b", "a\n", "a/.tmp", "x" * 129])
def test_a_name_that_leaves_the_root_is_refused(files, name):
    with pytest.raises(StoreError, match="cannot name a file"):
        files.path(name)


@given(st.text(max_size=20))
def test_no_name_that_is_let_in_leaves_the_root(name):
    try:
        checked(name)
    except StoreError:
        return
    assert os.path.normpath(f"/store/{name}") == f"/store/{name}"


def test_one_flipped_bit_changes_the_digest_of_its_file_alone(tmp_path):
    folder = filled(tmp_path)
    before = digest_folder(folder, without=["manifest.json"])
    content = bytearray((folder / "sub/model.bin").read_bytes())
    content[0] ^= 1
    (folder / "sub/model.bin").write_bytes(content)

    assert list(before) == ["sub/model.bin"]
    assert digest_folder(folder)["sub/model.bin"] != before["sub/model.bin"]


def test_a_disk_that_takes_no_more_keeps_the_old_file_and_no_half(files):
    """A limit on file sizes stands in for a full disk: both fail in the middle of a write."""
    files.write("report.html", "old")
    code = (
        "import resource, signal, sys; from nbprod.store import Files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "Files(sys.argv[1]).write('report.html', 'x' * 100_000)"
    )
    done = subprocess.run([sys.executable, "-c", code, files.root], capture_output=True, text=True, check=False)

    assert (
        "report.html failed: File too large\nCheck the disk and its permissions; nothing was half-written."
        in done.stderr
    )
    assert files.read("report.html") == b"old"
    assert [path.name for path in Path(files.root).iterdir()] == ["report.html"]


@pytest.fixture
def remote(tmp_path):
    fsspec.filesystem("memory").store.clear()
    return Files("memory://bucket/prefix", cache=tmp_path / "cache")


def test_a_folder_goes_to_an_object_store_with_its_manifest_last(remote, tmp_path):
    with remote.staging() as folder:
        remote.publish(filled(folder), "packages/abc")
    elsewhere = Files("memory://bucket/prefix", cache=tmp_path / "other")

    assert (elsewhere.folder("packages/abc") / "sub/model.bin").read_text() == "1"
    assert digest_folder(elsewhere.folder("packages/abc")) == digest_folder(remote.folder("packages/abc"))
    assert elsewhere.names("packages") == ["abc"]
    with elsewhere.staging() as folder, pytest.raises(ConflictError, match="packages/abc exists already"):
        elsewhere.publish(filled(folder), "packages/abc")
    with elsewhere.staging() as folder, pytest.raises(StoreError, match=r"has no other\.json"):
        elsewhere.publish(filled(folder), "packages/new", manifest="other.json")


def test_a_half_put_folder_does_not_exist(remote):
    remote.write("packages/abc/sub/model.bin", "1")

    assert remote.read("packages/abc/sub/model.bin") == b"1"
    with pytest.raises(NotFoundError, match="there is no folder packages/abc"):
        remote.folder("packages/abc")
    with pytest.raises(NotFoundError, match="there is no file packages/x"):
        remote.read("packages/x")
    assert remote.names("nothing") == []


def test_an_unknown_protocol_is_told():
    with pytest.raises(EnvironmentProblem, match="no library can open gopher://x"):
        Files("gopher://x").read("a")
