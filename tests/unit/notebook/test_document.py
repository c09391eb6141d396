import json
import os
import stat

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nbprod.errors import NotebookError, NotFoundError, StoreError
from nbprod.notebook.document import code_digest, dump, heading, parse, read_notebook, write_notebook
from nbprod.notebook.injection import inject


def notebook():
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Train\n\nFits a model\nand saves it.", id="title"),
            nbformat.v4.new_code_cell(
                "x: int = 1  # what\ny = 'é'", id="parameters", metadata={"tags": ["parameters"]}
            ),
            nbformat.v4.new_code_cell("x", id="train"),
        ]
    )


def test_a_notebook_is_read_as_it_was_written(tmp_path):
    write_notebook(notebook(), tmp_path / "a.ipynb")
    assert read_notebook(tmp_path / "a.ipynb") == notebook()
    text = (tmp_path / "a.ipynb").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "    \"y = 'é'\"" in text.splitlines()


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    write_notebook(notebook(), tmp_path / "a.ipynb")
    before = (tmp_path / "a.ipynb").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"writing .*a\.ipynb failed: No space left on device"):
        write_notebook(notebook(), tmp_path / "a.ipynb")
    assert (tmp_path / "a.ipynb").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]


def test_the_rights_of_a_file_stay_and_a_link_stays_a_link(tmp_path):
    file, link = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    write_notebook(notebook(), file)
    file.chmod(0o640)
    link.symlink_to(file)
    write_notebook(nbformat.v4.new_notebook(), link)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert read_notebook(file).cells == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n "cells": [\n  oops\n ]\n}', r"is broken: line 3, column 3 is not JSON .*: oops"),
        (b"", "is broken: line 1"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"[1, 2]", "it is JSON without cells"),
        (b'{"a": 1}', "it is JSON without cells"),
        (b'{"cells": 5, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "is not a valid notebook"),
        (
            b'{"cells": [{"cell_type": "odd"}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
            "is not a valid notebook",
        ),
        (b'{"cells": [], "nbformat": "x"}', "has the notebook format 'x'"),
        (b'{"cells": [], "nbformat": 5}', "has the notebook format 5"),
        (b'{"worksheets": [{"cells": [{"cell_type": null}]}], "nbformat": 2}', "is not a valid notebook"),
        (b'{"cells": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_notebook_is_named(tmp_path, content, message):
    (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(NotebookError, match=message) as caught:
        read_notebook(tmp_path / "a.ipynb")
    assert "a.ipynb" in caught.value.message
    assert caught.value.hint


def test_an_unfinished_merge_is_recognised(tmp_path):
    (tmp_path / "a.ipynb").write_text('{\n "cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> other\n]}\n')
    with pytest.raises(NotebookError, match="line 3") as caught:
        read_notebook(tmp_path / "a.ipynb")
    assert "unfinished merge" in caught.value.hint


def test_a_missing_file_names_its_neighbour(tmp_path):
    write_notebook(notebook(), tmp_path / "train.ipynb")
    with pytest.raises(NotFoundError, match="There is no notebook at") as caught:
        read_notebook(tmp_path / "trian.ipynb")
    assert "train.ipynb" in caught.value.hint
    with pytest.raises(NotebookError, match="cannot be read as a notebook: Is a directory"):
        read_notebook(tmp_path)


def test_cells_of_old_notebooks_get_ids_by_position():
    old = {
        "nbformat": 4,
        "nbformat_minor": 2,
        "metadata": {},
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": ["a\n", "b"]}] * 2,
    }
    first, second = parse(json.dumps(old)).cells
    assert (first.id, second.id, first.source) == ("cell-1", "cell-2", "a\nb")


def test_a_notebook_of_format_three_is_read():
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell(input="1 + 1")])]
    )
    (cell,) = parse(json.dumps(old)).cells
    assert cell.source == "1 + 1"


def test_double_ids_are_told_apart():
    twice = notebook()
    twice.cells[2]["id"] = "parameters"
    assert [cell.id for cell in parse(json.dumps(twice)).cells] == ["title", "parameters", "cell-3"]


def test_the_digest_is_of_what_the_author_wrote():
    plain = notebook()
    executed = inject(plain, {"x": 2})
    executed.cells[3]["outputs"] = [nbformat.v4.new_output("stream", text="1")]
    executed.cells[3]["execution_count"] = 4
    executed.cells[3]["id"] = "other"
    executed.metadata["papermill"] = {}
    executed.cells[0]["source"] += "\n"
    assert code_digest(executed) == code_digest(plain)
    for cell, change in ((2, "x + 1"), (0, "# Other")):
        changed = notebook()
        changed.cells[cell]["source"] = change
        assert code_digest(changed) != code_digest(plain)
    untagged = notebook()
    untagged.cells[1].metadata.tags = []
    assert code_digest(untagged) != code_digest(plain)


def test_the_heading_and_its_paragraph():
    assert heading(notebook()) == ("Train", "Fits a model and saves it.")
    assert heading(nbformat.v4.new_notebook()) == ("", "")
    assert heading(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Words alone")])) == (
        "",
        "Words alone",
    )
    assert heading(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A\nText.\n\nMore.")])) == (
        "A",
        "Text.",
    )


def test_a_lone_surrogate_in_an_output_can_be_written(tmp_path):
    odd = notebook()
    odd.cells[2]["outputs"] = [nbformat.v4.new_output("stream", text="\ud800")]
    write_notebook(odd, tmp_path / "a.ipynb")
    assert read_notebook(tmp_path / "a.ipynb").cells[2].outputs[0].text == "\ud800"
    assert dump(odd).isascii()


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda cell: cell["outputs"][1].pop("name"), "cell 2 (load-data), output 2: 'name' is a required property"),
        (
            lambda cell: cell["outputs"][1].update(output_type="text"),
            "cell 2 (load-data), output 2: its output_type is 'text'",
        ),
        (lambda cell: cell["outputs"].append("text"), "cell 2 (load-data), output 3: its output_type is None"),
        (lambda cell: cell.update(outputs={}), "cell 2 (load-data): its outputs are no list"),
        (lambda cell: cell.update(cell_type="sql"), "cell 2 (load-data): its cell_type is 'sql'"),
        (lambda cell: cell.update(metadata=[]), "cell 2 (load-data): its metadata are no JSON object"),
        (lambda cell: cell.update(source=5), "cell 2 (load-data), source: 5 is not valid"),
        (
            lambda cell: cell["outputs"][0]["data"].update({"text/plain": 5}),
            "cell 2 (load-data), output 1, data.text/plain",
        ),
    ],
)
def test_the_faulty_cell_and_output_of_an_invalid_notebook_are_named(spoil, place):
    """A notebook of fifty cells is not mended by a sentence about a schema."""
    shown = new_output("display_data", data={"text/plain": "1"})
    printed = new_output("stream", text="x")
    made = new_notebook(
        cells=[new_markdown_cell("# A"), new_code_cell("1", id="load-data", outputs=[shown, printed])]
    )
    document = json.loads(json.dumps(made))
    spoil(document["cells"][1])
    with pytest.raises(NotebookError) as found:
        parse(json.dumps(document))
    assert place in str(found.value)
