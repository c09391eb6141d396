"""The live panel of a deployment's rollout: where it stands, and buttons that make the calls of Python."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, Dropdown, HBox, Text, VBox

from nbprod import clock
from nbprod.domain.rollout import Rollout, RolloutStatus
from nbprod.domain.rollout_plan import Automation, plan_text
from nbprod.errors import NbprodError, NotFoundError
from nbprod.pages.evidence import evidence_groups
from nbprod.pages.rollout_words import moves_of
from nbprod.panels.rollout_html import RolloutStanding, draw
from nbprod.settings import actor
from nbprod.visible import escape

if TYPE_CHECKING:
    from nbprod.rollouts import Rollouts

__all__ = ["RolloutPanel"]

POLL_S = 2.0
#: By button the call, and when it can be made.
MOVES: dict[str, tuple[str, Callable[[Rollout], bool]]] = {
    "Pause": ("pause", lambda one: one.status is RolloutStatus.RUNNING),
    "Resume": ("resume", lambda one: one.status is RolloutStatus.PAUSED),
    "Advance": ("advance", lambda one: one.is_open and one.step + 1 < len(one.steps)),
    "Promote": ("promote", lambda one: one.is_open),
    "Roll back": ("roll_back", lambda one: one.is_open or one.keeps_previous_at(clock.now())),
    "Abort": ("abort", lambda one: one.is_open),
}


class RolloutPanel(VBox):
    """Shows the newest rollout of a deployment, whoever moves it, and moves it or starts one.

    Every button makes one call of `Rollouts` with who and why, and shows it to copy. A thread of its own looks at the
    ledger; saved with the notebook is plain HTML of the same content, for readers without a kernel.

    Parameters
    ----------
    rollouts
        The service.
    deployment
        Its name.
    candidates
        Gives the versions that could be rolled out now.
    course
        By the id of an analysis' run, the evidence over time that it recorded.
    poll_s
        Between two looks.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        deployment: str,
        *,
        candidates: Callable[[], Sequence[str]],
        course: Callable[[str], Any],
        poll_s: float = POLL_S,
    ) -> None:
        self.closing = threading.Event()  # first of all: close() is called also when the rest is refused
        self.rollouts, self.deployment = rollouts, deployment
        self.poll_s, self._candidates, self._course = poll_s, candidates, course
        self._shown: Any = None
        self.body, self.said = HTML(), HTML()
        self.who = Text(description="Who", value=actor())
        self.note = Text(description="Why", placeholder="kept with the decision; needed")
        self.buttons = {label: Button(description=label) for label in (*MOVES, "Analyse")}
        for label, button in self.buttons.items():
            button.on_click(lambda _, label=label: self.act(label))
        self.version = Dropdown(description="Version", options=[])
        self.plan = Text(description="Plan", value=plan_text(rollouts.policy(deployment).plan))
        self.automation = Dropdown(
            description="Automation",
            options=[str(one) for one in Automation],
            value=str(rollouts.policy(deployment).automation),
        )
        self.waive = Text(description="Waive", placeholder="why the gates are waived, if they do not say yes")
        self.start = Button(description="Start", button_style="primary")
        self.start.on_click(lambda _: self.begin())
        self.starting = VBox([HBox([self.version, self.plan]), HBox([self.automation, self.waive]), self.start])
        self.moving = HBox(list(self.buttons.values()))
        self.standing = self._look()
        self.refresh()
        super().__init__([self.body, HBox([self.who, self.note]), self.moving, self.starting, self.said])
        self.add_class("nbp-rollout")
        self.thread = threading.Thread(target=self._follow, name=f"nbprod rollout panel {deployment}", daemon=True)
        self.thread.start()

    def refresh(self) -> None:
        """Look again, and show what is true now."""
        self.standing = self._look()
        rollout = self.standing.rollout
        self._shown = _mark(self.standing)
        self.body.value = draw(self.standing)
        for label, (_, is_possible) in MOVES.items():
            self.buttons[label].disabled = rollout is None or not is_possible(rollout)
        self.buttons["Analyse"].disabled = rollout is None or not rollout.keeps_previous_at(clock.now())
        can_start = rollout is None or not rollout.is_open
        self.moving.layout.display = "none" if rollout is None else ""
        self.starting.layout.display = "" if can_start else "none"
        if can_start:
            versions, chosen = tuple(self._candidates()), self.version.value
            self.version.options = versions
            self.version.value = chosen if chosen in versions else next(iter(versions), None)
            self.start.disabled = not versions

    def act(self, label: str) -> None:
        """What a button does: one call, shown to copy, and what came of it."""
        rollout = self.standing.rollout
        if rollout is None:
            return
        if label == "Analyse":  # executes the notebook: it takes some seconds, and decides by itself
            self._call("analyse", rollout.id)
        else:
            self._call(MOVES[label][0], rollout.id, note=self.note.value, actor=self.who.value)

    def begin(self) -> None:
        """Start a rollout of the version chosen."""
        chosen = {"plan": self.plan.value, "reason": self.note.value, "automation": self.automation.value}
        waived = {"waive": self.waive.value} if self.waive.value.strip() else {}
        self._call("start", self.deployment, self.version.value, **chosen, **waived, actor=self.who.value)

    def close(self) -> None:
        """Take the panel away; the rollout goes on."""
        self.closing.set()
        super().close()

    def _call(self, verb: str, *names: Any, **given: Any) -> None:
        words = [repr(name) for name in names] + [f"{name}={value!r}" for name, value in given.items()]
        call = f"ws.rollouts.{verb}({', '.join(words)})"
        if verb != "analyse" and not self.note.value.strip():
            self._say(call, "Say why first: it is kept with the decision.")
            return
        self._say(call, "…")
        try:
            made = getattr(self.rollouts, verb)(*names, **given)
        except NbprodError as error:
            self._say(call, f"{error.message} {error.hint or ''}".strip())
        else:
            self.note.value = ""
            self._say(call, repr(made))
        self.refresh()

    def _say(self, call: str, came: str) -> None:
        style = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;padding:2px 0;margin:2px 0"
        self.said.value = f'<pre style="{style}">{escape(call)}</pre><div role="status">{escape(came)}</div>'

    def _look(self) -> RolloutStanding:
        at = clock.now()
        try:
            rollout = self.rollouts.get(self.deployment)
        except NotFoundError:
            return RolloutStanding(deployment=self.deployment, at=at, rollout=None)
        analyses = self.rollouts.analyses(rollout)
        return RolloutStanding(
            deployment=self.deployment,
            at=at,
            rollout=rollout,
            analyses=analyses,
            moves=moves_of(rollout, self.rollouts.history(rollout)),
            groups=evidence_groups(rollout, analyses, self._course),
            exposure=self.rollouts.exposure(rollout),
        )

    def _follow(self) -> None:
        while not self.closing.wait(self.poll_s):
            with suppress(NbprodError):  # a ledger that is away for a moment
                try:
                    rollout = self.rollouts.get(self.deployment)
                except NotFoundError:
                    continue
                newest = self.rollouts.analyses(rollout, limit=1)
                if (rollout, newest[0].run_id if newest else "", rollout.share_at(clock.now())) != self._shown:
                    self.refresh()

    def _repr_mimebundle_(self, **_asked: Any) -> dict[str, Any]:
        """The live widget, and beside it the same as HTML and as a line of text."""
        live = super()._repr_mimebundle_() or {}
        return {**live, "text/html": draw(self.standing), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<RolloutPanel {self.deployment}: {self.standing.sentence}>"


def _mark(shown: RolloutStanding) -> tuple[Rollout | None, str, float]:
    """What must differ for the panel to be drawn again."""
    if shown.rollout is None:
        return None, "", 0.0
    return shown.rollout, shown.analyses[0].run_id if shown.analyses else "", shown.rollout.share_at(shown.at)
