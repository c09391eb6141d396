"""What the README says can be typed, can be typed."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nbprod.threads import waiting_politely
from tests.acceptance.conftest import Shell

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600)]

README = Path(__file__).parents[2] / "README.md"
FOREIGN = {name: value for name, value in os.environ.items() if not name.startswith("NBPROD_")}


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [
        line.removeprefix("$ ").partition("  #")[0].strip()
        for block in blocks("console")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_every_command_line_runs_in_order(tmp_path):
    """``make`` targets are what runs this test; everything else is typed here, from an empty folder on."""
    shell = Shell(tmp_path)
    typed = 0
    for line in commands():
        words = shlex.split(line)
        if words[0] == "make":
            assert all(
                re.search(rf"^{word}:", (README.parent / "Makefile").read_text(), re.MULTILINE) for word in words[1:]
            )
        elif words[0] == "cd":
            shell = Shell(shell.folder / words[1])
            assert shell.folder.is_dir()
        else:
            assert words[0] == "nbprod", line
            shell(*words[1:])
            typed += 1

    assert typed >= 5


def test_the_python_example_runs_in_a_new_workspace(tmp_path):
    [example] = blocks("python")
    Shell(tmp_path)("init", "market")
    assert len(example.strip().splitlines()) <= 16
    ast.parse(example)

    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path / "market",
        env={**waiting_politely(FOREIGN), **FOREIGN},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    shell = Shell(tmp_path / "market")
    assert shell.json("models", "show", "electricity@champion")["number"] == 1
    assert len(shell.json("monitor", "list", "electricity")) == 1
    assert (tmp_path / "market" / "site" / "index.html").is_file()


def test_every_link_into_the_repository_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)", README.read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if "://" not in link and not (README.parent / link).exists()] == []


def test_commands_named_in_sentences_exist_with_their_options(tmp_path):
    """Those with a placeholder cannot be typed as they stand; their nouns, verbs and options can be asked about."""
    text = README.read_text(encoding="utf-8")
    named = {line for line in re.findall(r"`nbprod ([a-z][^`\n]*)`", text) if line.islower() or " " in line}
    assert len(named) >= 10
    for line in sorted(named):
        words = shlex.split(line)
        verbs = [word for word in words[:2] if re.fullmatch(r"[a-z-]+", word)]
        told = Shell(tmp_path)(verbs[0], "--help").out
        if len(verbs) == 2 and re.search(rf"^\W*{verbs[1]}\s", told, re.MULTILINE):
            told = Shell(tmp_path)(*verbs, "--help").out
        for option in (word for word in words if word.startswith("--")):
            assert option in told, line
