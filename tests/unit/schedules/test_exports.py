"""The files for existing schedulers, each read back by a parser or held against a published schema."""

import ast
import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.schedule import Schedule
from nbprod.errors import SettingsError
from nbprod.schedules.exports import KINDS, Entry, Host
from nbprod.schedules.exports.systemd import calendars

# The types come without the client they are made for; this is all they need of it.
CORE = ModuleType("lightkube.core.schema")
CORE.DictMixin, CORE.field, CORE.dataclass = object, field, dataclass
sys.modules.setdefault("lightkube.core.schema", CORE)
batch_v1 = import_module("lightkube.models.batch_v1")

CRONS = ["* * * * *", "30 2 * * *", "0 9-17/2 * * MON-FRI", "15 3 1,15 * 5", "*/20 1-4 * FEB-APR 7", "0 0 29 2 *"]
HOSTILE = ["/a b", "/100%", "/it's", '/say "x"', "/$(touch x)", "/${HOME}", "/{{ 1 }}", "/{% raw %}", "/${{ github.token }}",
           "/back\\slash", "/;rm -rf x", "/ü", "/#no", "/a\tb", "/*", "/-p", "/`id`", "/{0}", "/%n", "/\\x41"]  # fmt: skip
PATHS = st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(
    lambda text: f"/{text}"
)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?", fullmatch=True)


def an_entry(name="nightly", cron="30 2 * * *", **more):
    return Entry(schedule=Schedule.parse(name, {"cron": cron, "run": "train", **more}))


def a_host(workspace="/work", python="/opt/py/bin/python"):
    return Host(python=python, workspace=workspace, today=date(2026, 11, 21), image="registry/nbprod:1")


def expected(name, workspace, python="/opt/py/bin/python"):
    return [python, "-m", "nbprod", "--workspace", workspace, "schedule", "start", name]


def only(kind, entry, host):
    (content,) = KINDS[kind]([entry], host).values()
    return content


# cron


def crontab(text):
    """Variables and jobs, as cron(8) and crontab(5) read them."""
    jobs, variables = [], {}
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        if match := re.fullmatch(r"([A-Z_]+)=(.*)", line):
            variables[match[1]] = match[2]
            continue
        *when, command = line.split(None, 5)
        assert not re.search(r"(?<!\\)%", command)  # it would end the command
        jobs.append((" ".join(when), command.replace(r"\%", "%")))
    return variables, jobs


@given(NAMES, PATHS, PATHS, st.sampled_from(CRONS))
def test_a_crontab_line_is_read_back_by_cron_and_by_the_shell(name, workspace, python, cron):
    if any(character < " " for character in workspace + python):
        with pytest.raises(SettingsError, match="line break"):
            only("cron", an_entry(name, cron), a_host(workspace, python))
        return
    variables, [(when, command)] = crontab(
        only("cron", an_entry(name, cron, timezone="Europe/Berlin"), a_host(workspace, python))
    )

    assert variables["CRON_TZ"] == "Europe/Berlin"
    assert CronSim(when, datetime(2026, 1, 1, tzinfo=UTC))
    assert shlex.split(command) == expected(name, workspace, python)


@pytest.mark.parametrize("workspace", [path for path in HOSTILE if path.isprintable()])
def test_the_shell_itself_sees_the_same_words_and_runs_nothing(workspace, tmp_path):
    _, [(_, command)] = crontab(only("cron", an_entry(), a_host(workspace, "/usr/bin/printf")))
    said = subprocess.run(
        ["/bin/sh", "-c", command.replace("/usr/bin/printf -m", "printf '%s\\n'", 1)], capture_output=True, text=True,
        check=True, cwd=tmp_path,
    )  # fmt: skip

    assert said.stdout.splitlines() == expected("nightly", workspace)[2:]
    assert not list(tmp_path.iterdir())


# systemd


