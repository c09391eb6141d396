"""The page at / in a real browser: predict, read, tell the outcome; by keyboard, at 360 px, without outside requests."""

import json
from pathlib import Path

import numpy as np
import pytest

from nbprod.workspace import open_workspace
from tests.browser.conftest import browser
from tests.integration.serving.conftest import fitted, made_workspace, serve, wait_for, workspace
from tests.unit.packages.conftest import saved, stage_run

__all__ = ["browser", "fitted", "made_workspace", "saved", "serve", "wait_for", "workspace"]


@pytest.fixture
def visit(browser):
    contexts = []

    def open_(address, width=360):
        context = browser.new_context(viewport={"width": width, "height": 780})
        contexts.append(context)
        page = context.new_page()
        page.asked, page.faults = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()


def test_the_form_predicts_and_takes_an_outcome_back(serve, workspace, visit, wait_for):
    """On a phone, by keyboard alone: the example row, the answer of the package, one click for the truth."""
    server = serve()
    page = visit(server.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_label("load").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    values = page.eval_on_selector_all(
        "#values dd", "all => Object.fromEntries(all.map(one => [one.dataset.name, JSON.parse(one.dataset.value)]))"
    )
    golden = json.loads(page.eval_on_selector("#setup", "one => one.textContent"))
    row = {}
    for field in golden["fields"]:
        given = field["example"]
        row[field["name"]] = (
            None if given == "" else given == "true" if field["kind"] == "boolean"
            else field["choices"][int(given)] if field["kind"] == "choice"
            else float(given) if field["kind"] == "number" else given
        )  # fmt: skip
    expected = server.predict(row)[1]["predictions"][0]
    assert values["probability"] == expected["probability"]
    assert (values["prediction"], values["version"]) == (expected["prediction"], "power/1")
    for _ in range(20):  # to the button by keyboard alone
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "UP":
            break
    page.keyboard.press("Enter")
    page.locator("#thanks", has_text="Kept").wait_for()  # the page's policy lets nobody evaluate text
    wait_for(lambda: workspace.deployments.trace(values["prediction_id"]).outcome == "UP")
    assert page.faults == []
    assert all(one.startswith((server.url, "data:")) for one in page.asked)


def test_the_report_of_the_training_run_asks_its_model_offline(fitted, saved, tmp_path, visit):
    """Written again when the package was built: opened as a file, it gives the package's own number."""
    (tmp_path / "nbprod.toml").write_text("")
    workspace = open_workspace(tmp_path)
    run = stage_run(workspace.store, workspace.home / "runs", fitted, saved)
    package = workspace.packages.build(run)
    page = visit((Path(run.folder) / "report.html").as_uri())
    page.get_by_text("A form that asks the model").click()
    row = json.loads(page.text_content("#scoring-data"))["examples"][0]
    expected = workspace.packages.load(package).predict([row]).iloc[0]
    share = f"{np.floor(expected['probability'] * 1000 + 0.5) / 10:.1f} %"
    assert page.locator(".verdict").inner_text() == f"{expected['prediction']}, {share} for UP"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.faults == []
    assert all(one.startswith(("file:", "data:")) for one in page.asked)


def test_what_cannot_be_taken_is_said_at_its_field(serve, visit):
    page = visit(serve().url)
    page.get_by_label("hour").fill("3.5")
    page.get_by_role("button", name="Predict").click()
    page.locator("#note-1", has_text="expected").wait_for()
    assert "whole number" in page.text_content("#note-1")
    assert page.get_attribute("#field-1", "aria-invalid") == "true"
    assert page.is_hidden("#result")


def test_with_tokens_the_page_asks_for_one_and_goes_on(serve, workspace, visit):
    """401 is a page of its own that tells nothing of the model; with a token the form comes and works."""
    token = workspace.tokens.create("me", scopes=["predict"])
    page = visit(serve().url)
    assert "power" not in page.content()
    page.get_by_label("Token").fill("nonsense")
    page.get_by_role("button", name="Go on").click()
    page.locator("#said", has_text="not valid").wait_for()
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_selector("#ask")
    page.get_by_role("button", name="Predict").click()
    page.wait_for_selector("#result:not([hidden])")


def test_the_documentation_needs_nothing_from_outside(serve, visit):
    server = serve()
    page = visit(f"{server.url}/docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert "POST /predict" in page.content()
    assert page.faults == []
    assert all(one.startswith((server.url, "data:")) for one in page.asked)
