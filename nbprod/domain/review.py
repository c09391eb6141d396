"""Which predictions people look at: the rules, the chance each prediction had, and who holds which one now.

The chance is a function of what was answered and of the rules, and is kept with the prediction; whether a prediction
is sent is a function of its id and that chance. So nothing is drawn, nothing has to be remembered, and whoever looks
again, in whatever process, finds the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbprod.domain.conditions import Condition
from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.domain.schema import Schema
from nbprod.errors import SettingsError

__all__ = [
    "Chooser",
    "ReviewClaim",
    "ReviewForm",
    "ReviewItem",
    "ReviewPolicy",
    "SentPrediction",
    "check_reviewer",
    "fraction_of",
    "is_doubled",
    "is_sent",
    "margin_of",
]

#: Of predictions no other rule sends: without some of them nothing can be said about those that look certain.
AUDITED = 0.01
FORMS = ("uncertain:SHARE", "random:SHARE", "disagreement", "rule:CONDITION", "double:SHARE")
LONGEST_NAME = 128  # characters of a reviewer
HINT = "For instance: uncertain:0.1, random:0.01, disagreement, rule:amount > 1000, double:0.2."


def fraction_of(prediction_id: str, purpose: str) -> float:
    """A number from 0 (included) to 1 (excluded) that an id always has, another one for each purpose."""
    digest = hashlib.blake2b(prediction_id.encode(), digest_size=7, person=purpose.encode()).digest()
    return int.from_bytes(digest) / 2**56


def is_sent(prediction_id: str, chance: float) -> bool:
    """Whether people are to look at a prediction that had a chance from 0 to 1 of it."""
    return chance >= 1 or fraction_of(prediction_id, "sent") < chance


def is_doubled(prediction_id: str, share: float) -> bool:
    """Whether two people are to look at it."""
    return share > 0 and fraction_of(prediction_id, "double") < share


def margin_of(probabilities: Sequence[float]) -> float:
    """How far the most probable class is ahead of the next, from 0 to 1; of two classes one probability is enough.

    Margin sampling: Scheffer, Decomain and Wrobel 2001, *Active Hidden Markov Models for Information Extraction*.
    """
    if len(probabilities) == 1:
        return abs(2 * probabilities[0] - 1)
    first, second = sorted(probabilities)[-2:][::-1]
    return first - second


def check_reviewer(name: Any) -> str:
    """A reviewer's name without space around it.

    Raises
    ------
    SettingsError
        It is empty, too long, or holds characters that cannot be seen.
    """
    text = name.strip() if isinstance(name, str) else ""
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise SettingsError("a reviewer needs a name", hint=f"1 to {LONGEST_NAME} characters that can be seen.")
    return text


@dataclass(frozen=True, kw_only=True)
class ReviewPolicy:
    """What a deployment sends to people: ``uncertain:0.1, rule:amount > 1000, double:0.2``.

    Rules other than ``random`` send all predictions they name; the rest is sent with the chance ``random``, 0.01 if
    the rules do not say it. ``random:0`` sends none of the rest, and then no performance can be told of it.
    """

    uncertain: float = 0.0  #: the share of the reference that is least certain; what is as uncertain is sent
    random: float = AUDITED  #: the chance of every other prediction, from 0 to 1
    disagreement: bool = False  #: those for which a shadow gave another answer
    rules: tuple[Condition, ...] = ()  #: those of whose inputs one of these holds
    double: float = 0.0  #: the share of what is sent that two people answer, each without the other

    @classmethod
    def parse(cls, text: str) -> ReviewPolicy | None:
        """Read rules; ``None`` for an empty text: nothing is sent.

        Raises
        ------
        SettingsError
            A rule is unknown, said twice, or has a share outside of 0 to 1.
        """
        if not text.strip():
            return None
        shares: dict[str, float] = {}
        rules: list[Condition] = []
        disagreement = False
        for part in _parts(text):
            name, _, content = part.partition(":")
            match name.strip():
                case "rule":
                    rules.append(Condition.parse(content))
                case "disagreement" if not content and not disagreement:
                    disagreement = True
                case "uncertain" | "random" | "double" as known if known not in shares:
                    shares[known] = _share(content, part)
                case other:
                    raise SettingsError(
                        f"{part.strip()!r} is no rule for review, or is said twice",
                        hint=f"{nearest(other, FORMS)} {HINT}",
                    )
        if set(shares) <= {"double"} and not rules and not disagreement:
            raise SettingsError(f"{text!r} sends nothing to review", hint=HINT)
        return cls(**shares, disagreement=disagreement, rules=tuple(rules))

    def check(self, schema: Schema | None, private: Sequence[str]) -> None:
        """Refuse what can never be found out of a model's predictions.

        Parameters
        ----------
        schema
            Of the model; ``None`` where it is served elsewhere.
        private
            Columns that are never kept.

        Raises
        ------
        SettingsError
            The model gives no probabilities to be uncertain by, or a rule reads a column the model does not take or
            that is private, or compares it with a value of another kind.
        """
        if self.disagreement and (schema is None or schema.task == "regression"):
            raise SettingsError(
                "disagreement needs a classifier that nbprod serves: two numbers are never quite the same",
                hint="Send by random:0.01 or by a rule on inputs.",
            )
        if self.uncertain and (schema is None or not schema.probabilistic):
            what = "a model that is served elsewhere has no reference here"
            if schema is not None:
                what = (
                    "a regression gives no probabilities" if schema.task == "regression" else "this model gives none"
                )
            raise SettingsError(
                f"uncertain:{self.uncertain:g} needs probabilities of classes and a sealed reference: {what}",
                hint="Send by random:0.01, by disagreement with a shadow, or by a rule on inputs.",
            )
        for rule in self.rules:
            for one in rule.meaning.comparisons:
                if one.column in private:
                    raise SettingsError(
                        f"rule:{rule} reads {one.column}, which is private", hint="Use another column."
                    )
                if schema is None:
                    continue
                if one.column not in schema.names:
                    raise SettingsError(
                        f"rule:{rule} reads {one.column}, which the model does not take",
                        hint=nearest(one.column, schema.names),
                    )
                numeric = isinstance(one.value, int | float) and not isinstance(one.value, bool)
                if one.sign in {"<", "<=", ">", ">="} and numeric is not schema.column(one.column).is_numeric:
                    raise SettingsError(
                        f"rule:{rule} compares {one.column}, {schema.column(one.column).kind}, with {one.value!r}",
                        hint="Numbers are compared with numbers, texts with texts in quotes.",
                    )


@dataclass(frozen=True, kw_only=True)
class Chooser:
    """What gives predictions of one version their chance of being looked at."""

    policy: ReviewPolicy
    probabilities: tuple[str, ...] = ()  #: the outputs that hold them
    least_margin: float | None = None  #: predictions with a smaller margin are uncertain
    tie_chance: float = 1.0  #: of predictions with just this margin: models of few trees give many of them

    def chances(self, outputs: Mapping[str, Sequence[Any]], inputs: Mapping[str, Sequence[Any]]) -> list[float]:
        """The chance of each row, from 0 to 1.

        Parameters
        ----------
        outputs
            ``prediction`` and probabilities, column by column.
        inputs
            What the model saw, column by column.
        """
        count = len(outputs["prediction"])
        chosen = [self.policy.random] * count
        known = [outputs[name] for name in self.probabilities if name in outputs]
        if self.least_margin is not None and known:
            for place, row in enumerate(zip(*known, strict=True)):
                if None not in row and (margin := margin_of(row)) <= self.least_margin:
                    chosen[place] = 1.0 if margin < self.least_margin else max(self.tie_chance, chosen[place])
        for rule in self.policy.rules:
            columns = {name: inputs[name] for name in rule.columns if name in inputs}
            for place in range(count):
                if rule.holds({name: values[place] for name, values in columns.items()}):
                    chosen[place] = 1.0
        return chosen


@dataclass(frozen=True, kw_only=True)
class ReviewForm:
    """What a reviewer may answer."""

    target: str  #: what is asked, as the model's target is called
    task: str  #: ``classification`` or ``regression``
    classes: tuple[Any, ...] = ()  #: in the model's order; empty: any number, or any text

    def read(self, value: Any) -> Any:
        """An answer in the type of the model's target; texts are read as people and spreadsheets write them.

        Raises
        ------
        SettingsError
            It is none of the classes, or no number.
        """
        if self.classes:
            for known in self.classes:
                if known == value and isinstance(known, bool) == isinstance(value, bool):
                    return known
            text = str(value).strip()
            for known in self.classes:
                if text == str(known) or (isinstance(known, bool) and text.casefold() == str(known).casefold()):
                    return known
            if self.classes and all(isinstance(known, int | float) for known in self.classes):
                number = _number(text)
                found = [known for known in self.classes if not isinstance(known, bool) and known == number]
                if found:
                    return found[0]
            allowed = ", ".join(str(known) for known in self.classes[:20])
            raise SettingsError("an answer is none of the classes", hint=f"One of {allowed}.")
        if self.task == "classification":
            if not isinstance(value, str | int | float) or not str(value).strip():
                raise SettingsError("an answer is no class", hint="Give a text or a number.")
            return value
        number = None if isinstance(value, bool) else _number(str(value))
        if number is None:
            raise SettingsError("an answer is no number", hint=f"Give {self.target} as a number.")
        return number


@dataclass(frozen=True, kw_only=True)
class ReviewItem:
    """A prediction somebody is to look at. What the model said is not told, so that it does not lead."""

    prediction_id: str
    at: datetime
    inputs: Mapping[str, Any]  #: without private ones
    version: str | None = None
    wanted: int = 1  #: how many people are to answer
    answers: int = 0  #: how many have
    held_by: tuple[str, ...] = ()  #: who was given it and has not answered yet

    def __repr__(self) -> str:
        return f"<ReviewItem {self.prediction_id}, {self.answers} of {self.wanted} answers>"

    def _repr_html_(self) -> str:
        return card(
            f"To be reviewed: {self.prediction_id}", [("when", f"{self.at:%Y-%m-%d %H:%M}"), *self.inputs.items()]
        )


@dataclass(frozen=True, kw_only=True)
class SentPrediction:
    """A prediction that waits for an answer."""

    prediction_id: str
    wanted: int  #: how many people are to answer
    reviewers: tuple[str, ...]  #: who have


@dataclass(frozen=True, kw_only=True)
class ReviewClaim:
    """A prediction somebody holds for a while, so that nobody else is given it."""

    deployment: str
    prediction_id: str
    place: int  #: 1, and 2 where two people are to look
    reviewer: str
    claimed_at: datetime
    until: datetime

    def __repr__(self) -> str:
        return f"<ReviewClaim of {self.prediction_id} by {self.reviewer} until {self.until:%Y-%m-%d %H:%M:%S}>"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _parts(text: str) -> list[str]:
    """Rules between commas, but not between those inside quotes or brackets of a condition."""
    parts = re.findall(r"(?:[^,\"'\[\](){}]|\"[^\"]*\"|'[^']*'|\[[^\]]*\]|\([^)]*\)|\{[^}]*\})+", text)
    if sum(map(len, parts)) + text.count(",") < len(text):
        raise SettingsError(f"{text!r}: a quote or bracket is not closed", hint=HINT)
    return [part for part in (part.strip() for part in parts) if part]


def _share(content: str, part: str) -> float:
    try:
        share = float(content)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingsError(f"{part.strip()!r} has no share", hint="A number from 0 to 1: 0.1 is a tenth.")
    return share
