"""The service over reviews: what is open, who gets which, what they answer, in a file, over HTTP or in a panel."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from nbprod.clock import now
from nbprod.domain.deployment import Deployment
from nbprod.domain.duration import parse_duration
from nbprod.domain.prediction import OutcomesAdded
from nbprod.domain.review import ReviewForm, ReviewItem, ReviewPolicy, SentPrediction, check_reviewer, is_sent
from nbprod.domain.version import ModelVersion
from nbprod.errors import ConflictError, NotFoundError, RefusedError
from nbprod.lake import Lake
from nbprod.packages.margins import schema_of
from nbprod.review.claiming import claim, live_claims
from nbprod.store import Store

if TYPE_CHECKING:
    from nbprod.review.report import ReviewReport

__all__ = ["Reviews"]

HOLD = "30m"  #: how long a prediction is a reviewer's
HOLD_FILE = "7d"  #: and those in a file
ATTEMPTS = 5
MOST_CLASSES = 50


class Reviews:
    """What people are to look at in one workspace, as `ws.review`.

    Parameters
    ----------
    store
        The ledger: who holds what.
    lake
        Predictions with the chance they had, and answers as outcomes.
    resolve
        Finds the version a reference names now: ``Models.resolve``.
    folder
        The folder of a package by its digest.
    panel
        What makes the panel of a deployment, by name: a face, which is found when it is asked for.
    """

    def __init__(
        self,
        store: Store,
        lake: Lake,
        *,
        resolve: Callable[[str], ModelVersion],
        folder: Callable[[str], Path],
        panel: str,
    ) -> None:
        self._store = store
        self._lake = lake
        self._resolve = resolve
        self._folder = folder
        self._panel = panel

    def __call__(self, deployment: str, *, reviewer: str | None = None) -> Any:
        """The panel of a deployment's queue; see :meth:`panel`."""
        return self.panel(deployment, reviewer=reviewer)

    def panel(self, deployment: str, *, reviewer: str | None = None) -> Any:
        """Show what is open in a notebook, one prediction after the other, with a form from the model's schema.

        Parameters
        ----------
        deployment
            Its name.
        reviewer
            Who answers, if not the store's actor.
        """
        return resolve_name(self._panel)(self, deployment, reviewer=reviewer or self._store.actor)

    def form(self, deployment: str) -> ReviewForm:
        """What may be answered about a deployment's predictions."""
        found = self._deployment(deployment)
        if found.model is not None:
            schema = schema_of(str(self._folder(self._resolve(found.model).package)))
            return ReviewForm(target=schema.target, task=schema.task, classes=schema.classes)
        form = ReviewForm(target=found.target or "outcome", task=found.task or "classification")
        if form.task == "regression":
            return form
        given = self._lake.window(deployment).to_table(["prediction"])["prediction"].unique().to_pylist()
        classes = sorted({one for one in given if one is not None}, key=str)
        return replace(form, classes=tuple(classes)) if 1 < len(classes) <= MOST_CLASSES else form

    def list(
        self, deployment: str, *, limit: int | None = 50, since: datetime | str | None = None
    ) -> builtins.list[ReviewItem]:
        """What is open, in the order it is handed out, and who holds it.

        Parameters
        ----------
        deployment
            Its name.
        limit
            At most this many; ``None``: all.
        since
            Leave out predictions made before this moment, or longer ago than this: ``30d``.
        """
        queue = self._open(deployment, since)[:limit]
        with self._store.read() as session:
            claims = live_claims(session, deployment, now())
        holders: dict[str, builtins.list[str]] = {}
        for one in claims:
            holders.setdefault(one.prediction_id, []).append(one.reviewer)
        return self._items(deployment, queue, holders)

    def count(self, deployment: str, *, since: datetime | str | None = None) -> int:
        """How many predictions wait for an answer."""
        return len(self._open(deployment, since))

    def next(
        self,
        deployment: str,
        *,
        reviewer: str | None = None,
        limit: int | None = 1,
        hold: timedelta | str = HOLD,
        skip: Collection[str] = (),
        since: datetime | str | None = None,
    ) -> builtins.list[ReviewItem]:
        """Take predictions to look at; nobody else is given them until the time is over.

        Those the reviewer holds already come first, so asking again gives the same.

        Parameters
        ----------
        deployment
            Its name.
        reviewer
            Who looks, if not the store's actor.
        limit
            How many at most; ``None``: all.
        hold
            For how long they are the reviewer's.
        skip
            Predictions the reviewer does not want now.
        since
            As in :meth:`list`.

        Raises
        ------
        SettingsError
            The reviewer has no name that can be used.
        """
        who = check_reviewer(reviewer or self._store.actor)
        queue = self._open(deployment, since)
        length = parse_duration(hold) if isinstance(hold, str) else hold
        for attempt in range(ATTEMPTS):
            try:
                with self._store.write() as session:
                    at = now()
                    taken = claim(session, deployment, queue, who, at=at, hold=length, limit=limit, skip=skip)
                return self._items(deployment, taken, {})
            except ConflictError:  # somebody took one of them at the same moment
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    def answer(self, deployment: str, answers: Mapping[str, Any], *, reviewer: str | None = None) -> OutcomesAdded:
        """Keep what a reviewer says: outcomes, with who and when; they are on the disk when this returns.

        The same answer again adds nothing; another one counts from now on.

        Parameters
        ----------
        deployment
            Its name.
        answers
            By prediction id the truth: one of the model's classes, or a number.
        reviewer
            Who says so, if not the store's actor.

        Raises
        ------
        SettingsError
            An answer is none of the classes, or no number; nothing was kept.
        NotFoundError
            There is no such prediction; nothing was kept.
        RefusedError
            A prediction was not sent to review; nothing was kept.
        """
        from nbprod.review.queue import reviews_by_prediction  # delayed: pyarrow

        who = check_reviewer(reviewer or self._store.actor)
        form = self.form(deployment)
        read = {name: form.read(value) for name, value in answers.items()}
        self._check_sent(deployment, [*read])
        said = reviews_by_prediction(self._lake, deployment)
        new = {name: value for name, value in read.items() if said.get(name, {}).get(who) != value}
        if not new:
            return OutcomesAdded(deployment=deployment, added=0, matched=0, unknown=0, is_replay=bool(read))
        rows = {
            "prediction_id": [*new],
            "outcome": [*new.values()],
            "at": [now()] * len(new),
            "reviewer": [who] * len(new),
        }
        added = self._lake.outcomes(deployment).append(rows)
        with self._store.write() as session:
            session.event("review.answered", deployment, data={"added": added.added, "reviewer": who}, actor=who)
        return added

    def export(
        self,
        deployment: str,
        path: Path | str,
        *,
        reviewer: str | None = None,
        limit: int | None = None,
        hold: timedelta | str = HOLD_FILE,
        since: datetime | str | None = None,
    ) -> int:
        """Write what is open to a file with an empty column ``outcome``; the rows are the reviewer's for a while.

        Parameters
        ----------
        deployment
            Its name.
        path
            Ends in ``.csv`` or ``.parquet``.
        reviewer, limit, hold, since
            As in :meth:`next`.

        Returns
        -------
        int
            How many rows.

        Raises
        ------
        SettingsError
            The file's kind is another one.
        """
        from nbprod.review.files import check_kind, write_items  # delayed: pyarrow

        check_kind(Path(path))
        items = self.next(deployment, reviewer=reviewer, limit=limit, hold=hold, since=since)
        write_items(items, Path(path), check_reviewer(reviewer or self._store.actor))
        return len(items)

    def take_in(self, deployment: str, path: Path | str, *, reviewer: str | None = None) -> OutcomesAdded:
        """Read a file of answers: ``prediction_id``, ``outcome`` and perhaps ``reviewer``; empty ones are left out.

        Parameters
        ----------
        deployment
            Its name.
        path
            CSV or Parquet, as :meth:`export` wrote it.
        reviewer
            Who answered, where the file does not say it.

        Raises
        ------
        SchemaError
            A column is missing; nothing was kept.
        SettingsError, NotFoundError, RefusedError
            As :meth:`answer`; nothing was kept.
        """
        from nbprod.review.files import read_answers  # delayed: pyarrow

        given, blank = read_answers(path, reviewer or self._store.actor)
        form = self.form(deployment)
        for answers in given.values():  # all are looked at before any is kept
            for value in answers.values():
                form.read(value)
        self._check_sent(deployment, [name for answers in given.values() for name in answers])
        kept = [self.answer(deployment, answers, reviewer=who) for who, answers in given.items()]
        return OutcomesAdded(
            deployment=deployment,
            added=sum(one.added for one in kept),
            matched=sum(one.matched for one in kept),
            unknown=0,
            blank=blank,
            is_replay=bool(kept) and all(one.is_replay for one in kept),
        )

    def report(
        self, deployment: str, start: datetime | None = None, end: datetime | None = None, *, seed: int = 0
    ) -> ReviewReport:
        """How reviewers agree with the model and with each other, and how good the model is on all predictions.

        Parameters
        ----------
        deployment
            Its name.
        start, end
            Of the predictions, aware moments; by default all.
        seed
            Of resampling; the same gives the same.
        """
        from nbprod.review.report import review_report  # delayed: pandas and scipy

        found = self._deployment(deployment)
        policy = ReviewPolicy.parse(found.review)
        waiting = len(self._open(deployment, start, end))
        return review_report(self._lake, deployment, self.form(deployment), policy, waiting, start, end, seed=seed)

    def _deployment(self, name: str) -> Deployment:
        with self._store.read() as session:
            return session.get(Deployment, name)

    def _open(
        self, deployment: str, since: datetime | str | None, end: datetime | None = None
    ) -> builtins.list[SentPrediction]:
        from nbprod.review.queue import open_predictions  # delayed: pyarrow

        policy = ReviewPolicy.parse(self._deployment(deployment).review)
        start = now() - parse_duration(since) if isinstance(since, str) else since
        return open_predictions(self._lake, deployment, policy, start, end)

    def _items(
        self, deployment: str, queue: Sequence[SentPrediction], holders: Mapping[str, Sequence[str]]
    ) -> builtins.list[ReviewItem]:
        from nbprod.review.queue import rows_of  # delayed: pyarrow

        rows = rows_of(self._lake, deployment, [one.prediction_id for one in queue])
        return [
            ReviewItem(
                prediction_id=one.prediction_id,
                at=rows[one.prediction_id]["at"],
                inputs=rows[one.prediction_id]["inputs"],
                version=rows[one.prediction_id].get("version"),
                wanted=one.wanted,
                answers=len(one.reviewers),
                held_by=tuple(who for who in holders.get(one.prediction_id, ()) if who not in one.reviewers),
            )
            for one in queue
            if one.prediction_id in rows
        ]

    def _check_sent(self, deployment: str, ids: Sequence[str]) -> None:
        chances = self._lake.predictions(deployment).review_chances(ids)
        if unknown := [name for name in ids if name not in chances]:
            raise NotFoundError(
                f"{deployment} has no prediction {unknown[0]}",
                hint="Give the ids that nbprod review list shows; nothing was kept.",
            )
        others = [name for name in ids if (chance := chances[name]) is None or not is_sent(name, chance)]
        if others:
            from nbprod.lake.disagreement import disagreements  # delayed: pyarrow

            differing = disagreements(self._lake, deployment)
            if wrong := [name for name in others if name not in differing]:
                raise RefusedError(
                    f"{wrong[0]} was not sent to review, so its answer would count for others that are not like it",
                    hint=f"Tell it as an outcome: nbprod outcomes add {deployment} FILE; nothing was kept.",
                )

    def __repr__(self) -> str:
        return f"<Reviews of {self._store!r}>"
