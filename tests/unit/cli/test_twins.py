"""The command line and Python take the same words: every command is held against the method that does its work."""

import inspect

import pytest
import typer

from nbprod import scoring
from nbprod.cli.application import app
from nbprod.deployments import Deployments
from nbprod.evaluations import Evaluations
from nbprod.exports import Exports
from nbprod.exports.telemetry import Telemetry
from nbprod.models import Models
from nbprod.monitors import Alerts, Monitors
from nbprod.packages import Packages
from nbprod.pipelines import Pipelines
from nbprod.retraining import Retraining
from nbprod.review import Reviews
from nbprod.rollouts import Rollouts
from nbprod.runs import Runs
from nbprod.schedules import Schedules
from nbprod.serving.tokens import Tokens
from nbprod.site.scorecards import Scorecards
from nbprod.site.service import Site

#: How much of a cluster a version may use is one value in Python.
RUNNING = dict.fromkeys(("image", "replicas", "most_replicas", "cpu", "memory", "allow_host"), "running")
#: Limits are one value in Python, and a frame is written by its own methods.
QUERY = {
    **dict.fromkeys(("timeout_s", "memory_mb", "most_rows"), "limits"),
    **dict.fromkeys(("csv", "json", "parquet")),
}
#: What a command calls, and what its options are called there where one word cannot serve both.
TWINS = {
    "run": (Runs.start, {"parameters": "values"}),
    "sweep": (Runs.sweep, {"parameters": "grid"}),
    "runs list": (Runs.list, {}),
    "runs show": (Runs.get, {}),
    "runs watch": (Runs.watch, {}),
    "runs cancel": (Runs.cancel, {}),
    "runs debug": (Runs.retained_kernel, {"release": None}),  # ws.runs.release(run)
    "runs resume": (Runs.resume, {}),
    "runs reproduce": (Runs.reproduce, {}),
    "runs prune": (Runs.prune, {"keep_registered": None}),  # always so; said for whoever reads the script
    "runs compare": (Runs.compare, {"html": None}),  # ws.runs.compare_page(a, b)
    "packages build": (Packages.build, {}),
    "packages list": (Packages.list, {}),
    "packages show": (Packages.get, {}),
    "packages certificate": (Packages.certificate, {}),
    "packages verify": (Packages.verify, {}),
    "packages bless": (Packages.bless, {}),
    "packages compare": (Packages.compare, {}),
    "packages import": (Packages.import_, {}),
    "packages export": (Packages.export, {}),
    "models list": (Models.list, {}),
    "models show": (Models.resolve, {"as_of": None}),  # ws.models.champion_at(model, at)
    "models register": (Models.register, {}),
    "models bless": (Models.bless, {}),
    "models evaluate": (Evaluations.run, {"against": "champion"}),  # an alias that may name nobody yet
    "models approve": (Models.approve, {}),
    "models reject": (Models.reject, {}),
    "models promote": (Models.promote, {}),
    "models rollback": (Models.rollback, {}),
    "models history": (Models.history, {}),
    "models why": (Models.why, {}),
    "models import": (Packages.import_model, {"model": None, "note": None}),  # then ws.models.register and bless
    "models export docker": (Exports.docker, {}),
    "models export kubernetes": (Exports.kubernetes, RUNNING),
    "models export kserve": (Exports.kserve, RUNNING),
    "models export mlflow": (Exports.mlflow, {"every": None}),  # ws.exports.mlflow_all(model, to)
    "models export onnx": (Exports.onnx, {}),
    "deployments create": (Deployments.create, {}),
    "deployments list": (Deployments.list, {}),
    "deployments show": (Deployments.get, {}),
    "predictions add": (Deployments.add_predictions, {}),
    "predictions show": (Deployments.recent, {}),
    "predictions list": (Deployments.rows, {"window": None, "alert": None}),  # a start; ws.monitors.trace(alert)
    "predictions query": (Deployments.query, QUERY),
    "predictions compact": (Deployments.compact, {}),
    "predictions prune": (Deployments.prune, {}),
    "predictions erase": (Deployments.erase, {}),
    "serve": (
        Deployments.serve,
        {"allow_host": "hosts", "kind": None, "output": None, "log_requests": None, "attached": None},
    ),
    "tokens create": (Tokens.create, {"scope": "scopes"}),
    "tokens list": (Tokens.list, {}),
    "tokens revoke": (Tokens.revoke, {}),
    "outcomes add": (Deployments.add_outcomes, {}),
    "monitor run": (Monitors.run, {}),
    "monitor list": (Monitors.list, {}),
    "monitor show": (Monitors.get, {}),
    "monitor trend": (Monitors.trend, {}),
    "monitor calibrate": (Monitors.calibrate, {}),
    "rehearse monitor": (Monitors.rehearse, {}),
    "rehearse rollout": (Rollouts.rehearse, {"plan": None, "aa": None}),  # **rules; ws.rollouts.self_test
    "rollouts start": (Rollouts.start, {"automation": None, "lease": None, "longest": None}),  # **rules
    "rollouts list": (Rollouts.list, {}),
    "rollouts show": (Rollouts.get, {"live": None}),  # ws.rollouts.watch(name)
    "rollouts verdict": (Rollouts.verdict, {"may": None, "execute": None, "wait": None}),  # verdict.allows(act, now)
    "rollouts export": (Rollouts.export, {"at": "workspace", "output": None}),
    "rollouts analyses": (Rollouts.analyses, {}),
    "rollouts analyse": (Rollouts.analyse, {}),
    "rollouts advance": (Rollouts.advance, {}),
    "rollouts pause": (Rollouts.pause, {}),
    "rollouts resume": (Rollouts.resume, {}),
    "rollouts promote": (Rollouts.promote, {}),
    "rollouts rollback": (Rollouts.roll_back, {}),
    "rollouts abort": (Rollouts.abort, {}),
    "review set": (Deployments.set_review, {}),
    "review list": (Reviews.list, {}),
    "review next": (Reviews.next, {}),
    "review answer": (Reviews.answer, {}),
    "review export": (Reviews.export, {}),
    "review import": (Reviews.take_in, {}),
    "review report": (Reviews.report, {}),
    "alerts list": (Alerts.list, {}),
    "alerts show": (Alerts.get, {}),
    "alerts ack": (Alerts.acknowledge, {}),
    "alerts trace": (Monitors.trace, {}),
    "alerts acknowledge": (Alerts.acknowledge, {}),
    "alerts snooze": (Alerts.snooze, {}),
    "alerts deliver": (Alerts.deliver, {}),
    "alerts deliveries": (Alerts.deliveries, {}),
    "alerts resolve": (Alerts.resolve, {}),
    "retraining start": (Retraining.start, {}),
    "retraining policy": (Retraining.policy, {}),
    "pipeline run": (Pipelines.run, {"inputs": "inputs", "resume": None}),  # as pipeline resume
    "pipeline resume": (Pipelines.resume, {}),
    "pipeline list": (Pipelines.list, {}),
    "pipeline show": (Pipelines.get, {}),
    "schedule list": (Schedules.names, {}),
    "schedule show": (Schedules.dues, {}),
    "schedule run-due": (Schedules.run_due, {}),
    "schedule start": (Schedules.start, {}),
    "schedule export": (Schedules.export, {"at": "workspace", "output": None}),  # --workspace is of every command
    "scorecard show": (Scorecards.get, {"html": None}),  # ws.scorecards.report(path, model)
    "scorecard claim": (Scorecards.claim, {}),
    "scorecard withdraw": (Scorecards.withdraw, {}),
    "export prometheus": (Telemetry.prometheus, {"output": None}),  # ws.telemetry.write_prometheus(path)
    "export opentelemetry": (Telemetry.opentelemetry, {"header": "headers"}),
    "export openlineage": (Telemetry.openlineage, {"output": "path", "header": "headers"}),
    "export evidently": (Telemetry.evidently, {"windows": "limit"}),
    "site build": (Site.build, {}),
    "site open": (Site.open, {}),
    "site check": (Site.check, {}),
}
#: Commands of files and of the machine, which are functions of their own, or a run of a notebook.
WITHOUT = {
    *("init", "demo", "score", "doctor", "config", "notebooks adopt", "notebooks check", "notebooks tidy"),
    "review desk",  # what servers talk to
}
GENERAL = {"as_json", "show_help", "help"}
OPEN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def commands(node=None, path=()):
    """Every command that does something, with its words."""
    node = node or typer.main.get_command(app)
    if hasattr(node, "commands"):
        for name, child in node.commands.items():
            yield from commands(child, (*path, name))
    else:
        yield " ".join(path), node


