"""A package's names come from one list: what it imports for type checkers."""

import sys

import pytest

from nbprod.lazy import on_first_use


def test_a_name_is_found_where_type_checkers_find_it_and_others_are_refused(tmp_path, monkeypatch):
    home = tmp_path / "lazy_house"
    home.mkdir()
    (home / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from nbprod.lazy import on_first_use\n"
        "if TYPE_CHECKING:\n    from lazy_house.room import chair as seat\n"
        "__getattr__ = on_first_use(__name__)\n"
    )
    (home / "room.py").write_text("chair = 'oak'\n")
    monkeypatch.syspath_prepend(tmp_path)

    import lazy_house

    assert "lazy_house.room" not in sys.modules
    assert lazy_house.seat == "oak"
    for unknown in ("chair", "annotations", "TYPE_CHECKINGS", "__wrapped__"):
        with pytest.raises(AttributeError, match=f"module 'lazy_house' has no attribute '{unknown}'"):
            getattr(lazy_house, unknown)


def test_the_names_of_a_package_are_all_there():
    import nbprod.training

    assert all(getattr(nbprod.training, name) is not None for name in nbprod.training.__all__)
    assert on_first_use("nbprod.training")("Split") is nbprod.training.Split
