"""The gate a candidate must pass: the policy, the evidence, and the rule that turns both into checks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite, isnan
from typing import Any, Literal

from nbprod.domain.check import CheckOutcome, CheckResult, worst
from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.domain.numbers import number
from nbprod.domain.plain import plain
from nbprod.errors import SettingsError

__all__ = ["GateEvidence", "GatePolicy", "GateVerdict", "Measured", "SliceGain", "judge"]

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


@dataclass(frozen=True, kw_only=True)
class GatePolicy:
    """What a candidate is held against; a bound that is ``None`` is not asked for."""

    metric: str = "auto"  #: ``auto`` is the task's usual one
    min: float | None = None  #: of a metric where more is better: its lower interval bound must reach this
    max: float | None = None  #: of an error: its upper interval bound must not exceed this
    min_gain: float | None = 0.0  #: the lower bound of the paired difference must be above this
    max_slice_drop: float | None = None  #: no slice may be worse than the champion by more
    first: Literal["pass", "hold"] = "pass"  #: what "no champion yet" means

    def __post_init__(self) -> None:
        for name in ("min", "max", "min_gain", "max_slice_drop"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or isnan(value)):
                raise SettingsError(f"the gate's {name} is {value!r}", hint="Give a number, or leave it out.")
        if self.max_slice_drop is not None and self.max_slice_drop < 0:
            raise SettingsError(
                f"the gate's max_slice_drop is {self.max_slice_drop}", hint="Give the drop as a number from 0 on."
            )
        if self.first not in {"pass", "hold"}:
            raise SettingsError(f"the gate's first is {self.first!r}", hint='It is "pass" or "hold".')
        if self.min is not None and self.max is not None:
            raise SettingsError(
                "the gate has both min and max",
                hint="min is for metrics where more is better, max for errors; keep the one that fits the metric.",
            )

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any], *, where: str = "the gate") -> GatePolicy:
        """Read a table of ``nbprod.toml``.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        known = [field.name for field in fields(cls)]
        for key in table:
            if key not in known:
                raise SettingsError(f"{where} has an unknown key {key!r}", hint=nearest(key, known))
        if not isinstance(table.get("metric", "auto"), str):
            raise SettingsError(f"the metric of {where} is not text", hint='Write metric = "roc_auc".')
        return cls(**table)

    @property
    def digest(self) -> str:
        """SHA-256 over its canonical JSON, in hex."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A number with the bounds of its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"


@dataclass(frozen=True, kw_only=True)
class SliceGain:
    """How much better the candidate is than the champion on some of the rows; below 0 is worse."""

    name: str  #: ``weekday = 6``
    rows: int
    gain: Measured


@dataclass(frozen=True, kw_only=True)
class GateEvidence:
    """What was measured, on which rows, about which packages."""

    candidate: str  #: digest, or the name the model was given by
    champion: str | None  #: ``None`` when there is none yet
    data: str  #: fingerprint of the data the rows come from
    rows: int
    blocks: int | None  #: that were resampled, where rows depend on each other
    metric: str
    higher_is_better: bool
    candidate_score: Measured
    champion_score: Measured | None = None
    gain: Measured | None = None  #: above 0 is better, whatever the metric's own sign
    slices: tuple[SliceGain, ...] = ()
    start: str | None = None  #: of the window of rows
    end: str | None = None


@dataclass(frozen=True, kw_only=True)
class GateVerdict:
    """The checks of a policy on evidence, in a form that can be recorded and read back."""

    policy: GatePolicy
    evidence: GateEvidence
    checks: tuple[CheckResult, ...]

    @property
    def outcome(self) -> CheckOutcome:
        """Of all checks together."""
        return worst(self.checks)

    @property
    def comparison(self) -> Literal["compared", "no champion yet"]:
        """Whether there was something to compare with."""
        return "no champion yet" if self.evidence.champion is None else "compared"

    @property
    def sentence(self) -> str:
        """The outcome, and the checks that decided it, in words."""
        deciding = [check.sentence for check in self.checks if check.outcome is self.outcome]
        return " ".join(deciding)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a record; bounds that are not finite become ``None``."""
        written = {
            "outcome": str(self.outcome),
            "comparison": self.comparison,
            "sentence": self.sentence,
            "policy": self.policy,
            "policy_digest": self.policy.digest,
            "evidence": self.evidence,
            "checks": self.checks,
        }
        return plain(written)

    def __repr__(self) -> str:
        return f"<GateVerdict {self.outcome}: {self.sentence}>"

    def _repr_html_(self) -> str:
        return card(
            f"Gate: {self.outcome}", [(check.name, f"{check.outcome}: {check.sentence}") for check in self.checks]
        )


def judge(policy: GatePolicy, evidence: GateEvidence) -> GateVerdict:
    """Hold the evidence against the policy.

    An interval that spans a bound is inconclusive: more rows may decide. One entirely on the wrong side fails.

    Raises
    ------
    SettingsError
        The policy's bound does not fit the metric's direction.
    """
    _check_direction(policy, evidence)
    checks = [*_absolute(policy, evidence)]
    if evidence.champion is None:
        checks.append(_first(policy))
    else:
        checks += [*_gain(policy, evidence), *_slices(policy, evidence)]
    return GateVerdict(policy=replace(policy, metric=evidence.metric), evidence=evidence, checks=tuple(checks))