FOUND = dict(commands())


def test_every_command_has_a_twin_or_a_reason():
    assert set(FOUND) == set(TWINS) | WITHOUT


@pytest.mark.parametrize("name", TWINS)
def test_a_command_takes_the_words_of_its_method(name):
    """Each option is called as the keyword is, units apart; arguments come in the order of the positions."""
    method, renamed = TWINS[name]
    signature = list(inspect.signature(method).parameters.values())[1:]
    words = {one.name.removesuffix("_s") for one in signature}
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature)
    positions = [one.name for one in signature if one.kind in OPEN]
    arguments = []
    for parameter in FOUND[name].params:
        if parameter.name in GENERAL:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(parameter.name)
            continue
        wanted = renamed.get(parameter.name, parameter.name)
        if wanted is None:
            continue
        assert wanted.removesuffix("_s") in words or (takes_any and wanted in {"data", "start", "end", "block"})
        spelled = {option.removeprefix("--").replace("-", "_") for option in parameter.opts}
        if parameter.name not in renamed:
            assert wanted.removesuffix("_s") in spelled, f"{name} {parameter.opts}"
    assert len(arguments) <= max(len(positions), len(words)), name


def test_scoring_is_a_run_of_its_notebook():
    """The words of ``nbprod score`` are the parameters of the notebook, whose work is done by one function."""
    assert {"keep", "version"} <= set(inspect.signature(scoring.score).parameters)
