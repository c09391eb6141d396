"""Reviews by command: set, list, next, answer, export, import, report."""

import json

import pytest

from nbprod.cli import main


@pytest.fixture
def review(tmp_path, capsys, monkeypatch):
    """Call ``nbprod review``, and give what it printed and its exit code."""
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("NBPROD_ACTOR", "ann")
    (tmp_path / "nbprod.toml").write_text("")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        return ended.value.code, capsys.readouterr()

    run("deployments", "create", "theirs", "--external", "--task", "classification", "--review", "random:1")
    (tmp_path / "made.csv").write_text("prediction_id,at,prediction,load\na,2026-11-01,x,1\nb,2026-11-02,y,2\n")
    run("predictions", "add", "theirs", str(tmp_path / "made.csv"))
    return lambda *arguments: run("review", *arguments)


def test_a_queue_is_worked_through_by_commands(review, tmp_path):
    """Each command says what became of it, as a table or as JSON."""
    code, said = review("list", "theirs", "--json")
    assert code == 0
    assert {item["prediction_id"] for item in json.loads(said.out)} == {"a", "b"}
    (item,) = json.loads(review("next", "theirs", "--json")[1].out)
    name = item["prediction_id"]
    code, said = review("answer", "theirs", name, "x")
    assert (code, said.err) == (0, "theirs: 1 outcomes added, 1 match a prediction\n")
    assert review("answer", "theirs", name, "z")[0] == 2
    assert review("answer", "theirs", "nobody", "x")[0] == 4

    path = tmp_path / "open.csv"
    assert "1 predictions" in review("export", "theirs", str(path), "--reviewer", "ben")[1].err
    path.write_text(path.read_text().replace(",,ben", ",y,ben"))
    assert json.loads(review("import", "theirs", str(path), "--json")[1].out)["added"] == 1
    code, said = review("report", "theirs", "--json")
    assert code == 0
    report = json.loads(said.out)
    assert report["reviewers"] == {"ann": 1, "ben": 1}
    assert "2 of 2 predictions reviewed" in said.err
    assert "Nothing is open" in review("list", "theirs")[1].err


def test_rules_are_set_and_refused_by_command(review):
    """Rules nobody can follow are a usage error with a sentence."""
    assert json.loads(review("set", "theirs", "random:0.5, double:0.1", "--json")[1].out)["review"].startswith(
        "random"
    )
    code, said = review("set", "theirs", "uncertain:0.1")
    assert code == 2
    assert "served elsewhere" in said.err
