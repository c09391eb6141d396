import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.site.places import Places, folder_name


@given(st.text())
def test_no_name_leads_out_of_its_folder(name):
    folder = folder_name(name)
    assert "/" not in folder
    assert "\\" not in folder
    assert not folder.startswith(".")
    assert folder


@pytest.mark.parametrize("name", ["electricity", "20261120T094413Z-train-7f3a", "a.b"])
def test_a_plain_name_is_its_own_folder(name):
    assert folder_name(name) == name


def test_different_names_have_different_folders():
    assert folder_name("../a") != folder_name("../b")


def test_links_are_relative_to_the_page_they_are_on():
    places = Places({"electricity/1": "models/electricity/index.html#version-1"}, "demo")
    assert places.at(2).to("electricity/1").href == "../../models/electricity/index.html#version-1"
    assert places.to("electricity/1").href == "models/electricity/index.html#version-1"


def test_what_has_no_page_is_named_without_a_link():
    link = Places({}, "demo").to("20261120T094413Z-train-7f3a")
    assert (link.label, link.href) == ("train-7f3a", None)


def test_the_navigation_marks_where_the_reader_is():
    nav = Places({}, "demo", 1).nav("Runs")
    assert [(link.label, link.href) for link in nav][:2] == [
        ("demo", "../index.html"),
        ("Runs", "../runs/index.html"),
    ]
    assert [link.label for link in nav if link.note == "here"] == ["Runs"]
