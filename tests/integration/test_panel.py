"""The panel and the magic in a real kernel: nothing blocks, the run outlives the notebook, the twin says the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

import nbprod
from tests.integration.strangers import KERNELSPEC

pytestmark = pytest.mark.kernel

SLOW = (
    "n: int = 3  # how many\nto: str = 'end'  # the file to wait for",
    "import time\nfrom pathlib import Path\nfor i in range(n):\n    print('<b>step</b>', i, flush=True)",
    "while not Path(to).exists():\n    time.sleep(0.05)",
    "print('done')",
)


def slow(path):
    cells = [
        new_code_cell(source, id=id_) for source, id_ in zip(SLOW, ("parameters", "say", "wait", "end"), strict=True)
    ]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), path)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    (folder / "nbprod.toml").write_text("")
    (folder / "templates").mkdir()
    slow(folder / "templates" / "slow.ipynb")
    yield folder
    runs = nbprod.open(folder).runs  # those of a test that failed would wait for their file for ever
    for run in runs.list():
        if not run.is_finished:
            runs.ask_to_stop(run)


@pytest.fixture(scope="module")
def notebook(desk):
    """A kernel in the workspace: gives what a cell left behind, and how long it took."""
    manager, client = start_new_kernel(cwd=str(desk), env={**os.environ, "NBPROD_ACTOR": "ada"})

    def cell(source):
        seen = SimpleNamespace(text="", shown=[], error=None)

        def take_output(message):
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    seen.text += content["text"]
                case "display_data" | "execute_result" | "update_display_data":
                    seen.shown.append(content["data"])
                case "error":
                    seen.error = content

        began = time.monotonic()
        seen.reply = client.execute_interactive(source, output_hook=take_output, timeout=60)["content"]["status"]
        seen.took_s = time.monotonic() - began
        return seen

    yield SimpleNamespace(cell=cell, manager=manager, client=client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def until(ask, within_s=40):
    deadline = time.monotonic() + within_s
    while not (found := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def test_a_run_goes_on_beside_the_notebook_and_its_panel_follows_it(desk, notebook):
    cell = notebook.cell
    assert cell("%load_ext nbprod\nimport nbprod\nmany = 2").reply == "ok"
    started = cell(f"%nbprod run slow n={{many}} to={desk}/go")
    assert started.reply == "ok", started.error
    bundle = started.shown[-1]
    assert set(bundle) >= {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    run = nbprod.open(desk).runs.list()[0]
    assert run.parameters == {"n": 2, "to": f"{desk}/go"}

    cell(f"panel = nbprod.watch({run.id[-4:]!r})")
    source = "print(panel.standing.result.status, panel.thread.is_alive()); print(panel.body.value)"
    shown = until(lambda: (seen := cell(source)).text.count("step") >= 2 and seen)
    assert shown.text.startswith("running True")
    assert "&lt;b&gt;step&lt;/b&gt; 1" in shown.text
    assert "<b>step" not in shown.text
    assert (
        cell("1 + 1").took_s < 5
    )  # the run waits for a file that is not there: a panel that blocked would wait with it
    assert nbprod.open(desk).runs.get(run.id).status == "running"

    (desk / "go").touch()
    ended = until(lambda: (seen := cell(source)).text.startswith("succeeded False") and seen)
    assert "5 of 5 cells" in ended.text
    threads = "import threading; print([one.name for one in threading.enumerate() if 'nbprod panel' in one.name])"
    until(lambda: cell(threads).text == "[]\n")  # that of the magic too, which looks at moments of its own


def test_the_button_stops_the_run_and_the_panel_says_so(desk, notebook):
    notebook.cell(f"%load_ext nbprod\n%nbprod run slow to={desk}/never")
    run = nbprod.open(desk).runs.list()[0]
    notebook.cell(f"import nbprod; panel = nbprod.watch({run.id!r})")
    until(lambda: "running" in notebook.cell("print(panel.body.value)").text)
    assert notebook.cell("panel.button.click(); print(panel.button.disabled)").text == "True\n"
    text = until(lambda: (seen := notebook.cell("print(panel)").text).count("cancelled") and seen)
    assert "somebody stopped it" in text
    assert nbprod.open(desk).runs.get(run.id).status == "cancelled"


def test_what_is_wrong_is_said_as_on_the_command_line_without_a_wall(desk, notebook):
    environment = {**os.environ, "NBPROD_ACTOR": "ada"}
    said = subprocess.run(
        [sys.executable, "-m", "nbprod", "run", "slow", "-p", "m=3"],
        cwd=desk,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seen = notebook.cell("%load_ext nbprod\n%nbprod run slow m=3")
    assert seen.reply == "error"  # so that a job with this line fails, as it should
    assert "\n".join(seen.error["traceback"]) == said.stderr.rstrip("\n")
    assert "no variable nothing" in notebook.cell("%nbprod run slow n={nothing}").error["traceback"][0]
    assert "No run is called" in notebook.cell("%nbprod watch zzz").error["traceback"][0]
    assert "No such command" in notebook.cell("%nbprod rnu slow").error["traceback"][0]
    assert "slow" in notebook.cell("%nbprod runs list --json").text


def test_the_run_goes_on_when_the_notebook_is_closed(desk, notebook):
    notebook.cell(f"%load_ext nbprod\n%nbprod run slow to={desk}/later")
    runs = nbprod.open(desk).runs
    run = runs.list()[0]
    until(lambda: runs.get(run.id).status == "running")
    notebook.client.stop_channels()
    notebook.manager.shutdown_kernel(now=True)
    (desk / "later").touch()
    assert until(lambda: runs.get(run.id).is_finished and runs.get(run.id)).succeeded


def test_a_panel_follows_plain_papermill_and_its_twin_needs_no_kernel(tmp_path):
    slow(tmp_path / "slow.ipynb")
    done = subprocess.Popen(
        [sys.executable, "-m", "papermill", "--engine", "nbprod", "slow.ipynb", "out.ipynb", "-p", "to", "go"],
        cwd=tmp_path,
    )
    until((tmp_path / "out.nbprod" / "events.jsonl").exists)
    panel = nbprod.watch(tmp_path / "out.ipynb", poll_s=0.05)
    until(lambda: "step" in panel.body.value)
    assert not panel.standing.has_ended
    (tmp_path / "go").touch()
    assert done.wait(30) == 0
    panel.thread.join(10)
    assert not panel.thread.is_alive()
    bundle = panel._repr_mimebundle_()
    output = nbformat.v4.new_output(
        "display_data", {name: bundle[name] for name in bundle if name.startswith("text/")}
    )
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(
        new_notebook(cells=[new_code_cell("", outputs=[output])])
    )
    assert "succeeded · 5 of 5 cells" in page
    assert "<script" not in bundle["text/html"]
    assert "http" not in bundle["text/html"]
    panel.close()
