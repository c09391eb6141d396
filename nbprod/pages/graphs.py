"""The picture of steps that need each other, as SVG: what ended how, and along which ways a change went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbprod.pages.svg import BLUE, GREEN, GREY, ORANGE, RED, element, empty, fit, picture, text

__all__ = ["Node", "graph"]

COLOURS = {"good": GREEN, "watch": ORANGE, "bad": RED, "calm": GREY}
BOX_HEIGHT = 40
NARROWEST = 104  # a box's width; below it layers go from top to bottom


@dataclass(frozen=True, kw_only=True)
class Node:
    """A step."""

    name: str
    note: str = ""  #: its status, said in the box
    tone: str = "calm"  #: ``good``, ``watch``, ``bad`` or ``calm``
    needs: tuple[str, ...] = ()
    reached_by: tuple[str, ...] = ()  #: of those it needs, the ones whose change came to it


def graph(title: str, nodes: Sequence[Node], *, width: int = 720) -> str:
    """Boxes in layers, each after what it needs, joined by lines; a change that was passed on is a dashed line.

    Parameters
    ----------
    title
        What is shown; the alternative text starts with it.
    nodes
        In an order in which each comes after what it needs.
    width
        In pixels; what does not fit from left to right goes from top to bottom.
    """
    if not nodes:
        return empty(title, width, 80, "graph")
    layers = _layers(nodes)
    deepest, most = len(layers), max(len(layer) for layer in layers)
    is_wide = width / deepest >= NARROWEST + 36
    step = width / deepest if is_wide else BOX_HEIGHT + 34
    boxes: dict[str, tuple[float, float, float]] = {}  # left, top, width
    height = most * (BOX_HEIGHT + 18) + 10 if is_wide else deepest * step - 14
    for number, layer in enumerate(layers):
        for at, node in enumerate(layer):
            if is_wide:
                wide = min(step - 36, 170)
                gap = height / len(layer)
                boxes[node.name] = (number * step + 2, gap * at + (gap - BOX_HEIGHT) / 2, wide)
            else:
                share = width / len(layer)
                boxes[node.name] = (share * at + 2, number * step + 4, share - 8)
    parts = [_line(boxes[need], boxes[node.name], is_wide=is_wide, is_reached=need in node.reached_by)
             for node in nodes for need in _drawn(node, nodes)]  # fmt: skip
    parts += [_box(node, boxes[node.name]) for node in nodes]
    told = "; ".join(
        f"{node.name} {node.note}"
        + (f", needs {', '.join(node.needs)}" if node.needs else "")
        + (f", reached by a change of {', '.join(node.reached_by)}" if node.reached_by else "")
        for node in nodes
    )
    return picture(parts, width=width, height=height, title=title, desc=told, kind="graph")


def _drawn(node: Node, nodes: Sequence[Node]) -> list[str]:
    """What it needs, without what another of these needs already, unless a change came from there."""
    by_name = {one.name: one for one in nodes}
    waiting = list(node.needs)
    implied: set[str] = set()
    while waiting:
        found = set(by_name[waiting.pop()].needs) - implied
        implied |= found
        waiting += found
    return [need for need in node.needs if need not in implied or need in node.reached_by]


def _layers(nodes: Sequence[Node]) -> list[list[Node]]:
    """Nodes by the length of the longest way to them."""
    depth: dict[str, int] = {}
    for node in nodes:
        depth[node.name] = max((depth[need] + 1 for need in node.needs), default=0)
    found: Mapping[int, list[Node]] = {number: [] for number in range(max(depth.values()) + 1)}
    for node in nodes:
        found[depth[node.name]].append(node)
    return list(found.values())


def _line(
    start: tuple[float, float, float], end: tuple[float, float, float], *, is_wide: bool, is_reached: bool
) -> str:
    if is_wide:
        x1, y1 = start[0] + start[2], start[1] + BOX_HEIGHT / 2
        x2, y2 = end[0], end[1] + BOX_HEIGHT / 2
        middle = (x1 + x2) / 2
        path = f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    else:
        x1, y1 = start[0] + start[2] / 2, start[1] + BOX_HEIGHT
        x2, y2 = end[0] + end[2] / 2, end[1]
        middle = (y1 + y2) / 2
        path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    if is_reached:
        return element("path", d=path, fill="none", stroke=ORANGE, stroke_width=2.5, stroke_dasharray="6 3")
    return element("path", d=path, fill="none", stroke="currentColor", stroke_width=1.2, opacity=".45")


def _box(node: Node, at: tuple[float, float, float]) -> str:
    left, top, width = at
    colour = COLOURS.get(node.tone, BLUE)
    return "".join(
        (
            element(
                "rect",
                x=left,
                y=top,
                width=width,
                height=float(BOX_HEIGHT),
                rx=5,
                fill=colour,
                fill_opacity=".14",
                stroke=colour,
                stroke_width=1.4,
                title=f"{node.name}: {node.note}",
            ),
            text(fit(node.name, width - 16, 12), left + 9, top + 17, font_size=12, font_weight=600),
            text(fit(node.note, width - 16, 10), left + 9, top + 32, font_size=10, opacity=".8"),
        )
    )
