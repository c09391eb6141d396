"""The panel of a review queue: one prediction after the other, a form from the model's schema, and how many wait."""

from __future__ import annotations

from typing import Any

from ipywidgets import HTML, Button, Dropdown, FloatText, HBox, Text, VBox

from nbprod.domain.review import ReviewForm, ReviewItem, check_reviewer
from nbprod.errors import NbprodError
from nbprod.panels.review_html import draw_item
from nbprod.review.service import Reviews

__all__ = ["ReviewPanel"]

NOTHING = "(choose)"


class ReviewPanel(VBox):
    """Shows what is open to one reviewer, and keeps each answer before it goes on.

    Several panels, of several people and in several processes, share the queue: a prediction is held by whoever it is
    shown to. Without a kernel the prediction at hand is plain HTML.

    Parameters
    ----------
    reviews
        ``ws.review``.
    deployment
        Its name.
    reviewer
        Who answers.

    Raises
    ------
    SettingsError
        The reviewer has no name that can be used.
    NotFoundError
        There is no such deployment.
    """

    def __init__(self, reviews: Reviews, deployment: str, *, reviewer: str) -> None:
        self.reviews, self.deployment, self.reviewer = reviews, deployment, check_reviewer(reviewer)
        self.item: ReviewItem | None = None
        self.answered = 0
        self._skipped: set[str] = set()
        self.form: ReviewForm = reviews.form(deployment)
        self.body = HTML()
        self.field = _field(self.form)
        self.save = Button(description="Save and next", button_style="primary")
        self.skip = Button(description="Skip", tooltip="Show another; this one is held until its time is over.")
        self.save.on_click(lambda _: self.keep())
        self.skip.on_click(lambda _: self.pass_over())
        super().__init__([self.body, HBox([self.field, self.save, self.skip])])
        self.add_class("nbp-review")
        self.go_on()

    def keep(self) -> None:
        """Keep the answer in the form, and show the next prediction; a refusal is said and loses nothing."""
        if self.item is None:
            return
        if self.field.value in {None, "", NOTHING}:
            self._show("Choose an answer, or skip.")
            return
        try:
            self.reviews.answer(self.deployment, {self.item.prediction_id: self.field.value}, reviewer=self.reviewer)
        except NbprodError as problem:
            self._show(f"{problem.message}. {problem.hint}" if problem.hint else problem.message)
            return
        self.answered += 1
        self.go_on()

    def pass_over(self) -> None:
        """Show another prediction; those passed over come back when nothing else is open."""
        if self.item is not None:
            self._skipped.add(self.item.prediction_id)
        self.go_on()

    def go_on(self) -> None:
        """Take the next prediction, of which nobody else is given it meanwhile."""
        try:
            items = self.reviews.next(self.deployment, reviewer=self.reviewer, skip=self._skipped)
            if not items and self._skipped:
                self._skipped.clear()
                items = self.reviews.next(self.deployment, reviewer=self.reviewer)
        except NbprodError as problem:
            self._show(problem.message)
            return
        self.item = items[0] if items else None
        self.field.value = (
            NOTHING if isinstance(self.field, Dropdown) else "" if isinstance(self.field, Text) else 0.0
        )
        for one in (self.field, self.save, self.skip):
            one.disabled = self.item is None
        self._show()

    def _show(self, trouble: str = "") -> None:
        self.body.value = self._drawn(trouble)

    def _drawn(self, trouble: str = "") -> str:
        return draw_item(
            self.deployment, self.form, self.item, reviewer=self.reviewer, answered=self.answered, trouble=trouble
        )

    def _repr_mimebundle_(self, **_asked: Any) -> dict[str, Any]:
        """The live widget, and beside it the same as HTML and as a line of text."""
        live = super()._repr_mimebundle_() or {}
        return {**live, "text/html": self._drawn(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        at_hand = self.item.prediction_id if self.item is not None else "nothing open"
        return f"<ReviewPanel {self.deployment}: {self.reviewer}, {self.answered} answered, {at_hand}>"


def _field(form: ReviewForm) -> Any:
    """What the truth is given in."""
    if form.classes:
        options = [(NOTHING, NOTHING), *((str(known), known) for known in form.classes)]
        return Dropdown(options=options, value=NOTHING, description=form.target)
    kind = FloatText if form.task == "regression" else Text
    return kind(description=form.target)
