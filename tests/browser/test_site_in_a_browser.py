"""What a reader's browser does with the pages: nothing runs, nothing is asked for, nothing is cut off."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nbprod.pages.box import boxed
from nbprod.pages.run_report import run_report
from tests.integration.site_records import make_run
from tests.unit.pages.conftest import HOSTILE

WIDE_THINGS = "() => [document.documentElement.scrollWidth, window.innerWidth]"
SMALLEST = """() => Math.min(...[...document.querySelectorAll('.nbp-chart text')]
    .filter(node => node.getClientRects().length && node.closest('svg').clientWidth)
    .map(node => 11 * node.closest('svg').clientWidth / node.closest('svg').viewBox.baseVal.width))"""
CONTRAST = """() => {
  const light = ([r, g, b]) => { const c = [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const behind = node => { for (; node; node = node.parentElement) {
    const colour = rgb(getComputedStyle(node).backgroundColor); if (colour.length < 4 || colour[3] > 0) return colour; }
    return [255, 255, 255]; };
  const found = [];
  for (const node of document.querySelectorAll('p, a, th, td, dt, dd, h1, h2, h3, summary, .badge, code, figcaption, span')) {
    if (!node.getClientRects().length || !node.innerText.trim() || node.closest('svg') || node.closest('.skip')) continue;
    const a = light(rgb(getComputedStyle(node).color)), b = light(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)} ${node.innerText.slice(0, 30)}`);
  }
  return found; }"""


def places(site):
    some = {"index.html", "runs/index.html", "models/electricity/index.html", "monitors/electricity/index.html"}
    some |= {"monitors/index.html", "models/index.html", "alerts/index.html", "history/index.html"}
    some |= {"rollouts/index.html", "rollouts/rollout-1/index.html", "rollouts/rollout-2/index.html"}
    runs = [path for path in sorted(site.glob("runs/*/index.html")) if "train" in path.parent.name]
    return [*(site / name for name in sorted(some)), runs[0], runs[-1]]


def test_no_page_asks_the_network_for_anything(site, open_page):
    for path in places(site):
        page = open_page(path)
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == [], path
        assert page.asked[0] == path.as_uri()
        assert [url for url in page.asked[1:] if url.startswith("file:")] == [], path
        assert page.faults == []


def test_no_page_scrolls_sideways(site, open_page):
    for path in places(site):
        page = open_page(path)
        for width in (320, 360, 768, 1600):
            page.set_viewport_size({"width": width, "height": 800})
            found, room = page.evaluate(WIDE_THINGS)
            assert found <= room, (path, width)


def test_text_of_charts_is_never_smaller_than_nine_pixels(site, open_page):
    for path in (
        site / name for name in ("index.html", "monitors/electricity/index.html", "rollouts/rollout-1/index.html")
    ):
        for width in (360, 1280):
            assert open_page(path, width=width).evaluate(SMALLEST) >= 9, (path, width)


def test_words_stand_out_from_what_is_behind_them_by_day_and_by_night(site, open_page):
    for path in places(site):
        page = open_page(path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(CONTRAST) == [], (path, scheme)


def test_code_is_shown_on_demand_without_scripts(site, open_page):
    path = next(path for path in places(site) if path.parent.name.endswith("train-0001"))
    page = open_page(path, scripts=False)
    code = page.locator("#cell-load-data pre.source")
    assert not code.is_visible()
    page.locator("#cell-load-data summary").click()
    assert code.is_visible()


def test_the_failed_cell_is_one_click_from_the_top(site, open_page):
    page = open_page(next(path for path in places(site) if path.parent.name.endswith("train-0009")))
    page.get_by_text("Go to the cell where it ended").click()
    assert page.url.endswith("#cell-fit")
    assert page.locator(".cell.failed").count() == 1
    assert page.locator(".cell.failed pre.source").is_visible()


def test_every_page_can_be_reached_from_the_first(site, open_page):
    page = open_page(site / "index.html")
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="electricity", exact=True).first.click()
    page.get_by_role("link", name="train-0002").first.click()
    assert page.locator("h1").inner_text() == "Train a classifier"


def test_the_first_thing_the_keyboard_reaches_skips_to_the_content(site, open_page):
    page = open_page(site / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


KINDS = ("text/html", "text/markdown", "image/svg+xml", "text/latex", "text/vnd.mermaid", "application/javascript")


def test_no_payload_in_any_place_of_a_notebook_runs_or_reaches_out(tmp_path, open_page):
    """The cleaner's allow-list is tested apart; here a real browser has the last word."""
    cells = []
    for number, payload in enumerate(HOSTILE):
        outputs = [{"output_type": "display_data", "data": {kind: payload}, "metadata": {}} for kind in KINDS]
        outputs += [
            {
                "output_type": "display_data",
                "data": {"image/png": payload},
                "metadata": {"image/png": {"alt": payload}},
            },
            {"output_type": "stream", "name": "stdout", "text": payload},
            {"output_type": "error", "ename": payload, "evalue": payload, "traceback": [payload]},
        ]
        cells += [
            {"cell_type": "markdown", "id": f"m{number}", "source": payload},
            {"cell_type": "code", "id": payload, "source": payload, "outputs": outputs},
        ]
    path = tmp_path / "report.html"
    for payload in HOSTILE[:6]:
        run = make_run(1, "train", minutes=1, actor=payload, error=payload, parameters={payload: payload})
        path.write_text(run_report(run, {"cells": cells}), encoding="utf-8")
        page = open_page(path)
        assert page.dialogs == []
        assert [url for url in page.asked[1:] if not url.startswith("data:image/")] == []


LEAKS = """<h1 id=a>Benign part</h1><script>
const to = 'http://ADDRESS/';
document.getElementById('a').textContent = 'its script ran';
new Image().src = to + 'image'; fetch(to + 'fetch').catch(() => 0); navigator.sendBeacon(to + 'beacon');
try { new WebSocket('ws://ADDRESS/') } catch (e) {}
document.head.insertAdjacentHTML('beforeend', `<link rel=prefetch href=${to}prefetch><link rel=stylesheet href=${to}css>`);
document.body.insertAdjacentHTML('beforeend', `<iframe src=${to}frame></iframe><form id=f action=${to}form></form>`);
try { document.getElementById('f').submit() } catch (e) {}
try { parent.document.title = 'taken' } catch (e) {}
try { top.location = to + 'top' } catch (e) {}
setTimeout(() => { location = to + 'navigate' }, 50);
</script>"""


@pytest.fixture
def listener():
    """A server that notes what it is asked for: what arrives there has left the page."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()

        def log_request(self, *_):
            heard.append(self.path)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.heard = heard
    server.leaks = LEAKS.replace("ADDRESS", f"127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_boxed_report_runs_and_reaches_nothing(tmp_path, open_page, listener):
    path = tmp_path / "report.boxed.html"
    path.write_text(boxed(listener.leaks, title="Report"), encoding="utf-8")
    page = open_page(path)
    page.wait_for_timeout(400)
    assert listener.heard == []
    assert page.title() == "Report"
    assert page.url == path.as_uri()


def test_the_same_report_outside_its_box_does_reach_the_listener(tmp_path, open_page, listener):
    """The silence of a boxed report is the box's doing: without it the same script is heard."""
    path = tmp_path / "report.html"
    path.write_text(listener.leaks, encoding="utf-8")
    open_page(path, until="commit").wait_for_timeout(400)
    assert listener.heard


def test_a_boxed_report_shows_what_its_script_draws(tmp_path, open_page, listener):
    path = tmp_path / "report.boxed.html"
    path.write_text(boxed(listener.leaks.replace("setTimeout", "void "), title="Report"), encoding="utf-8")
    page = open_page(path)
    assert page.frame_locator("iframe").locator("#a").inner_text() == "its script ran"
