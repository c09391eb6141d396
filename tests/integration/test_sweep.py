"""Sweeps: every combination, several at a time, what is unchanged left alone with the reason."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.errors import ParameterError
from nbprod.runs import Runs
from nbprod.store import Store
from nbprod.templates import Templates

pytestmark = pytest.mark.kernel

WORK = "import nbprod\nfrom local_rule import rule\nif a == 3:\n    raise ValueError('three')\nnbprod.record(score=rule(a, seed))"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "nbprod.toml").write_text("")
    (tmp_path / "local_rule.py").write_text("def rule(a, seed): return a * 10 + seed\n")
    cells = [
        new_code_cell(
            "a: int = 1 # first\nseed: int = 0 # second", id="parameters", metadata={"tags": ["parameters"]}
        ),
        new_code_cell(WORK, id="work"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "tried.ipynb")
    return tmp_path


@pytest.fixture
def runs(place):
    return Runs(Store.open(str(place / "ledger.db"), place / "files"), Templates(), place / "runs", root=place)


def test_every_combination_runs_and_a_failed_one_does_not_stop_the_rest(runs, place):
    done = runs.sweep(str(place / "tried.ipynb"), {"a": [1, 2, 3], "seed": [0, 1]}, jobs=2)
    assert [member.run.metrics.get("score") for member in done.members] == [10, 11, 20, 21, None, None]
    assert [member.run.failed_cell for member in done.members][4:] == ["work", "work"]
    assert not done.succeeded
    assert done.best("score").metrics == {"score": 21}
    assert {member.reason for member in done.members} == {"not run before"}


def test_what_is_unchanged_is_not_run_again_and_what_changed_is_named(runs, place):
    name, grid = str(place / "tried.ipynb"), {"seed": [0, 1]}
    first = runs.sweep(name, grid)
    second = runs.sweep(name, {"seed": [0, 1, 2]})
    assert [member.is_reused for member in second.members] == [True, True, False]
    assert second.runs[:2] == first.runs
    assert second.members[0].reason == f"unchanged since {first.runs[0].id}"
    (place / "local_rule.py").write_text("def rule(a, seed): return 0\n")
    third = runs.sweep(name, grid)
    assert [member.reason for member in third.members] == ["changed: modules local_rule"] * 2
    assert [member.run.metrics["score"] for member in third.members] == [0, 0]
    assert not any(member.is_reused for member in runs.sweep(name, grid, again=True).members)


def test_a_refused_parameter_stops_the_sweep_before_it_starts(runs, place):
    with pytest.raises(ParameterError):
        runs.sweep(str(place / "tried.ipynb"), {"a": [1, "many"]})
    assert runs.list() == []
