from pathlib import Path

import pytest

from nbprod.errors import NotFoundError, SettingsError
from nbprod.settings import KNOWN, Settings, actor, find_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nbprod.toml").write_text(
        '[data]\nprivate = ["ssn"]\n[data.sales]\npath = "s.csv"\n[runs]\ntimeout_s = 5\n'
    )
    return tmp_path


def test_the_file_wins_over_defaults_and_says_so(folder):
    settings = Settings.load(folder)

    assert settings.private_columns == ("ssn",)
    assert settings["runs.timeout_s"] == 5.0
    assert settings.values["runs.timeout_s"].origin == "nbprod.toml"
    assert settings.values["runs.memory_mb"].origin == "default"
    assert settings.tables["data"]["sales"] == {"path": "s.csv"}


def test_variables_win_over_the_file_and_arguments_over_both(folder, monkeypatch):
    monkeypatch.setenv("NBPROD_RUNS_TIMEOUT_S", "7")
    monkeypatch.setenv("NBPROD_KERNELS_WARM", "no")
    monkeypatch.setenv("NBPROD_DATA_PRIVATE", "a, b")

    settings = Settings.load(folder, runs__memory_mb=9)

    assert (settings["runs.timeout_s"], settings.values["runs.timeout_s"].origin) == (7.0, "NBPROD_RUNS_TIMEOUT_S")
    assert settings["kernels.warm"] is False
    assert settings.private_columns == ("a", "b")
    assert (settings["runs.memory_mb"], settings.values["runs.memory_mb"].origin) == (9, "argument")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[runs]\ntimeout = 5\n", "runs.timeout"),
        ("[runz]\n", "[runz]"),
        ("[runs]\ntimeout_s = 'long'\n", "runs.timeout_s"),
        ("[data]\nprivate = [1]\n", "data.private"),
        ("[runs\n", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, text, names):
    (tmp_path / "nbprod.toml").write_text(text)

    with pytest.raises(SettingsError) as caught:
        Settings.load(tmp_path)

    assert names in str(caught.value)
    assert caught.value.hint


def test_a_variable_of_the_wrong_type_is_named(folder, monkeypatch):
    monkeypatch.setenv("NBPROD_RUNS_MEMORY_MB", "much")

    with pytest.raises(SettingsError, match="NBPROD_RUNS_MEMORY_MB holds 'much'"):
        Settings.load(folder)


def test_an_unknown_argument_is_refused(folder):
    with pytest.raises(SettingsError, match=r"No setting is called runs\.speed"):
        Settings.load(folder, runs__speed=1)


def test_the_workspace_is_found_from_inside(folder):
    inside = folder / "notebooks" / "deep"
    inside.mkdir(parents=True)

    assert find_folder(inside) == folder.resolve()


def test_no_workspace_says_how_to_make_one(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        find_folder(tmp_path)

    assert "no nbprod.toml" in str(caught.value)
    assert "nbprod init" in caught.value.hint


def test_the_actor_can_be_set(monkeypatch):
    monkeypatch.setenv("NBPROD_ACTOR", "ada")

    assert actor() == "ada"


def test_every_setting_has_help():
    assert all(help_text for _, help_text in KNOWN.values())
