from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.pages.graphs import Node, graph

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def graphs(draw):
    nodes = []
    for number in range(draw(st.integers(1, 9))):
        needs = tuple(draw(st.sets(st.sampled_from([node.name for node in nodes])))) if nodes else ()
        note = draw(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"])))
        nodes.append(
            Node(name=f"<step>&{number}", note=note, needs=needs, tone=draw(st.sampled_from(["good", "bad", "odd"])))
        )
    return nodes


@given(graphs(), st.sampled_from([310, 720]))
def test_no_two_boxes_lie_on_each_other_and_all_lie_inside(nodes, width):
    picture = ET.fromstring(graph("Steps", nodes, width=width))
    _, _, wide, high = map(float, picture.get("viewBox").split())
    boxes = [[float(box.get(name)) for name in ("x", "y", "width", "height")] for box in picture.iter(f"{SVG}rect")]

    assert len(boxes) == len(nodes)
    assert len(list(picture.iter(f"{SVG}path"))) <= sum(len(node.needs) for node in nodes)
    for number, (x, y, w, h) in enumerate(boxes):
        assert x >= 0 <= y
        assert x + w <= wide + 0.1
        assert y + h <= high + 0.1
        for a, b, c, d in boxes[number + 1 :]:
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y


def test_a_need_that_another_one_has_already_is_said_and_not_drawn():
    nodes = [Node(name="a"), Node(name="b", needs=("a",)), Node(name="c", needs=("a", "b"))]
    drawn = graph("Steps", nodes)

    assert drawn.count("<path") == 2
    assert "c , needs a, b" in drawn


@pytest.mark.parametrize("width", [310, 720])
def test_a_change_that_was_passed_on_is_drawn_and_said(width):
    nodes = [Node(name="train", note="succeeded"), Node(name="judge", needs=("train",), reached_by=("train",))]
    drawn = graph("Steps", nodes, width=width)

    assert drawn.count("stroke-dasharray") == 1
    assert "reached by a change of train" in drawn
