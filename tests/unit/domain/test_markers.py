import pickle
import sys

import pytest

from nbprod.domain.markers import Dataset, Model, Range, Secret
from nbprod.errors import EnvironmentProblem, ParameterError


def test_a_secret_shows_where_it_is_and_never_what_it_is(monkeypatch):
    monkeypatch.setenv("DB_TOKEN", "hunter2")
    secret = Secret("env:DB_TOKEN")
    assert secret.reveal() == "hunter2"
    assert repr(secret) == "Secret('env:DB_TOKEN')"
    assert f"{secret}" == "env:DB_TOKEN"
    assert b"hunter2" not in pickle.dumps(secret)


def test_a_secret_comes_from_a_file_or_a_command(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    assert Secret(f"file:{tmp_path / 'token'}").reveal() == "s3cret"
    assert Secret(f"cmd:{sys.executable} -c \"print('a b')\"").reveal() == "a b"


def test_a_command_is_started_without_a_shell(tmp_path):
    assert Secret(f"cmd:echo x > {tmp_path / 'made'}").reveal() == f"x > {tmp_path / 'made'}"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("reference", ["hunter2", "env:", "env:a b", "file:", "cmd: ", "http://x", "", None, 5])
def test_a_secret_that_is_no_reference_is_refused_unseen(reference):
    with pytest.raises(ParameterError, match="not a reference") as caught:
        Secret(reference)
    assert "hunter2" not in str(caught.value)


def test_a_failed_command_does_not_print_what_it_said():
    with pytest.raises(EnvironmentProblem) as caught:
        Secret("cmd:" + sys.executable + " -c \"import sys; print('hunter2'); sys.exit(3)\"").reveal()
    assert caught.value.__suppress_context__
    assert "command failed" in caught.value.message


def test_an_unset_variable_is_named():
    with pytest.raises(EnvironmentProblem, match="env:NBPROD_NO_SUCH is not set"):
        Secret("env:NBPROD_NO_SUCH").reveal()


@pytest.mark.parametrize(("low", "high"), [(2, 1), ("a", 1), (float("nan"), 1), (True, 2)])
def test_a_range_that_is_none_is_refused(low, high):
    with pytest.raises(ParameterError, match="is not a range"):
        Range(low, high)


def test_annotations_work_in_a_notebook_run_by_hand():
    """Every marker may stand where Python evaluates annotations."""
    exec("from typing import Annotated\ndata: Dataset = 'electricity'\nold: Model | None = None\nx: Annotated[float, Range(0, 1)] = 0.5\nmany: list[Dataset] = []\n", {"Dataset": Dataset, "Model": Model, "Range": Range})  # fmt: skip
