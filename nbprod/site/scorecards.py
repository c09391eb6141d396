"""The score cards of a workspace: computed from its records, with what people claim beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbprod.disk import write_file
from nbprod.domain.scorecard import Claim, Evidence, Scorecard, judge_model
from nbprod.domain.scorecard.card import score_test
from nbprod.domain.version import RegisteredModel
from nbprod.errors import NotFoundError, SettingsError
from nbprod.pages.layout import render
from nbprod.store import Store

__all__ = ["Scorecards"]

CLAIMED, WITHDRAWN = "scorecard.claimed", "scorecard.withdrawn"


class Scorecards:
    """The ML Test Score of models; reached as ``ws.scorecards``.

    Parameters
    ----------
    store
        The ledger, which keeps claims as events.
    collect
        Reads the evidence of a model.
    """

    def __init__(self, store: Store, collect: Callable[[str], Evidence]) -> None:
        self._store = store
        self._collect = collect

    def get(self, model: str) -> Scorecard:
        """The 28 tests of a model as its records are now.

        Raises
        ------
        NotFoundError
            There is no such model.
        """
        return judge_model(self._collect(model), self.claims(model))

    def list(self) -> list[Scorecard]:
        """The score cards of all models, by name."""
        with self._store.read() as session:
            names = sorted(one.name for one in session.list(RegisteredModel, limit=None))
        return [self.get(name) for name in names]

    def claims(self, model: str) -> tuple[Claim, ...]:
        """What is claimed of a model and was not withdrawn, the newest first."""
        with self._store.read() as session:
            events = session.events(model, [CLAIMED, WITHDRAWN], limit=None)
        standing: dict[str, Claim] = {}
        for event in reversed(events):
            test = event.data["test"]
            standing.pop(test, None)
            if event.kind == CLAIMED:
                standing[test] = Claim(test=test, by=event.actor, at=event.at, note=event.reason)
        return tuple(sorted(standing.values(), key=lambda one: one.at, reverse=True))

    def claim(self, test: str, model: str, *, note: str) -> Claim:
        """Say that a test is done by hand; half a point, until it is withdrawn.

        Parameters
        ----------
        test
            ``data-3``, say.
        model
            Of which model.
        note
            What was done, and where the result is written down.

        Raises
        ------
        NotFoundError
            There is no such test or model.
        SettingsError
            The note is empty.
        """
        self._say(CLAIMED, test, model, note)
        return self.claims(model)[0]

    def withdraw(self, test: str, model: str, *, note: str) -> None:
        """Take a claim back.

        Raises
        ------
        NotFoundError
            It is not claimed.
        """
        if test not in {one.test for one in self.claims(model)}:
            raise NotFoundError(f"{test} is not claimed for {model}", hint=f"nbprod scorecard {model} shows claims.")
        self._say(WITHDRAWN, test, model, note)

    def report(self, path: Path | str, model: str | None = None) -> Path:
        """Write an HTML report of a model, or of all."""
        cards = [self.get(model)] if model else self.list()
        title = f"ML Test Score of {model}" if model else "ML Test Score"
        page = render("scorecard_report.html.j2", title=title, nav=[], cards=cards)
        return write_file(Path(path).expanduser(), page)

    def _say(self, kind: str, test: str, model: str, note: str) -> None:
        known = score_test(test)
        if not note.strip():
            raise SettingsError(f"{kind.partition('.')[2]} without a note", hint="Say what was done: --note TEXT.")
        with self._store.write() as session:
            session.get(RegisteredModel, model)
            session.event(kind, model, reason=note.strip(), data={"test": known.id})

    def __repr__(self) -> str:
        return f"<Scorecards of {self._store!r}>"
