from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.run import CellResult, CellStatus, EndCause, Run, RunStatus
from nbprod.pages.layout import POLICY, Link
from nbprod.pages.run_report import ReportFinding, run_report
from tests.unit.pages.conftest import HOSTILE, active

AT = datetime(2026, 11, 20, 9, 44, 13, tzinfo=UTC)
RUN = Run(
    id="20261120T094413Z-train-7f3a",
    template="train",
    source="/home/maria/secret/templates/train.ipynb",
    template_digest="ab" * 32,
    status=RunStatus.SUCCEEDED,
    folder="/home/maria/secret/runs/x",
    created_at=AT,
    started_at=AT,
    ended_at=AT + timedelta(seconds=8),
    parameters={"data": "electricity", "seed": 8, "columns": ["a", "b"]},
    metrics={"roc_auc": 0.9312, "rows": 17664.0, "odd": float("nan")},
    actor="maria",
    caused_by="alert-1",
    data={"data": "sha256:1f0c"},
    git="1d0450c7a3b2+",
    environment="9f" * 32,
)
CELLS = (
    CellResult(id="load", index=1, status=CellStatus.COMPLETED, started_at=AT, ended_at=AT + timedelta(seconds=2)),
    CellResult(id="fit", index=2, status=CellStatus.FAILED, cause=EndCause.ERROR, started_at=AT, ended_at=AT),
)
NOTEBOOK = {
    "metadata": {},
    "cells": [
        {"cell_type": "markdown", "id": "t", "source": "# Train a classifier\n\nText."},
        {
            "cell_type": "code",
            "id": "parameters",
            "source": "data: str = 'electricity'\nseed: int = 7\ncolumns = ('a', 'b')",
            "metadata": {"tags": ["parameters"]},
        },
        {"cell_type": "code", "id": "fit", "source": "1 / 0", "outputs": []},
    ],
}


def test_a_report_says_what_came_out_and_from_what():
    page = run_report(RUN, NOTEBOOK, cells=CELLS, pages={"alert-1": "../../alerts/index.html#alert-1"})
    for words in (
        "<h1>Train a classifier</h1>",
        "Every cell completed after 8.0 s.",
        "succeeded",
        "0.9312",
        "not a number",
        "17,664",
        '<a href="../../alerts/index.html#alert-1">alert-1</a>',
        "with changes not committed",
        "sha256:1f0c",
        "nbprod run train -p seed=8",
    ):
        assert words in page


def test_a_failed_report_leads_to_the_cell_where_it_ended():
    failed = replace(RUN, status=RunStatus.FAILED, failed_cell="fit", cause=EndCause.ERROR, error="ZeroDivisionError")
    page = run_report(failed, NOTEBOOK, cells=CELLS)
    assert "It failed in cell fit after 8.0 s: Python raised an error." in page
    assert '<a href="#cell-fit">' in page
    assert '<div class="cell failed" id="cell-fit">' in page
    assert "<strong>ZeroDivisionError</strong>" in page


def test_a_list_that_was_given_is_reproduced_by_the_runs_id():
    page = run_report(replace(RUN, parameters={"columns": ["c"]}), NOTEBOOK)
    assert "nbprod runs reproduce 20261120T094413Z-train-7f3a" in page


def test_checks_are_shown_with_interval_rule_and_words():
    check = CheckResult(
        name="gain",
        outcome=CheckOutcome.PASSED,
        sentence="Better.",
        value=0.21,
        low=0.13,
        high=0.28,
        rule="gain >= 0",
    )
    page = run_report(RUN, NOTEBOOK, checks=[check])
    assert "0.13 to 0.28" in page
    assert "gain &gt;= 0" in page
    assert "✓ passed" in page


def test_paths_of_the_machine_are_not_told():
    assert "secret" not in run_report(RUN, NOTEBOOK)


def test_the_policy_comes_before_anything_of_the_run():
    page = run_report(RUN, NOTEBOOK)
    assert page.index(POLICY.replace("'", "&#39;")) < page.index("<title>")
    assert "script-src" not in page
    assert "<script" not in page


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_has_a_word_and_a_sentence(status):
    page = run_report(replace(RUN, status=status, started_at=None, ended_at=None), None)
    assert f">{status}</span>" in page


def test_a_run_without_a_notebook_has_a_report():
    assert "There is no notebook to show" in run_report(RUN, None)


def test_a_file_without_an_address_is_named():
    page = run_report(
        RUN, None, links=[Link(label="model.skops", note="2 MB"), Link(label="a.csv", href="files/a.csv")]
    )
    assert "<li>model.skops" in page
    assert '<a href="files/a.csv">a.csv</a>' in page


def test_the_same_values_give_the_same_bytes():
    assert run_report(RUN, NOTEBOOK, cells=CELLS) == run_report(RUN, NOTEBOOK, cells=CELLS)


@given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60)))
def test_no_value_in_any_field_becomes_markup(text):
    run = replace(
        RUN,
        id=text,
        template=text,
        source=text,
        template_digest=text,
        status=RunStatus.FAILED,
        failed_cell=text,
        error=text,
        caused_by=text,
        actor=text,
        parameters={text: text, "list": [text], "map": {text: text}},
        metrics={text: 1.0},
        data={text: text},
        git=text,
        environment=text,
    )
    page = run_report(
        run,
        {"cells": [{"cell_type": "code", "id": text, "source": text, "outputs": []}], "metadata": {}},
        cells=[CellResult(id=text, index=0, status=CellStatus.FAILED, started_at=AT, ended_at=AT)],
        checks=[
            CheckResult(
                name=text, subject=text, outcome=CheckOutcome.FAILED, sentence=text, value=1, low=0, high=2, rule=text
            )
        ],
        links=[Link(label=text, note=text)],
    )
    assert active(page) == []
    assert page.count("<h1>") == 1
    page.encode()


def test_a_finding_comes_first_and_its_story_before_its_numbers():
    finding = ReportFinding(verdict="alarm", sentence="age <changed>", next_step="Try `nbprod alerts list` & see.")
    page = run_report(RUN, NOTEBOOK, finding=finding)
    plain = run_report(RUN, NOTEBOOK)

    assert "age &lt;changed&gt;" in page
    assert "Try <code>nbprod alerts list</code> &amp; see." in page
    assert page.index("age &lt;changed&gt;") < page.index("Every cell completed")
    assert page.index('id="notebook"') < page.index('id="result"')
    assert plain.index('id="notebook"') > plain.index('id="result"')
