"""The commands of schedules that start nothing."""

import pytest

from nbprod.cli import main

TOML = """
[schedules.nightly]
cron = "30 2 * * *"
timezone = "Europe/Berlin"
monitor = "power"
parameters = { window = "30d" }
"""


@pytest.fixture
def nbprod(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    (tmp_path / "nbprod.toml").write_text(TOML)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["schedule", *arguments])
        return ended.value.code, capsys.readouterr()

    return run


def test_files_are_written_into_a_folder_that_may_not_exist_yet(nbprod, tmp_path):
    code, said = nbprod("export", "systemd", "nightly", "-o", str(tmp_path / "units" / "new"))
    written = sorted(path.name for path in (tmp_path / "units" / "new").iterdir())

    assert code == 0
    assert written == ["nbprod-nightly.service", "nbprod-nightly.timer"]
    assert said.out.splitlines() == [str(tmp_path / "units" / "new" / name) for name in written]
    assert str(tmp_path) in (tmp_path / "units" / "new" / written[0]).read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("export", "jenkins"), 2, "There is no scheduler 'jenkins'"),
        (("export", "kubernetes"), 2, "needs a container image"),
        (("export", "github", "nightly"), 2, "only know UTC"),
        (("export", "cron", "nightyl"), 4, "Did you mean nightly?"),
        (("run-due", "--now", "tomorrow"), 2, "'tomorrow' is not a moment"),
        (("run-due", "nightyl"), 4, "Did you mean nightly?"),
        (("start", "nightyl"), 4, "Did you mean nightly?"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(nbprod, arguments, code, words):
    ended, said = nbprod(*arguments)

    assert (ended, words in said.err) == (code, True), said.err


def test_a_list_says_when_each_is_due_next(nbprod):
    code, said = nbprod("list")

    assert code == 0
    assert "monitor power" in said.out
    assert ("00:30" in said.out) != ("01:30" in said.out)  # summer or winter in Berlin
