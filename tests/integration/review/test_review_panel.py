"""The panel of reviews: one prediction at a time, answers kept before it goes on, and a twin without a kernel."""

import pytest

from nbprod.clock import now
from nbprod.domain.review import ReviewForm, ReviewItem
from nbprod.pages.sanitising import clean_html
from nbprod.panels.review_html import draw_item
from nbprod.panels.review_panel import ReviewPanel


@pytest.fixture
def panel(power, reviews):
    return reviews("power", reviewer="ann")


def test_a_click_keeps_the_answer_and_shows_the_next(panel, reviews):
    """The answer is on the disk under the reviewer's name, and another prediction is shown."""
    assert isinstance(panel, ReviewPanel)
    first = panel.item.prediction_id
    assert [label for label, _ in panel.field.options] == ["(choose)", "DOWN", "UP"]
    panel.field.value = "UP"
    panel.save.click()
    assert panel.item.prediction_id != first
    assert panel.field.value == "(choose)"
    assert reviews.count("power") == 9
    assert reviews.report("power").reviewers == {"ann": 1}
    assert "1 answered by ann" in panel.body.value


def test_without_an_answer_nothing_is_kept(panel, reviews):
    """It says what to do, and the prediction stays."""
    first = panel.item
    panel.save.click()
    assert panel.item is first
    assert "Choose an answer, or skip." in panel.body.value
    assert reviews.count("power") == 10


def test_two_panels_share_the_queue(panel, reviews):
    """No two reviewers are shown the same; what is skipped comes back when nothing else is open."""
    other = reviews.panel("power", reviewer="ben")
    assert other.item.prediction_id != panel.item.prediction_id
    seen = [panel.item.prediction_id]
    for _ in range(9):
        panel.skip.click()
        seen.append(panel.item.prediction_id)
    assert other.item.prediction_id not in seen
    assert len(set(seen)) == 9
    assert seen[-1] == seen[0] or seen[-1] in seen[:-1]


def test_when_nothing_is_open_it_says_so(panel, reviews):
    """The form is closed, and the twin says the same."""
    reviews.answer("power", {f"p{number}": "UP" for number in range(10)}, reviewer="ben")
    panel.go_on()
    assert panel.item is None
    assert panel.save.disabled
    shown = panel._repr_mimebundle_()
    assert "Nothing is open." in shown["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"] == "<ReviewPanel power: ann, 0 answered, nothing open>"


def test_what_rows_hold_is_never_markup_and_the_models_answer_is_not_told(panel):
    """Every value is escaped, and the twin keeps its words through the cleaning of a page."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    item = ReviewItem(prediction_id=evil, at=now(), inputs={evil: evil, "load": None})
    form = ReviewForm(target=evil, task="classification", classes=(evil, "b"))
    html = draw_item(evil, form, item, reviewer=evil, answered=1, trouble=evil)
    assert "<script" not in html
    assert "<img" not in html
    assert "What is" in clean_html(html)
    assert "0." not in panel.body.value.replace(str(panel.item.inputs["load"]), "")
