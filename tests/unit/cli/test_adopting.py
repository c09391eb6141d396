import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from typer.testing import CliRunner

from nbprod.cli.notebooks import app
from nbprod.errors import NotebookError, NotFoundError
from nbprod.notebook.canonical import faults_in_file
from nbprod.notebook.document import read_notebook

KEY = "hunter22hunter"


@pytest.fixture
def mine(tmp_path):
    cells = [
        new_markdown_cell("# Mine\n\nLearns."),
        new_code_cell("import os", outputs=[new_output("stream", text=KEY)], execution_count=1),
        new_code_cell(f"depth = 3\napi_key = '{KEY}'\nprint(depth)"),
    ]
    path = tmp_path / "mine.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def adopt(*words):
    return CliRunner().invoke(app, ["adopt", *map(str, words)], catch_exceptions=True)


def test_away_from_a_terminal_the_changes_are_shown_and_nothing_is_written(mine):
    before = mine.read_bytes()
    result = adopt(mine)
    assert result.exit_code == 0
    assert mine.read_bytes() == before
    assert "+depth: int = 3" in result.stdout
    assert "-depth = 3" in result.stdout
    assert "its outputs are taken out" in result.stdout
    assert "api_key looks like a secret" in result.stdout
    assert "Nothing was written; --write writes all of it" in result.stderr
    assert KEY not in result.output


def test_write_changes_the_file_and_output_a_copy(mine, tmp_path):
    before, copy = mine.read_bytes(), tmp_path / "copy.ipynb"
    assert adopt(mine, "-o", copy).exit_code == 0
    assert mine.read_bytes() == before
    assert adopt(mine, "--write").exit_code == 0
    assert mine.read_bytes() == copy.read_bytes()
    assert [cell.id for cell in read_notebook(mine).cells] == ["title", "imports", "parameters", "depth"]
    assert not faults_in_file(mine)
    result = adopt(mine)
    assert result.stderr == f"{mine} needs no change.\n"


def test_json_says_the_same_without_the_secret(mine):
    result = adopt(mine, "--json")
    answer = json.loads(result.stdout)
    assert answer["parameters"] == [{"name": "depth", "annotation": "int", "default": "3", "help": "given to print"}]
    assert {warning["rule"] for warning in answer["warnings"]} == {"secret"}
    assert answer["written"] is None
    assert KEY not in result.output


def test_what_is_no_notebook_is_refused(tmp_path):
    assert isinstance(adopt(tmp_path / "none.ipynb").exception, NotFoundError)
    (tmp_path / "empty.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    result = adopt(tmp_path / "empty.ipynb", "--write")
    assert isinstance(result.exception, NotebookError)
    assert "no code" in str(result.exception)
