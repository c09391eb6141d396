"""The plan of a rollout: its steps, the rules it is judged by, how long it may last; all fixed at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nbprod.domain.duration import parse_duration
from nbprod.domain.names import check_name, nearest
from nbprod.errors import SettingsError

__all__ = [
    "Automation",
    "MetricRule",
    "RolloutPolicy",
    "RolloutStep",
    "StepKind",
    "log_start",
    "parse_plan",
    "plan_text",
]

REPLAYED = timedelta(days=30)  # of the log before the start, that a replay asks the candidate for
MOST_SHARE = 0.95  # above it the stable version's arm is too small to compare with; 100 promotes


class StepKind(StrEnum):
    """How the candidate meets requests."""

    REPLAY = "replay"  #: logged inputs, before any traffic
    SHADOW = "shadow"  #: it answers beside, and nobody is given its answers
    CANARY = "canary"  #: a share of the units, to see whether it does harm
    AB = "ab"  #: fixed shares until a planned end, to see which is better
    BLUE_GREEN = "blue-green"  #: all at once


class Automation(StrEnum):
    """What happens without a person."""

    HUMAN = "human"  #: shadow only; every step is a person's
    ADVISE = "advise"  #: verdicts are shown, a person acts
    GUARD = "guard"  #: rolled back by itself, promoted by a person
    AUTO = "auto"  #: advanced, promoted and rolled back by itself


@dataclass(frozen=True, kw_only=True)
class RolloutStep:
    """One step of a plan."""

    kind: StepKind
    share: float  #: of the units that are given the candidate's answers, from 0 to 1

    def __str__(self) -> str:
        is_shared = self.kind in {StepKind.CANARY, StepKind.AB}
        return f"{self.kind} {100 * self.share:g} %" if is_shared else str(self.kind)


@dataclass(frozen=True, kw_only=True)
class MetricRule:
    """A metric that decides, and how much worse the candidate may be in it."""

    name: str  #: ``errors``, ``slow``, ``wrong`` are counted from the log; a notebook may record others
    margin: float = 1.25  #: how many times more often; of a good event, less often
    negligible: float = 0.01  #: fewer units with an event than this share are not worse, unless harm is shown
    better: str = "lower"  #: or ``higher``: of good events, such as conversions

    def __post_init__(self) -> None:
        check_name(self.name, "metric")
        if self.better not in {"lower", "higher"}:
            raise SettingsError(f"better = {self.better!r} of {self.name} is unknown", hint="lower or higher.")
        if not 0 <= self.negligible < 1:
            raise SettingsError(
                f"negligible = {self.negligible:g} of {self.name} is not a share",
                hint="0.01 is one unit in a hundred.",
            )
        if not self.margin > 1:
            raise SettingsError(
                f"the margin {self.margin:g} of {self.name} is none", hint="Give a ratio above 1: 1.25 for a quarter."
            )


@dataclass(frozen=True, kw_only=True)
class RolloutPolicy:
    """``[rollouts.DEPLOYMENT]`` of ``nbprod.toml``: what a rollout is judged by unless it says otherwise."""

    plan: tuple[RolloutStep, ...] = field(default_factory=lambda: parse_plan("shadow,canary:5:25:50:100"))
    metrics: tuple[MetricRule, ...] = (MetricRule(name="errors"), MetricRule(name="slow"), MetricRule(name="wrong"))
    alpha: float = 0.05  #: the chance of a false roll back, over all looks; and of a false promotion
    slow_ms: float = 100.0  #: an answer that takes longer counts as slow
    horizon: str = ""  #: outcomes count once a prediction is this old: ``7d``; empty: as soon as they come
    longest: str = "14d"  #: then it ends undecided, and traffic returns to stable
    lease: str = "1h"  #: a share above zero that no clean analysis renewed for this long returns to stable
    step_units: int = 200  #: units the candidate must have met in a step before it may advance without proof
    keep_previous: str = "24h"  #: how long the previous version stays loaded after a promotion
    holdback: float = 0.0  #: share of the units that stay with the previous version for that long
    automation: Automation = Automation.GUARD

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> RolloutPolicy:
        """Read a table of ``nbprod.toml``.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        known = cls.__dataclass_fields__
        where = f"[rollouts.{name}]"
        chosen: dict[str, Any] = {}
        for key, value in content.items():
            if key not in known:
                raise SettingsError(f"{where} has an unknown setting {key}", hint=nearest(key, known))
            chosen[key] = _setting(where, key, value)
        return cls(**chosen)

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not 0 <= self.holdback <= 0.5 or self.step_units < 1 or not self.slow_ms > 0:
            raise SettingsError(
                "a rollout's settings are out of range",
                hint="alpha between 0 and 1, holdback from 0 to 0.5, step_units at least 1, slow_ms above 0.",
            )
        for length in (self.longest, self.lease, self.keep_previous, *([self.horizon] if self.horizon else [])):
            parse_duration(length)
        if len({one.name for one in self.metrics}) < len(self.metrics) or not self.metrics:
            raise SettingsError("a rollout needs metrics, each named once", hint='metrics = ["errors", "slow"]')


