"""What the 28 tests look at: records of one model, typed; nothing here is a sentence to be read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from nbprod.domain.evaluation import Evaluation
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.package import ModelPackage
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.rollout import Rollout
from nbprod.domain.run import Run
from nbprod.domain.version import ModelVersion

__all__ = ["Evidence", "Finding", "JudgedVersion", "KeptRows", "Means", "SealedFacts", "SimplerModel"]


class Means(StrEnum):
    """How a test is done."""

    AUTOMATED = "automated"  #: by a system, again and again
    BY_HAND = "by hand"  #: by a person, with the result written down
    NONE = "none"

    @property
    def points(self) -> float:
        """What it is worth."""
        return {"automated": 1.0, "by hand": 0.5, "none": 0.0}[self.value]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the records say of one test."""

    means: Means
    sentence: str  #: what was found, or what is missing
    evidence: tuple[str, ...] = ()  #: ids of runs, rollouts and alerts, names of versions, digests
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SealedFacts:
    """What the champion's package says of itself."""

    inputs: tuple[str, ...]
    importance: Mapping[str, float | None] = field(default_factory=dict)  #: shares; ``None``: a single value
    compared_rows: int = 0  #: on which the compiled model was held against its pipeline
    compared_equal: bool = False


@dataclass(frozen=True, kw_only=True)
class SimplerModel:
    """The model that was kept beside a linear one, on the same held-back rows."""

    kept: str
    metric: str
    value: float
    simple: float
    higher_is_better: bool

    @property
    def is_better(self) -> bool:
        """Whether the simple one does at least as well."""
        return self.simple >= self.value if self.higher_is_better else self.simple <= self.value


@dataclass(frozen=True, kw_only=True)
class JudgedVersion:
    """One evaluation of the champion, with what it looked into."""

    evaluation: Evaluation
    at: datetime
    slices: int = 0  #: parts of the rows that were compared
    groups: tuple[str, ...] = ()  #: protected columns whose groups were compared


@dataclass(frozen=True, kw_only=True)
class KeptRows:
    """What the tables of the model's deployments hold."""

    predictions: int = 0
    health_days: int = 0  #: days on which servers counted
    parity_equal: float = 0.0  #: rows that servers asked both paths for
    parity_different: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything the rules may look at; lists have the newest first."""

    model: str
    deployments: tuple[str, ...] = ()  #: that use it
    champion: ModelVersion | None = None  #: the version in use, else the newest
    promotion: Event | None = None  #: by which it came into use
    versions: tuple[ModelVersion, ...] = ()
    packages: Mapping[str, ModelPackage] = field(default_factory=dict)
    sealed: SealedFacts | None = None
    trained: Run | None = None  #: the champion's training
    runs: tuple[Run, ...] = ()
    simpler: SimplerModel | None = None
    judged: tuple[JudgedVersion, ...] = ()  #: evaluations of the champion
    reports: tuple[MonitorReport, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    pipelines: tuple[PipelineRun, ...] = ()
    blessings: tuple[Event, ...] = ()  #: of the champion's package
    rollbacks: tuple[Event, ...] = ()  #: of the model's aliases
    erasures: tuple[Event, ...] = ()  #: of units, at its deployments
    retrainings: tuple[Event, ...] = ()  #: that were decided, at its deployments
    retrains: bool = False  #: whether a policy retrains it
    private: tuple[str, ...] = ()  #: columns that are never kept
    kept: KeptRows = field(default_factory=KeptRows)

    @property
    def version(self) -> str:
        """The champion, as people write it."""
        return self.champion.ref if self.champion else ""

    @property
    def package(self) -> str:
        """The champion's package."""
        return self.champion.package if self.champion else ""

    def run(self, run_id: str) -> Run | None:
        """A run by its id."""
        return next((one for one in self.runs if one.id == run_id), None)

    def means_of(self, run_id: str) -> Means:
        """Automated, where a schedule, a pipeline or an alert started the run; else a person did."""
        run = self.run(run_id)
        return Means.AUTOMATED if run is not None and run.caused_by else Means.BY_HAND
