"""A headless browser that notes every request; the tests are skipped where there is no Chromium."""

import os
import shutil

import nbformat
import pytest

from nbprod.site import build
from tests.integration import site_records

CHROMIUM = os.environ.get("NBPROD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


# A file's own, not the session's: while Playwright runs, its event loop runs in this thread, and no other test could have one.
@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; install it or name it in NBPROD_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Opens a file; gives the page, which keeps what it asked the network for and what went wrong in it."""
    contexts = []

    def open_(path, *, width=1280, scripts=True, until="load"):
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.asked, page.faults, page.dialogs = [], [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri(), wait_until=until)
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def notebook():
    """The notebook of the records without its outputs being executed again: pictures and tables as a kernel left them."""
    made = site_records.train_notebook()
    by_id = {cell.id: cell for cell in made.cells}
    by_id["load-data"].outputs = [
        nbformat.v4.new_output(
            "execute_result",
            {"text/html": '<table class="dataframe"><tr>' + "<td>-0.123456</td>" * 30 + "</tr></table>"},
        )
    ]
    by_id["say"].outputs = [nbformat.v4.new_output("stream", name="stdout", text="x" * 400)]
    return made


@pytest.fixture(scope="session")
def site(tmp_path_factory, notebook):
    root = tmp_path_factory.mktemp("site")
    store, runs = site_records.fill(root, notebook)
    build(store, root / "site", runs_folder=runs, name="demo")
    return root / "site"
