import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbprod.errors import NotFoundError, PackageError
from nbprod.packages.loading import load_package
from nbprod.packages.sealing import seal_folder, verify_folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small sealed folder in which nothing can be parsed, so that only bytes are compared."""
    folder = tmp_path_factory.mktemp("sealed") / "making"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.skops").write_bytes(bytes(range(256)) * 8)
    (folder / "nbprod.json").write_text("{}")
    (folder / "empty").write_bytes(b"")
    digest = seal_folder(folder).digest
    return folder.rename(folder.with_name(digest))


@pytest.fixture
def folder(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / built.name))


def test_a_sealed_folder_verifies_and_gives_its_bytes(folder):
    sealed = verify_folder(folder)
    assert sealed.digest == folder.name
    assert sealed.read("nbprod.json") == b"{}"
    with pytest.raises(NotFoundError, match="holds no other"):
        sealed.read("other")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_flipped_bit_of_any_file_is_refused_by_name(folder, data):
    """The real load path refuses before a parser sees the bytes; here nothing in the folder could be parsed."""
    names = ["manifest.json", "model/model.skops", "nbprod.json"]
    path = folder / data.draw(st.sampled_from(names), label="file")
    content = path.read_bytes()
    bit = data.draw(st.integers(0, len(content) * 8 - 1), label="bit")
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    try:
        with pytest.raises(PackageError, match=path.name.replace(".", r"\.")):
            load_package(folder)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["manifest.json", "model/model.skops", "nbprod.json"])
def test_any_other_length_is_refused(folder, name):
    content = (folder / name).read_bytes()
    for length in {*range(0, len(content), 97), len(content) - 1}:
        (folder / name).write_bytes(content[:length])
        with pytest.raises(PackageError, match=Path(name).name):
            load_package(folder)
    (folder / name).write_bytes(content * 2)
    with pytest.raises(PackageError, match=Path(name).name):
        load_package(folder)


def test_a_missing_file_is_named(folder):
    (folder / "empty").unlink()
    with pytest.raises(PackageError, match="empty is missing"):
        verify_folder(folder)


@pytest.mark.parametrize("name", ["extra", "model/extra.pyc", "deep/er/extra", ".hidden"])
def test_an_extra_file_is_named(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(PackageError, match=f"{name} does not belong"):
        verify_folder(folder)


def test_an_empty_folder_is_named(folder):
    (folder / "later").mkdir()
    with pytest.raises(PackageError, match="later does not belong"):
        verify_folder(folder)


def test_a_renamed_file_is_named(folder):
    (folder / "empty").rename(folder / "Empty")
    with pytest.raises(PackageError, match="Empty does not belong"):
        verify_folder(folder)


@pytest.mark.parametrize("target", ["inside", "outside", "folder", "nowhere"])
def test_a_link_is_refused(folder, tmp_path, target):
    """Also one to the very same bytes: what it points to can change."""
    same = tmp_path / "same"
    same.write_bytes(b"{}")
    if target == "folder":
        (folder / "model").rename(tmp_path / "model")
        (folder / "model").symlink_to(tmp_path / "model")
    else:
        (folder / "nbprod.json").unlink()
        places = {"inside": folder / "empty", "outside": same, "nowhere": tmp_path / "none"}
        (folder / "nbprod.json").symlink_to(places[target])
    with pytest.raises(PackageError, match="is a link"):
        verify_folder(folder)


def test_a_pipe_is_refused_without_waiting_on_it(folder):
    (folder / "empty").unlink()
    os.mkfifo(folder / "empty")
    with pytest.raises(PackageError, match="special file"):
        verify_folder(folder)


def test_a_linked_package_is_refused(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(PackageError, match="no plain folder"):
        verify_folder(tmp_path / "link")


def test_a_manifest_rewritten_to_fit_has_another_digest(folder):
    """Whoever knows the digest notices; the folder's own name is enough."""
    (folder / "nbprod.json").write_text('{"evil": true}')
    (folder / "manifest.json").unlink()
    seal_folder(folder)
    with pytest.raises(PackageError, match=r"manifest\.json was changed: its digest is"):
        verify_folder(folder)
    other = folder.rename(folder.with_name("renamed"))
    with pytest.raises(PackageError, match="was changed"):
        verify_folder(other, folder.name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data | {"format": 2}, "format 2"),
        (lambda data: {"format": 1}, "no manifest"),
        (lambda data: {"format": 1, "files": []}, "no manifest"),
        (lambda data: {"format": 1, "files": {"../up": {"size": 0, "sha256": "0" * 64}}}, "cannot be the name"),
        (lambda data: {"format": 1, "files": {"/etc/passwd": {"size": 0, "sha256": "0" * 64}}}, "cannot be the name"),
        (lambda data: {"format": 1, "files": {"a\\b": {"size": 0, "sha256": "0" * 64}}}, "cannot be the name"),
        (lambda data: {"format": 1, "files": {"a": {"size": -1, "sha256": "0" * 64}}}, "no manifest"),
        (lambda data: {"format": 1, "files": {"a": {"size": True, "sha256": "0" * 64}}}, "no manifest"),
        (lambda data: data | {"more": 1}, "canonical"),
        (lambda data: data | {"files": {**data["files"], "EMPTY": data["files"]["empty"]}}, "canonical"),
    ],
)  # fmt: skip
def test_an_odd_manifest_is_refused(folder, change, message):
    text = json.dumps(change(json.loads((folder / "manifest.json").read_text())), indent=1, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text)
    if "EMPTY" in text:
        (folder / "EMPTY").write_bytes(b"")
    with pytest.raises(PackageError, match=message):
        verify_folder(folder, sha256(text.encode()).hexdigest())


def test_a_nested_bomb_is_no_manifest(folder):
    text = b"[" * 200_000
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(PackageError, match="no manifest"):
        verify_folder(folder, sha256(text).hexdigest())


def test_a_huge_manifest_is_refused_before_it_is_read_whole(folder):
    with (folder / "manifest.json").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(PackageError, match="larger than"):
        verify_folder(folder)


def test_a_file_exchanged_after_the_check_is_noticed(folder, tmp_path):
    sealed = verify_folder(folder)
    (folder / "model" / "model.skops").write_bytes(bytes(2048))
    with pytest.raises(PackageError, match=r"model\.skops was changed"):
        sealed.copy("model", tmp_path)


def test_no_folder_and_no_manifest_are_told_apart(tmp_path):
    with pytest.raises(NotFoundError, match="no package folder"):
        verify_folder(tmp_path / "none")
    with pytest.raises(PackageError, match="no manifest"):
        verify_folder(tmp_path)
