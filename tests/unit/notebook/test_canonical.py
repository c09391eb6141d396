import json

import nbformat
import pytest

from nbprod.notebook.canonical import faults, faults_in_file, tidy, tidy_file
from nbprod.notebook.document import code_digest, dump, read_notebook

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PARAMETERS = "alpha: float = 0.1  # how strong\ntarget: str  # what to predict"


def good():
    return nbformat.v4.new_notebook(
        metadata=KERNEL,
        cells=[
            nbformat.v4.new_markdown_cell("# Train\n\nFits a model.", id="title"),
            nbformat.v4.new_code_cell("import os", id="imports"),
            nbformat.v4.new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("model = 1", id="train"),
        ],
    )


def rules(notebook, **more):
    return [(fault.cell, fault.rule) for fault in faults(notebook, **more)]


def test_the_canonical_form_has_no_fault(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "train.ipynb").write_bytes(dump(good()))
    assert rules(good(), is_template=True) == []
    assert faults_in_file(folder / "train.ipynb") == []
    assert tidy(good()) == good()
    assert not tidy_file(folder / "train.ipynb")


def change(**cell):
    def apply(notebook):
        notebook.cells[3].update(cell)

    return apply


def metadata(notebook):
    notebook.metadata["papermill"] = {}


def kernel(notebook):
    notebook.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine"}


def cell_metadata(notebook):
    notebook.cells[3].metadata["execution"] = {}


def second_import(notebook):
    notebook.cells[3]["source"] = "import sys"


def no_title(notebook):
    notebook.cells[0]["source"] = "# Train"


def parameters(source):
    def apply(notebook):
        notebook.cells[2]["source"] = source

    return apply


def two_parameters(notebook):
    notebook.cells[3].metadata["tags"] = ["parameters"]


def no_parameters(notebook):
    notebook.cells[2].metadata["tags"] = []


@pytest.mark.parametrize(
    ("spoil", "cell", "rule"),
    [
        (change(outputs=[nbformat.v4.new_output("stream", text="1")]), "train", "outputs"),
        (change(execution_count=3), "train", "outputs"),
        (change(id="a1b2c3d4"), "a1b2c3d4", "cell-id"),
        (change(id="Load_Data"), "Load_Data", "cell-id"),
        (change(id="3b241101-e2bb-4255-8caf-4136c566a962"), "3b241101-e2bb-4255-8caf-4136c566a962", "cell-id"),
        (change(id="title"), "title", "cell-id"),
        (change(source="\n".join(f"a{i} = {i}" for i in range(16))), "train", "length"),
        (change(source=""), "train", "length"),
        (change(source="a = = 1"), "train", "syntax"),
        (change(source="class A:\n    pass"), "train", "function"),
        (change(source="def f():\n    a = 1\n    b = 2\n    return a + b"), "train", "function"),
        (change(source="open('/home/me/data.csv')"), "train", "path"),
        (change(source="open('C:\\\\data.csv')"), "train", "path"),
        (second_import, "train", "imports"),
        (metadata, "-", "metadata"),
        (kernel, "-", "metadata"),
        (cell_metadata, "train", "metadata"),
        (no_title, "title", "first-cell"),
        (two_parameters, "train", "parameters"),
        (no_parameters, "-", "parameters"),
        (parameters("a: int  = 1"), "parameters", "parameters"),
        (parameters("a = 1  # help"), "parameters", "parameters"),
        (parameters("a: int = int(1)  # help"), "parameters", "parameters"),
        (parameters("a: int = 'x'  # help"), "parameters", "parameters"),
        (parameters("a: int = 1  # help\nprint(a)"), "parameters", "parameters"),
        (parameters("a: int = = 1  # help"), "parameters", "parameters"),
    ],
)
def test_each_rule_names_its_cell(spoil, cell, rule):
    notebook = good()
    spoil(notebook)
    assert (cell, rule) in rules(notebook, is_template=True)


def test_magics_are_no_syntax_fault_and_a_small_function_may_stay():
    notebook = good()
    notebook.cells[3]["source"] = "%matplotlib inline\n!ls\ndef f(x):\n    return x"
    assert rules(notebook) == []
    notebook.cells[3]["source"] = "%%bash\nls | wc"
    assert rules(notebook) == []


def test_tidy_mends_what_needs_no_author(tmp_path):
    notebook = good()
    metadata(notebook)
    cell_metadata(notebook)
    notebook.cells[3].update(id="a1b2c3d4", outputs=[nbformat.v4.new_output("stream", text="1")], execution_count=2)
    notebook.cells.append(nbformat.v4.new_markdown_cell("## Look at the errors", id="cell-9"))
    notebook.cells.append(nbformat.v4.new_code_cell("errors = 2", id="title"))
    notebook.cells.append(
        nbformat.v4.new_code_cell("x = 2", id="deadbeef", metadata={"tags": ["injected-parameters"]})
    )
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(notebook), encoding="utf-8")
    digest = code_digest(read_notebook(file))
    assert {fault.is_mended_by_tidy for fault in faults_in_file(file)} == {True}
    assert tidy_file(file)
    mended = read_notebook(file)
    assert [cell.id for cell in mended.cells] == [
        "title",
        "imports",
        "parameters",
        "model",
        "about-look-at-errors",
        "look-at-errors",
    ]
    assert faults_in_file(file) == []
    assert code_digest(mended) == digest
    assert not tidy_file(file)


def test_a_fault_reads_as_one_line():
    notebook = good()
    notebook.cells[3]["outputs"] = [nbformat.v4.new_output("stream", text="1")]
    assert [str(fault) for fault in faults(notebook, file="templates/a.ipynb")] == [
        "templates/a.ipynb: train: outputs: it has outputs"
    ]
