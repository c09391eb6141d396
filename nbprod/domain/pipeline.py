"""A pipeline: notebooks that need each other's results, and one execution of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.names import check_name, nearest
from nbprod.domain.reference import Reference, references
from nbprod.domain.run import RunStatus
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError

__all__ = ["Pipeline", "PipelineRun", "Step", "StepResult", "StepStatus"]

STEP_KEYS = ("template", "notebook", "register", "needs", "parameters", "checks", "timeout_s", "retries")


class StepStatus(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"  #: its notebook went through, and a check it recorded said no
    FAILED = "failed"
    SKIPPED = "skipped"  #: something it needs did not succeed


@dataclass(frozen=True, kw_only=True)
class Step:
    """One notebook, or one registration, of a pipeline."""

    name: str
    notebook: str = ""  #: a template's name, or a notebook's path, which ends in ``.ipynb``
    register: str = ""  #: instead of a notebook: the model whose next version the package becomes
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: texts may refer to inputs and earlier steps
    needs: tuple[str, ...] = ()  #: as written, and the steps it refers to
    is_stopped_by_checks: bool = True  #: a recorded check that failed keeps those who need it from starting
    timeout_s: float | None = None
    retries: int = 0  #: further attempts after a lost kernel

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything its parameters refer to."""
        return references(self.parameters)

    @classmethod
    def parse(cls, pipeline: str, name: str, content: Any) -> Step:
        """Read ``[pipelines.NAME.steps.STEP]``; raises as ``Pipeline.parse`` does."""
        where = f"[pipelines.{pipeline}.steps.{name}]"
        check_name(name, "step")
        if not isinstance(content, Mapping):
            raise SettingsError(f"{where} must be a table", hint='For instance: template = "train"')
        table = SettingsTable(where, content)
        table.refuse_unknown(STEP_KEYS)
        kinds = [key for key in ("template", "notebook", "register") if key in content]
        if len(kinds) != 1 or not isinstance(content[kinds[0]], str) or not content[kinds[0]]:
            raise SettingsError(
                f"{where} must say one thing to do",
                hint='template = "train", notebook = "x.ipynb" or register = "model"',
            )
        what = content[kinds[0]]
        if (kinds[0] == "notebook") != what.endswith(".ipynb"):
            raise table.error(kinds[0], "A notebook is a path that ends in .ipynb; a template is named without it.")
        needs = table.texts("needs", 'A list of steps: needs = ["train"]')
        parameters = table.table("parameters", 'parameters = { data = "{train.package}" }')
        if "register" in content and not (
            {"package"} <= set(parameters) <= {"package", "verdict"}
            and all(isinstance(value, str) for value in parameters.values())
        ):
            raise SettingsError(
                f"{where} registers a package, and may name the run that judged it",
                hint='parameters = { package = "{train.package}", verdict = "{evaluate.run}" }',
            )
        if (checks := content.get("checks", "stop")) not in {"stop", "ignore"}:
            raise table.error("checks", "One of stop, ignore.")
        try:
            referred = references(parameters)
        except SettingsError as error:
            raise SettingsError(f"{where} {error.message}", hint=error.hint) from None
        return cls(
            name=name,
            notebook="" if kinds[0] == "register" else what,
            register=check_name(what, "model") if kinds[0] == "register" else "",
            parameters=parameters,
            needs=tuple(dict.fromkeys([*needs, *(one.step for one in referred if one.step)])),
            is_stopped_by_checks=checks != "ignore",
            timeout_s=table.number("timeout_s", float) or None,
            retries=table.number("retries", int) or 0,
        )


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """``[pipelines.NAME]`` of ``nbprod.toml``: steps in an order in which each comes after what it needs."""

    name: str
    steps: tuple[Step, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)  #: names and defaults: what ``-p`` may set

    def __getitem__(self, step: str) -> Step:
        return next(one for one in self.steps if one.name == step)

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> Pipeline:
        """Read a table of ``nbprod.toml``.

        Raises
        ------
        SettingsError
            A key, a step or a reference is unknown, or steps need each other in a circle.
        """
        check_name(name, "pipeline")
        table = SettingsTable(f"[pipelines.{name}]", content)
        table.refuse_unknown(("steps", "inputs"))
        tables, inputs = content.get("steps"), table.table("inputs", 'inputs = { data = "electricity" }')
        if not isinstance(tables, Mapping) or not tables:
            raise SettingsError(f"[pipelines.{name}] has no steps", hint=f"Add [pipelines.{name}.steps.train].")
        steps = {step: Step.parse(name, step, one) for step, one in tables.items()}
        if both := sorted(set(steps) & set(inputs)):
            raise SettingsError(
                f"[pipelines.{name}] has an input and a step called {both[0]}", hint="Rename one of them."
            )
        for step in steps.values():
            for need in step.needs:
                if need not in steps:
                    raise SettingsError(
                        f"[pipelines.{name}] step {step.name} needs a step {need!r} that is not there",
                        hint=nearest(need, set(steps) - {step.name}),
                    )
            for one in step.references:
                if not one.step and one.part not in inputs:
                    raise SettingsError(
                        f"[pipelines.{name}] step {step.name} refers to {one.text}, which is not an input",
                        hint=nearest(one.part, {*inputs, *(f"{other}.run" for other in steps if other != step.name)}),
                    )
                if one.step and bool(steps[one.step].register) != (one.part == "version"):
                    raise SettingsError(
                        f"[pipelines.{name}] step {step.name} refers to {one.text}, which {one.step} does not give",
                        hint="A registration gives version; a notebook gives run, package, metrics.NAME, files.NAME.",
                    )
        return cls(name=name, steps=_in_order(name, steps), inputs=inputs)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}: {', '.join(step.name for step in self.steps)}>"

    def _repr_html_(self) -> str:
        rows = [(step.name, step.notebook or f"a version of {step.register}") for step in self.steps]
        return card(f"Pipeline {self.name}", rows)