def _setting(where: str, key: str, value: Any) -> Any:
    try:
        match key:
            case "plan":
                return parse_plan(value)
            case "automation":
                return Automation(value)
            case "metrics":
                return tuple(
                    MetricRule(name=one) if isinstance(one, str) else MetricRule(**dict(one)) for one in value
                )
            case "alpha" | "slow_ms" | "holdback" if not isinstance(value, bool):
                return float(value)
            case "step_units" if isinstance(value, int) and not isinstance(value, bool):
                return value
            case "horizon" | "longest" | "lease" | "keep_previous" if isinstance(value, str):
                return value
    except (TypeError, ValueError):
        pass
    hints = {"automation": f"One of {', '.join(Automation)}.", "metrics": 'metrics = ["errors", { name = "cost" }]'}
    raise SettingsError(
        f"{where} {key} = {value!r} cannot be used", hint=hints.get(key, "See nbprod rollouts start --help.")
    )


def log_start(kind: StepKind, started_at: datetime) -> datetime:
    """From when on the log is read: a replay looks at what was answered before the rollout began."""
    return started_at - REPLAYED if kind is StepKind.REPLAY else started_at


def parse_plan(text: str) -> tuple[RolloutStep, ...]:
    """Read a plan as people write it.

    Parameters
    ----------
    text
        Steps in order, with shares in percent: ``replay,shadow,canary:5:25:50:100``, ``ab:50``, ``blue-green``.

    Raises
    ------
    SettingsError
        A step is unknown, a share is none, or shares do not rise.

    Examples
    --------
    >>> plan_text(parse_plan("shadow,canary:5:25:50:100"))
    'shadow,canary:5:25:50:100'
    >>> [str(step) for step in parse_plan("ab:50")]
    ['ab 50 %']
    """
    steps: list[RolloutStep] = []
    for part in str(text).split(","):
        word, *shares = part.strip().split(":")
        try:
            kind = StepKind(word)
        except ValueError:
            raise SettingsError(f"a rollout has no step {word!r}", hint=nearest(word, [*StepKind])) from None
        steps += _steps_of(kind, shares, text)
    risen = [step.share for step in steps]
    if risen != sorted(risen):
        raise SettingsError(f"the shares of {text!r} do not rise", hint="For instance canary:5:25:50:100.")
    return tuple(steps)


def _steps_of(kind: StepKind, shares: list[str], text: str) -> list[RolloutStep]:
    if kind in {StepKind.REPLAY, StepKind.SHADOW, StepKind.BLUE_GREEN}:
        if shares:
            raise SettingsError(f"{kind} takes no share, in {text!r}", hint=f"Write {kind} alone.")
        return [RolloutStep(kind=kind, share=float(kind is StepKind.BLUE_GREEN))]
    try:
        given = [float(share) / 100 for share in shares]
    except ValueError:
        given = []
    if kind is StepKind.AB and len(given) != 1:
        raise SettingsError(f"ab takes one share, in {text!r}", hint="For instance ab:50.")
    is_promotion = [share == 1 and kind is StepKind.CANARY and n == len(given) - 1 for n, share in enumerate(given)]
    if not given or any(
        not 0 < share <= MOST_SHARE and not ends for share, ends in zip(given, is_promotion, strict=True)
    ):
        raise SettingsError(
            f"{kind} of {text!r} has shares that cannot be used",
            hint=f"Percent above 0 and up to {100 * MOST_SHARE:g}, the last may be 100: canary:5:25:50:100.",
        )
    return [RolloutStep(kind=kind, share=share) for share in given]


def plan_text(steps: tuple[RolloutStep, ...]) -> str:
    """The plan as people write it."""
    words: list[str] = []
    for step in steps:
        share = f":{100 * step.share:g}" if step.kind in {StepKind.CANARY, StepKind.AB} else ""
        if share and words and words[-1].startswith(f"{step.kind}:") and step.kind is StepKind.CANARY:
            words[-1] += share
        else:
            words.append(f"{step.kind}{share}")
    return ",".join(words)
