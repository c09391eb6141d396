"""The commands of packages, on a real workspace."""

import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nbprod.cli.application import app
from nbprod.errors import NotFoundError, PackageError
from nbprod.workspace import open_workspace
from tests.unit.packages.conftest import fitted, saved, stage

__all__ = ["fitted", "saved", "stage"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The ledger of a workspace in the current folder."""
    (tmp_path / "nbprod.toml").write_text('[packages]\ntrusted = ["some.Type"]\n[data]\nprivate = ["place"]\n')
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    return open_workspace().store


def run(*arguments):
    ended = CliRunner().invoke(app, ["packages", *map(str, arguments)], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_a_package_goes_through_all_commands(stage, tmp_path):
    made = stage()
    digest = run("build", made.id).strip()
    assert run("build", made.id).strip() == digest

    (listed,) = json.loads(run("list", "--json"))
    shown = json.loads(run("show", digest[:9], "--json"))
    assert listed == shown
    assert shown["digest"] == digest
    assert shown["run_id"] == made.id
    assert digest in run("list")
    certified = json.loads(run("certificate", digest[:9], "--json"))
    assert not certified["compiled"]  # a form of the model that lists the values of a private column
    assert "place is private" in certified["sentence"]
    assert "place is private" in run("show", digest[:9])
    assert run("verify", digest[:9]).strip() == digest
    assert run("verify", shown["folder"]).strip() == digest

    path = tmp_path / "one.tar"
    assert run("export", digest, path).strip() == str(path)
    assert run("import", path, "--digest", digest).strip() == digest
    assert json.loads(run("compare", digest, digest, "--json"))["columns"] == []


def test_columns_named_private_in_the_settings_stay_out(stage):
    digest = run("build", stage().id).strip()
    loaded = open_workspace().packages.load(digest)
    assert "place" not in loaded.reference()
    assert set(loaded.golden()[0]["place"]) == {""}


def test_errors_reach_the_edge_that_prints_them(store, stage):
    with pytest.raises(NotFoundError, match="no package"):
        run("show", "abcdef12")
    digest = run("build", stage().id).strip()
    folder = json.loads(run("show", digest, "--json"))["folder"]
    Path(folder, "README.md").write_text("more")
    with pytest.raises(PackageError, match=r"README\.md"):
        run("verify", digest)


def test_json_keys_are_the_field_names(stage):
    digest = run("build", stage().id).strip()
    keys = json.loads(run("show", digest, "--json")).keys()
    assert list(keys) == [field.name for field in dataclasses.fields(open_workspace().packages.get(digest))]