def _in_order(pipeline: str, steps: Mapping[str, Step]) -> tuple[Step, ...]:
    """Each step after what it needs, otherwise as written."""
    done: dict[str, Step] = {}
    while len(done) < len(steps):
        ready = [step for step in steps.values() if step.name not in done and set(step.needs) <= set(done)]
        if not ready:
            circle = " → ".join(name for name in steps if name not in done)
            raise SettingsError(
                f"[pipelines.{pipeline}] steps need each other in a circle: {circle}",
                hint="Remove one of their needs or references.",
            )
        done |= {step.name: step for step in ready}
    return tuple(done.values())


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What became of one step."""

    name: str
    status: StepStatus = StepStatus.WAITING
    needs: tuple[str, ...] = ()
    what: str = ""  #: the notebook, or the model it registers
    run_id: str | None = None
    package: str | None = None  #: digest, where a later step asked for it
    version: str | None = None  #: what a registration made
    reason: str = ""  #: why it was executed, left alone or skipped
    changes: str = ""  #: what differs from the execution of this pipeline before, in words
    reached_by: tuple[str, ...] = ()  #: earlier steps whose change came to it though its own code is the same
    error: str | None = None  #: one line
    key: str | None = None  #: SHA-256 over everything its results depend on
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """One execution of a pipeline; each change of it is a compare-and-set of ``revision``."""

    id: str
    pipeline: str
    status: RunStatus
    created_at: datetime
    revision: int = 0
    ended_at: datetime | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[StepResult, ...] = ()
    caused_by: str | None = None  #: id of the alert or schedule behind it
    actor: str = "unknown"
    folder: str = ""  #: ``report.html``, and the lease of the process that works on it

    def __getitem__(self, step: str) -> StepResult:
        return next(one for one in self.steps if one.name == step)

    @property
    def succeeded(self) -> bool:
        """Whether every step did."""
        return self.status is RunStatus.SUCCEEDED

    @property
    def is_finished(self) -> bool:
        """Whether nobody works on it any more."""
        return self.status is not RunStatus.RUNNING

    @property
    def is_refused(self) -> bool:
        """Whether nothing failed, and a check said no."""
        statuses = {step.status for step in self.steps}
        return StepStatus.REFUSED in statuses and StepStatus.FAILED not in statuses

    @property
    def duration(self) -> timedelta | None:
        """From the first start to the last end."""
        return self.ended_at - self.created_at if self.ended_at else None

    @property
    def sentence(self) -> str:
        """How it stands, in words."""
        by = {status: [step.name for step in self.steps if step.status is status] for status in StepStatus}
        return "; ".join(f"{status}: {', '.join(names)}" for status, names in by.items() if names)

    def __repr__(self) -> str:
        return f"<PipelineRun {self.id} {self.status}>"

    def _repr_html_(self) -> str:
        rows = [
            (step.name, " ".join(filter(None, (step.status, step.error or step.reason, step.changes))))
            for step in self.steps
        ]
        return card(
            f"Pipeline run {self.id}", [("status", self.status), *rows, ("page", f"{self.folder}/report.html")]
        )
