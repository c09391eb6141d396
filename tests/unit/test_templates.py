import nbformat
import pytest

from nbprod.errors import NotFoundError
from nbprod.notebook.document import code_digest, read_notebook, write_notebook
from nbprod.templates import Templates, shipped_folder


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "templates"
    made.mkdir()
    cells = [
        nbformat.v4.new_markdown_cell("# Mine\n\nTrains my way.", id="title"),
        nbformat.v4.new_code_cell(
            "alpha: float = 0.1  # how strong", id="parameters", metadata={"tags": ["parameters"]}
        ),
    ]
    write_notebook(nbformat.v4.new_notebook(cells=cells), made / "mine.ipynb")
    write_notebook(nbformat.v4.new_notebook(cells=cells[:1]), made / "train.ipynb")
    (made / ".hidden.ipynb").write_text("{")
    return made


def test_a_template_tells_its_title_parameters_and_digest(folder):
    template = Templates([folder]).get("mine")
    assert (template.name, template.title, template.summary) == ("mine", "Mine", "Trains my way.")
    assert [(one.name, one.help) for one in template.parameters] == [("alpha", "how strong")]
    assert template.digest == code_digest(read_notebook(folder / "mine.ipynb"))
    assert repr(template) == "<Template mine: Mine>"
    assert "how strong" in template._repr_html_()


def test_a_workspace_hides_a_shipped_template_of_the_same_name(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "train.ipynb").write_bytes((folder / "mine.ipynb").read_bytes())
    assert Templates([other, folder]).get("train").path == str(other / "train.ipynb")


def test_all_templates_are_listed_by_name(folder):
    templates = Templates([folder])
    assert templates.names() == sorted({"mine", "train", *(path.stem for path in shipped_folder().glob("*.ipynb"))})
    assert [one.name for one in templates.list()] == templates.names()


def test_an_unknown_name_names_the_nearest(folder):
    with pytest.raises(NotFoundError, match="There is no template 'trian'") as caught:
        Templates([folder]).get("trian")
    assert "Did you mean train?" in caught.value.hint


@pytest.mark.parametrize("name", ["../mine", "/etc/passwd", "", "mine/", ".hidden"])
def test_a_name_is_never_joined_to_a_path(folder, name):
    with pytest.raises(NotFoundError):
        Templates([folder / "sub"]).get(name)


def test_any_notebook_is_accepted_by_its_path(folder):
    assert Templates().get(folder / "mine.ipynb").title == "Mine"
    assert Templates().get(str(folder / "mine.ipynb")).name == "mine"
    with pytest.raises(NotFoundError, match="There is no notebook at"):
        Templates().get("missing.ipynb")


def test_a_folder_that_is_not_there_holds_no_templates(tmp_path):
    assert set(Templates([tmp_path / "none"]).names()) == {path.stem for path in shipped_folder().glob("*.ipynb")}
