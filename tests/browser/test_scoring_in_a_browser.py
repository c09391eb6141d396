"""A page that scores gives the package's numbers to the last bit, by mouse and keyboard, and asks nobody."""

import json
import struct
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline as make_plain_pipeline

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.pages.scoring_form import scoring_form, scoring_page
from nbprod.training.preprocessing import make_pipeline
from tests.integration.compiled.test_compiling import usual
from tests.unit.compiled.conftest import make_frame, make_target, predictor_of, records, schema_of
from tests.unit.pages.conftest import HOSTILE

BITS = """rows => {
  const ask = compiledModel(JSON.parse(document.getElementById('scoring-plan').textContent));
  const bits = x => typeof x === 'number' ? String(new BigUint64Array(new Float64Array([x]).buffer)[0]) : String(x);
  return rows.map(row => { const a = ask(row); return [a.prediction, ...(a.probabilities || [])].map(bits); }); }"""
MODELS = {
    "logistic": ("binary", lambda frame: make_plain_pipeline(usual(), LogisticRegression(max_iter=200))),
    "template's boosting": ("three", lambda frame: make_pipeline(HistGradientBoostingClassifier(max_iter=30), frame)),
    "trees of the gradient": (
        "binary",
        lambda frame: make_pipeline(GradientBoostingClassifier(n_estimators=20), frame),
    ),
    "forest": ("regression", lambda frame: make_pipeline(RandomForestRegressor(10, random_state=0), frame)),
    "template's logistic": ("three", lambda frame: make_pipeline(LogisticRegression(max_iter=200), frame)),
}


def made(name, rows=700):
    frame = make_frame(seed=8, rows=rows)
    task, build = MODELS[name]
    target = make_target(frame, task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = build(frame).fit(frame, target)
    predictor = predictor_of(model, schema_of(model, frame, target, task))
    return predictor, records(frame)


def shown(tmp_path, predictor, rows):
    told = [
        {name: value.isoformat() if isinstance(value, pd.Timestamp) else value for name, value in row.items()}
        for row in rows
    ]
    form = scoring_form(predictor.schema, plan=predictor.model.plan.to_page(), examples=told[:3], usual=told[3])
    path = tmp_path / "model.score.html"
    path.write_text(scoring_page(form, title="demand/1"), encoding="utf-8")
    return path


def bits(value):
    return str(struct.unpack("<Q", struct.pack("<d", value))[0]) if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", MODELS)
def test_five_hundred_rows_are_equal_to_the_last_bit(tmp_path, open_page, name):
    predictor, rows = made(name)
    page = open_page(shown(tmp_path, predictor, rows))
    values = [predictor.check(row).values for row in rows[:500]]  # noqa: PD011 — no data frame
    expected = [[bits(part) for part in predictor.model.predict_values(list(row))] for row in values]

    asked = [[None if value is None or value != value else value for value in row] for row in values]  # noqa: PLR0124
    assert page.evaluate(BITS, asked) == expected
    many = predictor.predict_columns(pd.DataFrame(rows[:500]))
    alone = [predictor.predict(row)["prediction"] for row in values]
    assert many["prediction"].tolist() == alone
    assert page.faults == []


def test_the_form_answers_at_each_change_and_says_what_contributes(tmp_path, open_page):
    predictor, rows = made("logistic")
    page = open_page(shown(tmp_path, predictor, rows))
    row = dict(rows[0])
    answered = predictor.predict(predictor.check(row).values)
    assert page.locator(".verdict").inner_text() == verdict(answered)

    page.get_by_label("load", exact=True).fill("1.25")
    page.get_by_label("place", exact=True).select_option(label="west")
    row |= {"load": 1.25, "place": "west"}
    assert page.locator(".verdict").inner_text() == verdict(predictor.predict(predictor.check(row).values))

    usual_row = {**row, "load": rows[3]["load"]}
    change = predictor.predict(predictor.check(row).values)["probability"]
    change -= predictor.predict(predictor.check(usual_row).values)["probability"]
    told = page.locator(".field", has=page.get_by_label("load", exact=True)).locator(".contribution")
    assert float(told.get_attribute("data-change")) == change
    assert "load" in page.locator(".answer").inner_text()

    page.get_by_label("load", exact=True).fill("")  # missing, as in training
    row["load"] = None
    assert page.locator(".verdict").inner_text() == verdict(predictor.predict(predictor.check(row).values))
    page.get_by_label("hour", exact=True).fill("")
    assert "hour is missing" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Example 2").click()
    assert page.locator(".verdict").inner_text() == verdict(predictor.predict(predictor.check(rows[1]).values))
    assert page.faults == []


def verdict(answer):
    shown_share = f"{np.floor(answer['probability'] * 1000 + 0.5) / 10:.1f}"
    return f"{answer['prediction']}, {shown_share} % for UP"


def test_the_form_is_used_by_keyboard_on_a_phone_and_asks_nobody(tmp_path, open_page):
    predictor, rows = made("template's boosting")
    path = shown(tmp_path, predictor, rows)
    page = open_page(path, width=360)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

    slider = page.get_by_label("price, slider")
    slider.focus()
    before = page.get_by_label("price", exact=True).input_value()
    page.keyboard.press("Home")
    after = page.get_by_label("price", exact=True).input_value()
    assert after != before
    assert float(after) == pytest.approx(predictor.schema.column("price").low)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.tagName") in {"INPUT", "SELECT"}
    assert page.locator(".share").count() == 3
    assert [url for url in page.asked if not url.startswith("data:")] == [path.as_uri()]


def test_names_and_values_never_become_markup_and_no_other_script_runs(tmp_path, open_page):
    columns = tuple(
        Column(name=f"{text} {number}", kind=ColumnKind.CATEGORY, dtype="str", categories=(text, "plain"))
        for number, text in enumerate(HOSTILE)
    )
    schema = Schema(columns=columns, target=HOSTILE[0], task="regression")
    one = {"dtype": "float64", "shape": [1], "base64": "AAAAAAAA8D8="}
    plan = json.dumps(
        {
            "format": 1,
            "inputs": [{"name": "x", "kind": "text"} for _ in columns],
            "steps": [{"op": "constant", "inputs": [0], "params": {"values": one}}],
            "answer": {"prediction": 1, "probabilities": None},
            "classes": [],
        }
    )
    form = scoring_form(schema, plan=plan, examples=[{column.name: "plain" for column in columns}])
    page_text = scoring_page(form, title=HOSTILE[0]).replace(
        "</main>", "<script>alert(1)</script><img src=x onerror=alert(2)></main>"
    )
    path = tmp_path / "hostile.html"
    path.write_text(page_text, encoding="utf-8")

    page = open_page(path)
    page.wait_for_timeout(100)
    assert page.dialogs == []
    assert page.locator(".verdict").inner_text() == "1"
    assert page.locator(".field").count() == len(HOSTILE)
