"""The 28 tests and the score: the smallest of the four sums of points.

Source: E. Breck, S. Cai, E. Nielsen, M. Salib, D. Sculley, "The ML Test Score: A Rubric for ML Production Readiness
and Technical Debt Reduction", IEEE Big Data 2017. Half a point for a test that is done by hand and written down, a
whole one for a system that does it again and again; points add up within a section, and the smallest sum counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.domain.numbers import number
from nbprod.domain.scorecard import data_rules, infrastructure_rules, model_rules, monitoring_rules
from nbprod.domain.scorecard.evidence import Evidence, Finding, Means
from nbprod.errors import NotFoundError

__all__ = [
    "TESTS",
    "Claim",
    "ScoreResult",
    "ScoreTest",
    "Scorecard",
    "Section",
    "interpretation",
    "judge_model",
    "score_test",
]


class Section(StrEnum):
    """A quarter of the tests."""

    DATA = "data"  #: features and data
    MODEL = "model"  #: model development
    INFRASTRUCTURE = "infrastructure"
    MONITORING = "monitoring"


@dataclass(frozen=True, kw_only=True)
class ScoreTest:
    """One of the 28."""

    section: Section
    number: int  #: from 1 to 7, as the paper counts
    title: str
    rule: Callable[[Evidence], Finding]
    earn: (
        str  #: the command that would earn it; ``{model}``, ``{deployment}``, ``{run}``, ``{package}`` are filled in
    )

    @property
    def id(self) -> str:
        """How people write it: ``data-3``."""
        return f"{self.section}-{self.number}"


def _section(section: Section, *tests: tuple[str, Callable[[Evidence], Finding], str]) -> tuple[ScoreTest, ...]:
    return tuple(
        ScoreTest(section=section, number=number, title=title, rule=rule, earn=earn)
        for number, (title, rule, earn) in enumerate(tests, start=1)
    )


CLAIM = "nbprod scorecard claim {test} {model} --note WHAT-WAS-DONE"
EVALUATE = "nbprod models evaluate {model}@champion --data DATA"
MONITOR = '[schedules.NAME] monitor = "{deployment}" in nbprod.toml, then nbprod schedule run-due'
TESTS: tuple[ScoreTest, ...] = (
    *_section(
        Section.DATA,
        ("What is expected of features is in a schema", data_rules.schema_is_captured, "nbprod packages build RUN"),
        ("Every feature helps", data_rules.features_are_beneficial, "nbprod run train -p drop=[COLUMN]"),
        ("No feature costs too much", data_rules.features_are_worth_their_cost, CLAIM),
        ("Features keep to the rules", data_rules.features_are_permitted, "[data] private = [COLUMN] in nbprod.toml"),
        ("Privacy is controlled", data_rules.privacy_is_controlled, "[data] private = [COLUMN] in nbprod.toml"),
        ("New features come quickly", data_rules.new_features_come_quickly, CLAIM),
        ("Code that makes features is tested", data_rules.feature_code_is_tested, "nbprod packages bless {package}"),
    ),
    *_section(
        Section.MODEL,
        (
            "Model code is reviewed and committed",
            model_rules.specification_is_reviewed,
            "git commit, nbprod run train, then nbprod models approve VERSION",
        ),
        (
            "Offline and online values go together",
            model_rules.offline_meets_online,
            "nbprod monitor run {deployment}, for three versions with outcomes",
        ),
        (
            "Hyperparameters are tuned",
            model_rules.hyperparameters_are_tuned,
            "nbprod sweep train -p model=hgb,forest,logreg",
        ),
        (
            "What staleness does is known",
            model_rules.staleness_is_known,
            "nbprod outcomes add {deployment} FILE, then nbprod monitor run {deployment}",
        ),
        ("A simpler model is not better", model_rules.simpler_is_not_better, "nbprod run train"),
        (
            "Quality is good enough on slices",
            model_rules.slices_are_good_enough,
            "[gates.{model}] max_slice_drop = 0.02 in nbprod.toml, then " + EVALUATE,
        ),
        (
            "Groups of people are treated alike",
            model_rules.groups_are_treated_alike,
            EVALUATE + " -p protected=[COLUMN]",
        ),
    ),
    *_section(
        Section.INFRASTRUCTURE,
        ("Training can be made again", infrastructure_rules.training_is_reproducible, "nbprod runs reproduce {run}"),
        ("Model code is unit tested", infrastructure_rules.specification_is_unit_tested, "nbprod packages build RUN"),
        ("The whole pipeline is tested", infrastructure_rules.pipeline_is_tested_whole, "nbprod pipeline run NAME"),
        (
            "Quality is checked before serving",
            infrastructure_rules.quality_is_checked_before_serving,
            "[gates.{model}] in nbprod.toml, then " + EVALUATE,
        ),
        (
            "One example can be followed",
            infrastructure_rules.one_example_can_be_followed,
            "nbprod serve {deployment}, then nbprod predictions show ID",
        ),
        (
            "A canary comes before all traffic",
            infrastructure_rules.canary_came_first,
            "nbprod rollouts start {deployment} VERSION",
        ),
        (
            "Versions can be put back",
            infrastructure_rules.versions_can_be_rolled_back,
            "nbprod rollouts rollback, or nbprod models promote an earlier version",
        ),
    ),
    *_section(
        Section.MONITORING,
        (
            "Changes of dependencies are noticed",
            monitoring_rules.dependency_changes_are_noticed,
            "nbprod packages bless {package}",
        ),
        ("Inputs keep their invariants", monitoring_rules.inputs_are_watched, MONITOR),
        ("Training and serving agree", monitoring_rules.training_and_serving_agree, "nbprod serve {deployment}"),
        ("The model is not too old", monitoring_rules.model_is_not_stale, "[retraining.{deployment}] in nbprod.toml"),
        ("Numbers are stable", monitoring_rules.numbers_are_stable, MONITOR),
        (
            "Computing has not become worse",
            monitoring_rules.computing_is_watched,
            "nbprod serve {deployment}, then " + MONITOR,
        ),
        (
            "Predictions have not become worse",
            monitoring_rules.prediction_quality_is_watched,
            "nbprod outcomes add {deployment} FILE, then " + MONITOR,
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A person says that a test is done by hand; it shows as such, and is worth half a point."""

    test: str
    by: str
    at: datetime
    note: str