def _check_direction(policy: GatePolicy, evidence: GateEvidence) -> None:
    if policy.min is not None and not evidence.higher_is_better:
        raise SettingsError(
            f"the gate has min = {policy.min}, but of {evidence.metric} less is better", hint="Set max instead."
        )
    if policy.max is not None and evidence.higher_is_better:
        raise SettingsError(
            f"the gate has max = {policy.max}, but of {evidence.metric} more is better", hint="Set min instead."
        )


def _absolute(policy: GatePolicy, evidence: GateEvidence) -> list[CheckResult]:
    bound = policy.min if evidence.higher_is_better else policy.max
    if bound is None:
        return []
    score, metric = evidence.candidate_score, evidence.metric
    sign = 1.0 if evidence.higher_is_better else -1.0
    near, far = (score.low, score.high) if evidence.higher_is_better else (score.high, score.low)
    rule = f"{metric} {'>=' if evidence.higher_is_better else '<='} {bound:g}"
    if not isfinite(score.value):
        outcome, words = INCONCLUSIVE, f"{metric} cannot be computed on these rows."
    elif sign * near >= sign * bound:
        outcome, words = PASSED, f"{metric} is {score}, within the bound {bound:g}."
    elif sign * far < sign * bound:
        outcome, words = FAILED, f"{metric} is {score}, clearly beyond the bound {bound:g}."
    else:
        outcome, words = INCONCLUSIVE, f"{metric} is {score}, whose interval spans the bound {bound:g}."
    return [_check("score", outcome, words, metric, score, rule)]


def _first(policy: GatePolicy) -> CheckResult:
    if policy.first == "pass":
        return CheckResult(
            name="first",
            outcome=PASSED,
            sentence="There is no champion yet; the policy lets the first model pass.",
            rule='first = "pass"',
        )
    return CheckResult(
        name="first",
        outcome=INCONCLUSIVE,
        sentence="There is no champion yet; the policy holds the first model for a person to decide.",
        rule='first = "hold"',
    )


def _gain(policy: GatePolicy, evidence: GateEvidence) -> list[CheckResult]:
    if policy.min_gain is None:
        return []
    gain, metric, bound = evidence.gain, evidence.metric, policy.min_gain
    rule = f"gain in {metric} > {bound:g}"
    if gain is None or not isfinite(gain.value):
        words = f"The difference in {metric} cannot be computed on these rows."
        return [CheckResult(name="gain", outcome=INCONCLUSIVE, sentence=words, subject=metric, rule=rule)]
    shown = _signed(gain)
    if evidence.champion == evidence.candidate:
        outcome, words = FAILED, "The candidate is the champion; there is nothing to gain."
    elif gain.low > bound:
        outcome, words = PASSED, f"The candidate is better: {shown} in {metric}."
    elif gain.high <= bound:
        outcome, words = FAILED, f"The candidate does not gain more than {bound:g}: {shown} in {metric}."
    else:
        outcome = INCONCLUSIVE
        words = f"The difference in {metric} is {shown}; its interval spans {bound:g}, so the rows do not decide."
    return [_check("gain", outcome, words, metric, gain, rule)]


def _slices(policy: GatePolicy, evidence: GateEvidence) -> list[CheckResult]:
    if policy.max_slice_drop is None:
        return []
    bound, rule = -policy.max_slice_drop, f"no slice drops by more than {policy.max_slice_drop:g}"
    known = [part for part in evidence.slices if isfinite(part.gain.value)]
    if not known:
        words = "No slice is large enough to compare."
        return [CheckResult(name="slices", outcome=INCONCLUSIVE, sentence=words, rule=rule)]
    clearly = [part for part in known if part.gain.high < bound]
    perhaps = [part for part in known if part.gain.value < bound]
    part = min(clearly or perhaps or known, key=lambda each: each.gain.value)
    shown = f"{_signed(part.gain)} on {part.rows:,} rows"
    if clearly:
        outcome, words = FAILED, f"Where {part.name} the candidate is clearly worse: {shown}."
    elif perhaps:
        outcome, words = INCONCLUSIVE, f"Where {part.name} the candidate may be worse: {shown}."
    else:
        outcome, words = PASSED, f"No slice drops too far; the least favourable is {part.name}: {shown}."
    return [_check("slices", outcome, words, part.name, part.gain, rule)]


def _check(
    name: str, outcome: CheckOutcome, sentence: str, subject: str, measured: Measured, rule: str
) -> CheckResult:
    return CheckResult(
        name=name,
        outcome=outcome,
        sentence=sentence,
        subject=subject,
        value=measured.value,
        low=measured.low,
        high=measured.high,
        rule=rule,
    )


def _signed(gain: Measured) -> str:
    value, low, high = (number(one, signed=True) for one in (gain.value, gain.low, gain.high))
    return f"{value} [{low}, {high}]"
