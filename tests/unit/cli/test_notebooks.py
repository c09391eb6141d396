import nbformat
import pytest
from typer.testing import CliRunner

from nbprod.cli.notebooks import app
from nbprod.errors import NotebookError, NotFoundError
from nbprod.notebook.document import read_notebook


@pytest.fixture
def folder(tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell("# Mine\n\nTrains.", id="title"),
        nbformat.v4.new_code_cell("x = 1", id="a1b2c3d4", outputs=[nbformat.v4.new_output("stream", text="1")]),
    ]
    (tmp_path / "sub").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    for path in ("one.ipynb", "sub/two.ipynb", ".ipynb_checkpoints/one.ipynb"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / path)
    return tmp_path


def test_faults_are_lines_on_stdout_and_end_with_three(folder):
    result = CliRunner().invoke(app, ["check", str(folder)])
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert f"{folder / 'one.ipynb'}: a1b2c3d4: outputs: it has outputs" in lines
    assert any(line.startswith(f"{folder / 'sub' / 'two.ipynb'}: ") for line in lines)
    assert not any("checkpoints" in line for line in lines)
    assert result.stderr == f"{len(lines)} faults, of which nbprod notebooks tidy mends {len(lines)}.\n"


def test_tidy_mends_and_names_the_files_and_a_check_is_content_then(folder):
    result = CliRunner().invoke(app, ["tidy", str(folder)])
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [str(folder / "one.ipynb"), str(folder / "sub" / "two.ipynb")],
    )
    assert result.stderr == "2 notebooks read, 2 rewritten.\n"
    assert read_notebook(folder / "one.ipynb").cells[1].outputs == []
    assert read_notebook(folder / ".ipynb_checkpoints" / "one.ipynb").cells[1].outputs != []
    result = CliRunner().invoke(app, ["check", str(folder / "one.ipynb"), str(folder)])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "2 notebooks in order.\n")


def test_a_broken_notebook_is_named(folder):
    (folder / "one.ipynb").write_text("{")
    result = CliRunner().invoke(app, ["tidy", str(folder)])
    assert isinstance(result.exception, NotebookError)
    assert "one.ipynb is broken: line 1" in result.exception.message


def test_a_missing_path_is_named(tmp_path):
    result = CliRunner().invoke(app, ["check", str(tmp_path / "none.ipynb")])
    assert isinstance(result.exception, NotFoundError)