@dataclass(frozen=True, kw_only=True)
class ScoreResult:
    """What one test is worth, and why."""

    id: str
    section: Section
    title: str
    points: float
    means: Means
    sentence: str
    evidence: tuple[str, ...] = ()
    at: datetime | None = None
    claim: Claim | None = None
    earn: str = ""  #: what would earn more; empty where there is nothing more to earn


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """The results of all tests for one model."""

    model: str
    version: str  #: the one in use; empty: none
    tests: tuple[ScoreResult, ...]

    @property
    def sections(self) -> dict[str, float]:
        """The points of each section, from 0 to 7."""
        return {section.value: sum(one.points for one in self.tests if one.section is section) for section in Section}

    @property
    def score(self) -> float:
        """The smallest of them."""
        return min(self.sections.values())

    @property
    def interpretation(self) -> str:
        """What the score means."""
        return interpretation(self.score)

    @property
    def line(self) -> str:
        """The score in one line."""
        parts = ", ".join(f"{name} {number(points)}" for name, points in self.sections.items())
        return f"ML Test Score {number(self.score)} ({parts}): {self.interpretation}"

    def __repr__(self) -> str:
        return f"<Scorecard of {self.model}: {self.line}>"

    def _repr_html_(self) -> str:
        return card(
            f"ML Test Score of {self.model}: {number(self.score)}",
            [(f"{one.id} {one.title}", f"{one.means}: {one.sentence}") for one in self.tests],
        )


def interpretation(score: float) -> str:
    """What the paper's table says of a score, in words of our own.

    Examples
    --------
    >>> interpretation(0), interpretation(3)
    ('a research project rather than a production system', 'fairly well tested; more could be automated')
    """
    for bound, words in (
        (0, "a research project rather than a production system"),
        (1, "not untested, but holes in reliability may be serious"),
        (2, "a first pass at production, more work is needed"),
        (3, "fairly well tested; more could be automated"),
        (5, "well tested and monitored, fit for what is critical"),
    ):
        if score <= bound:
            return words
    return "exceptionally well tested and monitored"


def score_test(name: str) -> ScoreTest:
    """The test of an id.

    Raises
    ------
    NotFoundError
        There is none.
    """
    found = next((one for one in TESTS if one.id == name), None)
    if found is None:
        raise NotFoundError(f"there is no test {name!r}", hint=nearest(name, [one.id for one in TESTS]))
    return found


def judge_model(found: Evidence, claims: Sequence[Claim] = ()) -> Scorecard:
    """Hold the records of a model against all tests.

    Parameters
    ----------
    found
        The records.
    claims
        What people say is done by hand; the newest of a test counts, and only where the records show nothing.
    """
    return Scorecard(
        model=found.model, version=found.version, tests=tuple(_result(test, found, claims) for test in TESTS)
    )


def _result(test: ScoreTest, found: Evidence, claims: Sequence[Claim]) -> ScoreResult:
    seen = test.rule(found)
    claim = max((one for one in claims if one.test == test.id), key=lambda one: one.at, default=None)
    if seen.means is Means.NONE and claim is not None:
        note = f"Claimed by {claim.by}: {claim.note}"
        seen = replace(seen, means=Means.BY_HAND, sentence=note, evidence=(), at=claim.at)
    elif claim is not None:
        claim = None if seen.means is Means.AUTOMATED else claim
    names = {
        "test": test.id,
        "model": found.model,
        "deployment": found.deployments[0] if found.deployments else "DEPLOYMENT",
        "run": found.trained.id if found.trained else "RUN",
        "package": found.package[:12] or "PACKAGE",
    }
    return ScoreResult(
        id=test.id,
        section=test.section,
        title=test.title,
        points=seen.means.points,
        means=seen.means,
        sentence=seen.sentence,
        evidence=seen.evidence,
        at=seen.at,
        claim=claim,
        earn="" if seen.means is Means.AUTOMATED else _filled(test.earn, names),
    )


def _filled(command: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        command = command.replace(f"{{{name}}}", value)
    return command