def unit(text):
    """Sections of a unit file, strictly: every line is a comment, a section or a known key."""
    known = {"Description", "Type", "ExecStart", "OnCalendar", "AccuracySec", "Persistent", "WantedBy"}
    for line in text.split("\n"):
        assert re.fullmatch(r"|#.*|\[[A-Z][a-z]+\]|([A-Za-z]+)=(.*[^\\])", line), line
        assert "=" not in line or line.startswith("#") or line.partition("=")[0] in known
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(text)
    return parser


def words(command):
    """The arguments of ExecStart=, as systemd.syntax(7), systemd.service(5) and systemd.unit(5) unquote them."""
    found = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]+)', command):
        word = re.sub(
            r"\\(x[0-9a-f]{2}|.)",
            lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" and len(m[1]) == 3 else m[1],
            quoted or plain,
        )
        assert not re.search(r"(?<!%)(%%)*%(?!%)|(?<!\$)(\$\$)*\$(?!\$)", word)
        found.append(word.replace("%%", "%").replace("$$", "$"))
    return found


@given(NAMES, PATHS, PATHS)
def test_a_unit_is_read_back_word_by_word(name, workspace, python):
    files = KINDS["systemd"]([an_entry(name)], a_host(workspace, python))
    service, timer = unit(files[f"nbprod-{name}.service"]), unit(files[f"nbprod-{name}.timer"])

    assert words(service["Service"]["ExecStart"]) == ["/usr/bin/env", "--", *expected(name, workspace, python)]
    assert timer["Timer"]["OnCalendar"] == "*-*-* 02:30:00 UTC"


needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")


@needs_systemd
def test_systemd_itself_finds_nothing_wrong_with_the_units(tmp_path):
    for number, path in enumerate(HOSTILE):
        for name, content in KINDS["systemd"]([an_entry(f"n{number}")], a_host(path)).items():
            (tmp_path / name).write_text(content)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert not [line for line in said.stderr.splitlines() if "nbprod" in line or str(tmp_path) in line]


