import pytest

from nbprod.domain.run import CellStatus
from nbprod.pages.notebook import LONGEST_TEXT, PAGE_TEXT, read
from tests.unit.pages.conftest import HOSTILE, active

PIXEL = "iVBORw0KGgo="


def code(source="1", outputs=(), tags=(), name="cell"):
    return {
        "cell_type": "code",
        "id": name,
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
    }


def shown(data, metadata=None):
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def outputs_of(*outputs):
    return read({"cells": [code("", outputs)]}).cells[0].outputs


def test_the_title_is_taken_out_of_the_text():
    reader = read({"cells": [{"cell_type": "markdown", "id": "t", "source": ["# Train\n", "\nA text."]}]})
    assert reader.title == "Train"
    assert reader.cells[0].body == "<p>A text.</p>\n"


def test_injected_parameters_are_left_out_and_defaults_are_read_without_running_anything():
    source = "seed: int = 7  # help\nnames = ['a']\nodd = open('x')\nbare: int\na = b = 1\n"
    injected = code("seed = 8", tags=["injected-parameters"], name="put-in")
    reader = read({"cells": [code(source, tags=["parameters"]), injected]})
    assert [cell.id for cell in reader.cells] == ["cell"]
    assert reader.injected == {"put-in"}
    assert reader.defaults == {"seed": 7, "names": ["a"], "a": 1}


@pytest.mark.parametrize("source", ["seed = ", "(" * 5000, "\x00"])
def test_a_broken_parameters_cell_has_no_defaults(source):
    assert read({"cells": [code(source, tags=["parameters"])]}).defaults == {}


@pytest.mark.parametrize(
    ("tag", "has_source", "outputs", "folded"),
    [("remove-input", False, 1, False), ("remove-output", True, 0, False), ("hide-cell", True, 1, True)],
)
def test_tags_of_readers_are_honoured(tag, has_source, outputs, folded):
    cell = read({"cells": [code("1", [shown({"text/plain": "1"})], tags=[tag])]}).cells[0]
    assert (cell.source is not None, len(cell.outputs), cell.is_folded) == (has_source, outputs, folded)


def test_a_removed_cell_is_not_there():
    assert read({"cells": [code(tags=["remove-cell"])]}).cells == ()


def test_a_hidden_output_is_shown_on_demand():
    cell = read({"cells": [code("1", [shown({"text/plain": "1"})], tags=["hide-output"])]}).cells[0]
    assert cell.outputs[0].startswith("<details><summary>Output</summary>")


def test_a_record_is_shown_by_its_html_twin():
    output = shown(
        {"application/vnd.nbprod.record+json": {"x": 1}, "text/html": "<p>auc 0.93</p>", "text/plain": "no"}
    )
    assert "<p>auc 0.93</p>" in outputs_of(output)[0]


def test_a_record_without_a_twin_is_shown_as_it_is():
    assert '"x": 1' in outputs_of(shown({"application/vnd.nbprod.record+json": {"x": 1}}))[0]


@pytest.mark.parametrize(
    "kind", ["text/vnd.mermaid", "application/javascript", "application/vnd.jupyter.widget-view+json"]
)
def test_what_would_run_is_named_and_not_shown(kind):
    output = outputs_of(shown({kind: "graph TD; alert(1)"}))[0]
    assert "alert" not in output
    assert f"An output of type {kind} is not shown here" in output


def test_a_widget_with_a_twin_shows_the_twin():
    output = shown({"application/vnd.jupyter.widget-view+json": {}, "text/html": "<p>twin</p>"})
    assert "<p>twin</p>" in outputs_of(output)[0]


def test_html_that_is_nothing_without_its_script_falls_back_to_text():
    output = shown({"text/html": "<div id=x></div><script>plot()</script>", "text/plain": "Figure(1)"})
    assert "Figure(1)" in outputs_of(output)[0]


def test_the_diagram_of_an_estimator_is_its_text():
    output = shown({"text/html": "<style>x</style><div class='sk-top-container'>LR</div>", "text/plain": "LR()"})
    assert "LR()" in outputs_of(output)[0]


def test_pictures_have_alternative_text():
    with_alt, without = outputs_of(
        shown({"image/png": PIXEL}, {"image/png": {"alt": "A rising line"}}), shown({"image/png": [PIXEL]})
    )
    assert 'alt="A rising line"' in with_alt
    assert 'alt="Figure of cell cell"' in without


def test_pieces_of_one_stream_are_joined():
    pieces = [
        {"output_type": "stream", "name": name, "text": text}
        for name, text in (("stdout", "a"), ("stdout", ["b", "c"]), ("stderr", "d"))
    ]
    printed, messages = outputs_of(*pieces)
    assert "abc" in printed
    assert "messages" in messages


def test_an_error_shows_what_was_raised_and_the_trace():
    output = {"output_type": "error", "ename": "ValueError", "evalue": "<b>", "traceback": ["\x1b[31mhere\x1b[0m"]}
    assert "<strong>ValueError: &lt;b&gt;</strong>" in outputs_of(output)[0]
    assert '<span class="ansi-red">here</span>' in outputs_of(output)[0]


def test_the_cell_that_ended_the_run_is_marked():
    reader = read({"cells": [code(name="a"), code(name="b")]}, statuses={"a": CellStatus.COMPLETED}, failed_cell="b")
    assert [cell.is_failed for cell in reader.cells] == [False, True]


def test_long_text_is_cut_where_readers_see_it():
    output = outputs_of(
        {"output_type": "stream", "name": "stdout", "text": "begin" + "x" * LONGEST_TEXT * 3 + "end"}
    )[0]
    assert len(output) < LONGEST_TEXT * 1.1
    assert "begin" in output
    assert "end</pre>" in output
    assert "characters are left out here" in output


def test_a_page_does_not_outgrow_its_budget():
    texts = [code("", [{"output_type": "stream", "name": "stdout", "text": "y" * LONGEST_TEXT}]) for _ in range(60)]
    reader = read({"cells": texts})
    whole = "".join(output for cell in reader.cells for output in cell.outputs)
    assert len(whole) < PAGE_TEXT * 1.1
    assert "is left out to keep this page small; it is in the notebook" in whole


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_content_in_any_place_does_not_act(payload):
    reader = read(
        {
            "metadata": {"widgets": {"x": payload}, "title": payload},
            "cells": [
                {"cell_type": "markdown", "id": payload, "source": payload, "metadata": {"tags": [payload]}},
                {"cell_type": "raw", "id": "r", "source": payload},
                code(
                    payload,
                    [
                        shown(dict.fromkeys(("text/html", "text/markdown", "image/svg+xml", "text/latex"), payload)),
                        *(
                            shown({kind: payload}, {kind: {"alt": payload}})
                            for kind in (
                                "image/svg+xml",
                                "image/png",
                                "text/latex",
                                "text/markdown",
                                "text/vnd.mermaid",
                                payload,
                            )
                        ),
                        {"output_type": "stream", "name": payload, "text": payload},
                        {"output_type": "error", "ename": payload, "evalue": payload, "traceback": [payload]},
                    ],
                ),
            ],
        }
    )
    for cell in reader.cells:
        assert active("".join([cell.body, cell.source or "", *cell.outputs])) == []


@pytest.mark.parametrize(
    "broken", [{}, {"cells": None}, {"cells": ["x", {}, {"cell_type": "code"}]}, {"cells": [code(None)]}]
)
def test_a_broken_notebook_is_shown_as_far_as_it_goes(broken):
    assert read(broken).title == ""
