"""From a frame as it was read to rows a model can be trained on, with a sentence for everything set aside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nbprod.datasets.windows import AUTO, between, check_frame, moments, only_moments
from nbprod.domain.markup import card
from nbprod.domain.plain import listed
from nbprod.errors import DataError, SettingsError
from nbprod.training.columns import FeatureKind, column_kinds, plain_frame
from nbprod.training.task import Task, check_target, task_of

__all__ = ["TrainingRows", "prepare"]

_SET_ASIDE = {
    FeatureKind.EMPTY: "holds no value",
    FeatureKind.IDENTIFIER: "has another word in nearly every row, like an identifier",
    FeatureKind.UNUSABLE: "holds values no model takes (lists, bytes or objects)",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRows:
    """Features and target of the same rows, in plain types, and what is known about them."""

    features: pd.DataFrame
    target: pd.Series[Any]
    task: Task
    kinds: Mapping[str, FeatureKind]  #: of the features
    times: pd.Series[Any] | None = None
    groups: pd.Series[Any] | None = None
    notes: tuple[str, ...] = ()  #: a sentence for everything that was set aside or is odd

    def __len__(self) -> int:
        return len(self.target)

    def __repr__(self) -> str:
        size = f"{len(self):,} rows x {self.features.shape[1]} columns"
        return f"<TrainingRows {size}, {self.task} of {self.target.name!r}>"

    def _repr_html_(self) -> str:
        kinds = [(kind, [n for n, k in self.kinds.items() if k is kind]) for kind in FeatureKind]
        return card(
            f"{self.task.capitalize()} of {self.target.name}",
            [
                ("rows", f"{len(self):,}"),
                *((f"{kind} columns", f"{len(names)}: {', '.join(names[:12])}") for kind, names in kinds if names),
                *(("note", note) for note in self.notes),
            ],
        )

    @property
    def labelled(self) -> pd.DataFrame:
        """The features with the target beside them."""
        return self.features.assign(**{str(self.target.name): self.target.to_numpy()})

    def rows(self, chosen: Any) -> TrainingRows:
        """The rows at these positions, in this order."""
        return TrainingRows(
            features=self.features.iloc[chosen],
            target=self.target.iloc[chosen],
            task=self.task,
            kinds=self.kinds,
            times=None if self.times is None else self.times.iloc[chosen],
            groups=None if self.groups is None else self.groups.iloc[chosen],
            notes=self.notes,
        )


def prepare(
    frame: pd.DataFrame,
    *,
    target: str,
    task: str = "auto",
    time: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
    start: Any = None,
    end: Any = None,
) -> TrainingRows:
    """Choose the rows and columns to train on.

    Columns without values, identifiers and things no model takes are set aside, the time and the group column too,
    and so are rows whose target is not known.

    Parameters
    ----------
    frame
        As it was read.
    target
        The column to predict.
    task
        ``auto``, ``classification`` or ``regression``.
    time
        The column that says when a row happened; the rows are put in its order. ``auto``: the only column of moments,
        if there is one.
    group
        The column whose rows belong together (a customer, a machine).
    drop
        Columns not to learn from.
    start, end
        Only rows from ``start`` on and before ``end``, in the time column.

    Raises
    ------
    DataError
        There are no rows or columns to learn from, or the target cannot be learned.
    SettingsError
        A column does not exist, or settings contradict each other.
    """
    _check_one(target, frame)
    notes: list[str] = []
    if time == AUTO:
        time = only_moments(frame, apart={target, *drop})
        if time:
            notes.append(f"{time} is taken as the time of each row.")
    named = [target, *([time] if time else []), *([group] if group else []), *drop]
    check_frame(frame, named, time=time, windowed=start is not None or end is not None)
    _check_roles(target=target, time=time, group=group, drop=drop)
    if time:
        frame = between(frame, time, start, end)
        frame = frame.loc[moments(frame[time]).sort_values(kind="stable").index]
    truth = plain_frame(frame[[target]])[target]
    known = truth.notna()
    if not known.all():
        notes.append(f"{int((~known).sum()):,} rows have no {target} and are left out.")
        frame, truth = frame[known], truth[known]
    task_ = task_of(task, truth)
    check_target(truth, task_)
    features = frame.drop(columns=list({*named}))
    kinds = column_kinds(features)
    notes += [f"{name} {_SET_ASIDE[kind]}; it is set aside." for name, kind in kinds.items() if kind in _SET_ASIDE]
    used = [name for name in features.columns if kinds[str(name)] not in _SET_ASIDE]
    if not used:
        raise DataError(
            "no column is left to learn from", hint="Everything but the target is empty, dropped or an identifier."
        )
    plain = plain_frame(frame[used])
    still = [name for name in used if _is_constant(plain[name])]
    if still:
        verb, them = ("changes", "it") if len(still) == 1 else ("change", "them")
        notes.append(f"{listed(still)} never {verb} in these rows, so the model learns nothing from {them}.")
    return TrainingRows(
        features=plain.reset_index(drop=True),
        target=_plain_target(truth, task_).reset_index(drop=True),
        task=task_,
        kinds={str(name): kinds[str(name)] for name in used},
        times=moments(frame[time]).reset_index(drop=True) if time else None,
        groups=frame[group].reset_index(drop=True) if group else None,
        notes=tuple(notes),
    )


def _check_roles(*, target: str, time: str | None, group: str | None, drop: Sequence[str]) -> None:
    roles = {"target": target, "time column": time, "group column": group}
    for role, name in roles.items():
        if name and name in drop:
            raise SettingsError(f"{name!r} is the {role} and is to be dropped", hint="Take it out of drop.")
    for role in ("time column", "group column"):
        if roles[role] == target:
            raise SettingsError(f"{target!r} is both the target and the {role}", hint="Name another column.")


def _plain_target(target: pd.Series[Any], task: Task) -> pd.Series[Any]:
    if task == "regression":
        return target.astype("float64")
    numbers = pd.api.types.is_float_dtype(target.dtype)
    return target.astype("int64") if numbers and (target % 1 == 0).all() else target


def _is_constant(column: pd.Series[Any]) -> bool:
    first = column.iloc[0]
    return bool(column.isna().all() if pd.isna(first) else (column == first).all())


def _check_one(target: Any, frame: pd.DataFrame) -> None:
    """Refuse several targets at once, in words: also a list that was given as text."""
    if isinstance(target, str) and target in frame:
        return
    given = re.findall(r"[^\[\]'\",]+", target) if isinstance(target, str) else list(target)
    named = [name for name in (str(each).strip() for each in given) if name]
    if len(named) > 1 and all(name in frame for name in named):
        raise DataError(
            f"target names {len(named)} columns ({', '.join(named)}); a model that is kept predicts one",
            hint="Run the template once for each: nbprod sweep train -p target=" + ",".join(named),
        )