@needs_systemd
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("cron", CRONS)
def test_a_timer_elapses_when_cron_is_due(cron, zone):
    schedule = an_entry(cron=cron, timezone=zone).schedule
    base = datetime(2026, 4, 1, 5, 7, tzinfo=UTC)
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=6", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", *calendars(schedule)],
        capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    elapses = re.findall(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ ([0-9-]+ [0-9:]+)(?: UTC)", said)
    found = sorted({datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for text in elapses})

    from nbprod.schedules.due_times import next_after

    walked, at = [], base
    for _ in range(6):
        at = next_after(schedule, at)
        walked.append(at)
    assert found[:6] == walked


# Airflow

#: Arguments of DAG that Airflow 2.4 to 3.1 have by these names.
DAG_ARGUMENTS = {"dag_id", "description", "schedule", "start_date", "catchup", "max_active_runs", "tags"}


@given(NAMES, PATHS, st.sampled_from(["skip", "once", "all"]))
def test_a_dag_is_python_whose_values_are_literals(name, workspace, missed):
    tree = ast.parse(only("airflow", an_entry(name, missed=missed, timezone="Asia/Tokyo"), a_host(workspace)))
    calls = {ast.unparse(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    given_ = {keyword.arg: keyword.value for keyword in calls["DAG"].keywords}

    assert set(given_) == DAG_ARGUMENTS
    assert not calls["DAG"].args
    assert ast.literal_eval(given_["dag_id"]) == f"nbprod-{name}"
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", f"nbprod-{name}")  # what Airflow allows
    assert (
        ast.literal_eval(given_["catchup"]) is False
    )  # each start starts what was missed: a second one would repeat
    assert ast.unparse(given_["start_date"]) == "pendulum.datetime(2026, 11, 21, tz='Asia/Tokyo')"
    assert ast.literal_eval(calls["subprocess.run"].args[0]) == expected(name, workspace)
    assert [keyword.arg for keyword in calls["subprocess.run"].keywords] == ["check"]  # no shell


# Kubernetes


@cache
def hints_of(kind):
    return get_type_hints(kind)


def fits(value, hint, where="CronJob"):
    """Hold plain data against the published types, strictly: nothing unknown, nothing missing, nothing of another type."""
    if get_origin(hint) is Union:
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if is_dataclass(hint):
        hints = hints_of(hint)
        assert set(value) <= set(hints), f"{where} has no {set(value) - set(hints)}"
        missing = {one.name for one in fields(hint) if type(None) not in get_args(hints[one.name])} - set(value)
        assert not missing, f"{where} needs {missing}"
        for name, one in value.items():
            fits(one, hints[name], f"{where}.{name}")
    elif get_origin(hint) is list:
        for number, one in enumerate(value):
            fits(one, get_args(hint)[0], f"{where}[{number}]")
    elif isinstance(hint, type):
        assert type(value) is hint, where


@given(NAMES, PATHS, st.sampled_from(CRONS[:3] + CRONS[4:]), st.sampled_from(["skip", "queue", "allow"]))
def test_a_cron_job_fits_the_published_types(name, workspace, cron, overlap):
    entry = an_entry(name, cron, overlap=overlap, missed="skip", timezone="America/New_York")
    if cron == "*/20 1-4 * FEB-APR 7":
        assert standard(only("kubernetes", entry, a_host())) == "*/20 1-4 * FEB-APR 0"
    job = yaml.safe_load(only("kubernetes", entry, a_host(workspace)))
    fits(job, batch_v1.CronJob)
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]

    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", job["metadata"]["name"])
    assert [word.replace("$$(", "$(") for word in container["command"]] == expected(name, workspace)
    assert not re.search(r"(?<!\$)\$\(", " ".join(container["command"]))
    assert job["spec"]["concurrencyPolicy"] == {"skip": "Forbid"}.get(overlap, "Allow")


def standard(text):
    return yaml.safe_load(text)["spec"]["schedule"]


def test_two_names_never_become_one():
    names = {
        yaml.safe_load(only("kubernetes", an_entry(name), a_host()))["metadata"]["name"]
        for name in ("a-b", "a_b", "c" * 60, "c" * 61)
    }

    assert len(names) == 4


# GitHub


@pytest.fixture(scope="module")
def workflow_schema():
    return jsonschema.validators.validator_for(schema := get_builtin_schema("vendor.github-workflows"))(schema)


@given(NAMES, PATHS, st.sampled_from(CRONS[:3] + CRONS[4:]))
def test_a_workflow_fits_the_schema_and_holds_no_expression(workflow_schema, name, workspace, cron):
    text = only("github", an_entry(name, cron), a_host(workspace, "python"))
    workflow = yaml.safe_load(text)
    workflow_schema.validate(json.loads(json.dumps(workflow)))
    env = workflow["jobs"]["start"]["env"]["NBPROD_WORKSPACE"]

    assert env.replace("${{ '${{' }}", "${{") == workspace
    assert workflow["jobs"]["start"]["steps"][-1]["run"] == f"python -m nbprod schedule start {name}"


# all of them


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_name_everything_that_is_due_is_looked_at(kind):
    assert all(
        "run-due" in content for name, content in KINDS[kind]([Entry()], a_host()).items() if "timer" not in name
    )


@pytest.mark.parametrize("kind", ["airflow", "kubernetes", "github"])
def test_what_crons_read_differently_is_refused(kind):
    for cron in ("0 0 */2 * 1", "0 0 L * *", "0 0 * * 5#2"):
        with pytest.raises(SettingsError, match=r"cannot be written|something else"):
            only(kind, an_entry(cron=cron), a_host())


def test_a_workflow_in_another_zone_is_refused():
    with pytest.raises(SettingsError, match="only know UTC"):
        only("github", an_entry(timezone="Europe/Berlin"), a_host())
