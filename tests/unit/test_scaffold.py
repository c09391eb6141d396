import pytest

from nbprod.errors import ConflictError
from nbprod.scaffold import create_workspace
from nbprod.settings import Settings


def test_a_workspace_has_at_most_fifteen_files_and_can_be_read(tmp_path):
    written = create_workspace(tmp_path / "ws")

    assert 5 <= len(written) <= 15
    assert sorted(written) == sorted(
        str(p.relative_to(tmp_path / "ws")) for p in (tmp_path / "ws").rglob("*") if p.is_file()
    )
    assert Settings.load(tmp_path / "ws").tables["data"]["electricity"]["path"] == "data/electricity.parquet"


def test_a_second_init_changes_nothing(tmp_path):
    create_workspace(tmp_path)

    with pytest.raises(ConflictError, match="already is a workspace"):
        create_workspace(tmp_path)


def test_files_that_are_there_are_kept(tmp_path):
    (tmp_path / "README.md").write_text("mine")

    assert "README.md" not in create_workspace(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "x").write_text("")

    with pytest.raises(ConflictError, match="is a file"):
        create_workspace(tmp_path / "x")
