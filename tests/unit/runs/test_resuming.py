"""A run goes on in a kernel only while everything that kernel has used is unchanged."""

from __future__ import annotations

from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod import clock
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import ConflictError
from nbprod.notebook.naming import display_names
from nbprod.runs.comparison import compare
from nbprod.runs.finalizing import RUN, ingredients, run_json
from nbprod.runs.preparing import Plan, Source
from nbprod.runs.reproducing import obstacles
from nbprod.runs.service import first_cell_to_execute

NOTEBOOK = new_notebook(cells=[new_code_cell("import local", id="load"), new_code_cell("local.x", id="fit")])


def failed_run(folder, executed, mended, **details):
    """A run that failed in its cell ``fit``, and the plan of going on with it."""
    source = Source(name="tee", path=folder / "tee.ipynb", notebook=mended, parameters=(), is_template=True)
    plan = Plan(source=source, given={}, resolved={}, data={}, kernel="python3", secrets=(), cwd=folder)
    first = Run(
        id="first",
        template="tee",
        source=str(source.path),
        template_digest=plan.ingredients["code"],
        status=RunStatus.FAILED,
        failed_cell="fit",
        folder=str(folder / "first"),
        created_at=clock.now(),
    )
    (folder / "first").mkdir()
    nbformat.write(executed, folder / "first" / "notebook.ipynb")
    (folder / "first" / RUN).write_text(run_json(first, modules=plan.modules, **details))
    return first, plan


@pytest.mark.parametrize("details", [{}, {"resumes": "an earlier run"}])
def test_a_local_module_that_changed_is_said_also_of_a_run_that_itself_went_on_in_a_kernel(tmp_path, details):
    (tmp_path / "local.py").write_text("one = 1")
    first, plan = failed_run(tmp_path, NOTEBOOK, NOTEBOOK, **details)
    assert first_cell_to_execute(first, plan) == "fit"
    assert (ingredients(first)["modules"] is None) is bool(details)  # a run in parts is never taken for a new one

    (tmp_path / "local.py").write_text("one = 2")
    now = replace(plan)  # its modules are looked at once
    with pytest.raises(ConflictError, match="module local"):
        first_cell_to_execute(first, now)
    assert "the local module local changed since" in obstacles(first, now)


def test_a_cell_whose_id_says_nothing_is_called_by_its_words_where_the_kernel_has_used_it(tmp_path):
    """The refusal names the changed cell by its heading, never by an id like e4566234."""
    cells = [
        new_markdown_cell("## Load the data", id="a"),
        new_code_cell("x = 1", id="e4566234"),
        new_code_cell("y", id="fit"),
    ]
    mended = new_notebook(cells=[cells[0], new_code_cell("x = 2", id="e4566234"), cells[2]])
    first, plan = failed_run(tmp_path, new_notebook(cells=cells), mended)
    with pytest.raises(ConflictError, match="changed since: cell Load the data"):
        first_cell_to_execute(first, plan)

    code = {"e4566234": "x = 1"}, {"e4566234": "x = 2"}
    found = compare(first, replace(first, id="second"), cells=code, called=display_names(mended))
    assert "code Load the data:" in str(found)
    assert "e4566234" not in str(found) + found._repr_html_()
