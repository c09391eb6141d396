"""The examples in the help of commands can be copied into nbprod.toml."""

import tomllib

import pytest

from nbprod.cli import main, pipeline, schedule
from nbprod.domain.pipeline import Pipeline
from nbprod.domain.schedule import Schedule


@pytest.mark.parametrize(
    ("help_text", "table", "parse"),
    [(pipeline.HELP, "pipelines", Pipeline.parse), (schedule.HELP, "schedules", Schedule.parse)],
)
def test_an_example_in_a_help_text_is_a_table_that_is_read(help_text, table, parse):
    for name, content in tomllib.loads(help_text.split("\b\n")[1])[table].items():
        assert parse(name, content)


@pytest.mark.parametrize("noun", ["pipeline", "schedule"])
def test_who_has_none_is_told_where_one_can_be_copied_from(noun, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    (tmp_path / "nbprod.toml").write_text("")
    with pytest.raises(SystemExit):
        main([noun, "list"])

    assert f"nbprod {noun} --help" in capsys.readouterr().err


def test_a_pipeline_that_never_ran_is_shown_step_by_step(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    (tmp_path / "nbprod.toml").write_text(pipeline.HELP.split("\b\n")[1])
    with pytest.raises(SystemExit):
        main(["pipeline", "show", "weekly"])
    said = capsys.readouterr()

    assert [line.split()[0] for line in said.out.splitlines()] == ["name", "train", "evaluate", "register"]
    assert "a version of electricity" in said.out
    assert "nbprod pipeline run weekly" in said.err
