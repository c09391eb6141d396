"""What people call cells."""

from __future__ import annotations

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod.notebook.journal import fold
from nbprod.notebook.naming import display_names


def test_a_cell_with_a_random_id_is_called_by_its_heading_or_its_first_line():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# A notebook\n\nwith words", id="title"),
            new_code_cell("import os", id="0a1b2c3d"),
            new_markdown_cell("## Load the data ##\n\nFrom the *bank*.", id="11111111"),
            new_code_cell("\n\ndf = load()\ndf.head()", id="e4566234"),
            new_code_cell("# what is missing?\ndf.isna()", id="cell-5"),
            new_code_cell("fit()", id="train"),
            new_code_cell("x" * 100, id="6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
            new_code_cell("", id="ffffffff"),
        ]
    )
    assert display_names(notebook) == {
        "0a1b2c3d": "A notebook",
        "e4566234": "Load the data",
        "cell-5": "what is missing?",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff": "x" * 59 + "…",
        "ffffffff": "cell 8",
    }


def test_the_journal_hands_the_names_on():
    """Timelines, failures and lists are made from it."""
    at = "2026-01-01T00:00:00.000000Z"
    result = fold(
        [
            {"at": at, "kind": "run.started", "cells": [["e4566234", 0, "Load the data"], ["train", 1]]},
            {"at": at, "kind": "run.ended", "status": "failed", "cause": "error", "cell": "e4566234", "error": "x"},
        ]
    )
    assert [cell.called for cell in result.cells] == ["Load the data", "train"]
    assert (result.failed_cell, result.failed_at) == ("e4566234", "Load the data")
    assert "in cell Load the data" in repr(result)
