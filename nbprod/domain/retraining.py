"""What an alert leads to: a policy of ``[retraining.NAME]``, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nbprod.domain.alert import Alert
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.markup import card
from nbprod.domain.monitor import parse_duration
from nbprod.domain.names import check_name
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError

__all__ = ["Autonomy", "RetrainingOutcome", "RetrainingPolicy"]

PARAMETERS = 'train = { data = "…", target = "…" }'
CHECKS = ("drift", "performance", "prediction", "quality")


class Autonomy(StrEnum):
    """How far a policy goes without a person."""

    ADVISE = "advise"  #: train, evaluate, register; a person approves and promotes
    GUARD = "guard"  #: passed gates approve; a person promotes
    AUTO = "auto"  #: passed gates approve and promote; with ``rollout``, what a rollout finds promotes


@dataclass(frozen=True, kw_only=True)
class RetrainingPolicy:
    """When a deployment's alerts lead to a new candidate, and how the candidate is made and judged."""

    deployment: str
    model: str  #: the registered model that gets the new version
    on: tuple[str, ...] = ("performance", "drift")  #: the checks that ask for it; ``drift:age``: of one subject only
    holdout: str = "14d"  #: the newest rows: kept from training, and what the gates look at
    cooldown: str = "1d"  #: not again before this long after the last one
    alias: str = "champion"
    autonomy: Autonomy = Autonomy.ADVISE
    rollout: bool = False  #: an approved candidate meets traffic as ``[rollouts.NAME]`` says, instead of at once
    train: Mapping[str, Any] = field(default_factory=dict)  #: parameters of the train template
    evaluate: Mapping[str, Any] = field(default_factory=dict)  #: parameters of the evaluate template

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> RetrainingPolicy:
        """Read a table of ``nbprod.toml``.

        Raises
        ------
        SettingsError
            A key is unknown, or a value cannot be used.
        """
        table = SettingsTable(f"[retraining.{name}]", content)
        table.refuse_unknown(set(cls.__dataclass_fields__) - {"deployment"})
        on = content.get("on", list(cls.on))
        if not isinstance(on, list) or not on or {str(check).partition(":")[0] for check in on} - set(CHECKS):
            raise table.error("on", f"Some of {', '.join(CHECKS)}.")
        for key in ("holdout", "cooldown"):
            parse_duration(str(content.get(key, getattr(cls, key))))
        train = table.table("train", PARAMETERS)
        if "data" not in train:
            raise SettingsError(f"[retraining.{name}] names no data", hint=PARAMETERS)
        if not isinstance(rollout := content.get("rollout", cls.rollout), bool):
            raise table.error("rollout", "true or false; the plan is that of [rollouts.NAME].")
        return cls(
            deployment=check_name(name, "deployment"),
            model=check_name(content.get("model", name), "model"),
            on=tuple(on),
            holdout=content.get("holdout", cls.holdout),
            cooldown=content.get("cooldown", cls.cooldown),
            alias=check_name(content.get("alias", cls.alias), "alias"),
            autonomy=table.choice("autonomy", cls.autonomy),
            rollout=rollout,
            train=train,
            evaluate=table.table("evaluate", PARAMETERS),
        )

    def asks(self, check: str, subject: str) -> bool:
        """Whether an alert of this check and subject asks for a retraining.

        Examples
        --------
        >>> policy = RetrainingPolicy(deployment="churn", model="churn", on=("drift:age",))
        >>> policy.asks("drift", "age"), policy.asks("drift", "income")
        (True, False)
        """
        return check in self.on or f"{check}:{subject}" in self.on

    def is_asked_by(self, alert: Alert) -> bool:
        """Whether a part of an alert asks for a retraining.

        Only what was found when the alert was seen last counts: a part that was left in doubt since asks for nothing.
        """
        return any(self.asks(*part.key) for part in alert.standing if part.run_id == alert.run_id)


@dataclass(frozen=True, kw_only=True)
class RetrainingOutcome:
    """What came of one retraining."""

    deployment: str
    because: str  #: the alert's id, or a reason in words
    train_run: str
    evaluate_run: str
    candidate: str  #: ``electricity/2``
    champion: str | None  #: what it was compared with
    outcome: CheckOutcome  #: of the gates
    checks: tuple[CheckResult, ...]
    promoted: bool
    sentence: str
    rollout: str | None = None  #: the id of the rollout that was started

    def __repr__(self) -> str:
        return f"<RetrainingOutcome {self.candidate} gates {self.outcome}{', promoted' if self.promoted else ''}>"

    def _repr_html_(self) -> str:
        return card(
            f"Retraining of {self.deployment}",
            [
                ("because", self.because),
                ("candidate", self.candidate),
                ("compared with", self.champion or "nothing: no champion yet"),
                ("gates", self.outcome),
                ("rollout", self.rollout),
                *((check.name, check.sentence) for check in self.checks),
                ("so", self.sentence),
            ],
        )
