"""Hidden characters of foreign text: every kind, and every way to a terminal or a page."""

import ast
import io
import json
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment
from markupsafe import Markup

import nbprod
from nbprod import visible as module
from nbprod.cli import output
from nbprod.domain.markup import card
from nbprod.errors import DataError
from nbprod.pages.layout import render
from nbprod.pages.sanitising import clean_html, svg_image
from nbprod.pages.terminal import terminal
from nbprod.visible import escape, in_json, in_markup, visible

PACKAGE = Path(nbprod.__file__).parent
#: Format characters that are seen: marks that Arabic, Syriac and Kaithi numbers stand under.
SEEN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
KINDS = {
    "C0": "\x00\x07\x08\x0b\r",
    "escape": "\x1b[31mred\x1b[0m",
    "OSC 8 link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "OSC title": "\x1b]0;title\x07",
    "DEL": "\x7f",
    "C1 CSI": "\x9b31m\x85",
    "zero-width": "\u200b\u200c\u200d\u2060\ufeff\u00ad",
    "marks": "\u200e\u200f\u061c",
    "overrides": "\u202a\u202b\u202c\u202d\u202e",
    "isolates": "\u2066\u2067\u2068\u2069",
    "separators": "\u2028\u2029",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "surrogate": "\ud800",
    "noncharacter": "\ufffe\U0001ffff",
    "fillers": "\u115f\u3164\uffa0",
}


def hidden(text):
    """What an independent table, Python's own, calls hidden."""
    return [
        one
        for one in text
        if unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and one not in "\n\t" and ord(one) not in SEEN
    ]


def test_every_hidden_character_of_unicode_is_written_out():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert not hidden(visible(every))
    kept = [one for one in every if unicodedata.category(one)[0] in "LNPS" and visible(one) != one]
    assert set(kept) <= set("\u115f\u1160\u3164\uffa0"), "letters, digits, signs stay, but for invisible fillers"
    assert visible("äß漢字👍️ é\n\tx") == "äß漢字👍️ é\n\tx"


@pytest.mark.parametrize("kind", KINDS)
def test_no_way_lets_a_hidden_character_through(kind, capsys, monkeypatch):
    """Errors, lines, tables, records, JSON, markup, pages, drawings."""
    text = f"a{KINDS[kind]}b"
    error = DataError(f"column {text} is gone", hint=text)
    output.say(str(error))
    output.put(text)
    output.emit([{"name": text, text: 1}], ["name", text], as_json=False)
    output.emit_one({"name": text, text: {text: [text]}}, as_json=False)
    output.print_json({text: text})
    printed = capsys.readouterr()
    assert not hidden(printed.out + printed.err)
    assert not hidden(error.message + error.hint)
    monkeypatch.setattr("sys.stdout", stream := io.StringIO())
    output.print_json({"value": text})
    assert json.loads(stream.getvalue()) == {"value": text}, "JSON holds the same value"

    frame = Environment(
        autoescape=True, loader=DictLoader({"page": "<p title='{{ value }}'>{{ value }}{{ markup }}</p>"})
    )
    monkeypatch.setattr("nbprod.pages.layout._environment", lambda: frame)
    svg = f'<svg viewBox="0 0 9 9" aria-label="{escape(text)}"><text>{escape(text)}</text></svg>'
    pages = [
        card(text, [(text, text)]),
        str(terminal(text)),
        str(clean_html(f"<p title='{text}'>{text}</p>")),
        str(svg_image(svg)),
        render("page", value=text, markup=Markup(text)),
    ]
    for page in pages:
        assert not hidden(page), page


@pytest.mark.parametrize("reference", ["&#8238;", "&#x202E;", "&rlm;", "&zwj;", "&#8238", "&#27;", "&shy;"])
def test_references_to_hidden_characters_are_written_out_too(reference):
    import html

    found = str(clean_html(f"<p>safe{reference}exe &amp; &lt;b&gt;</p>"))
    assert not hidden(html.unescape(found))
    assert "&amp; &lt;b&gt;" in found


def test_a_drawing_hides_nothing_in_what_it_encodes():
    import base64
    import re

    image = str(svg_image('<svg viewBox="0 0 9 9"><text id="\u202e">a&#8238;b\u2066</text></svg>'))
    inside = base64.b64decode(re.search('base64,([^"]+)', image)[1]).decode()
    assert not hidden(inside)
    assert "\\u202e" in inside


@given(st.text())
def test_json_keeps_its_values_and_markup_its_references(text):
    assert json.loads(in_json(json.dumps(text, ensure_ascii=False))) == text
    assert visible(visible(text)) == visible(text)
    assert not hidden(in_markup(text))


def test_the_command_line_writes_through_one_place():
    """No module of it prints by itself, and no module at all escapes by another function."""
    for path in PACKAGE.rglob("*.py"):
        names = {
            ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        }
        inside = path.relative_to(PACKAGE).as_posix()
        if inside.startswith("cli/") and inside not in {"cli/output.py", "cli/sweep.py"}:
            assert not names & {"print", "typer.echo", "click.echo", "sys.stdout.write", "sys.stderr.write"}, inside
        if path != Path(module.__file__) and inside != "pages/box.py":
            assert "html.escape" not in names, inside
            assert "from html import escape" not in path.read_text(), inside


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"C0", "surrogate"}])
def test_a_wrong_word_on_the_command_line_is_repeated_without_what_it_hides(kind, capsys):
    from nbprod.cli import main

    text = f"a{KINDS[kind]}b"
    for words in ([text], ["runs", text], ["runs", "list", f"--{text}"], ["runs", "list", "--limit", text]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = capsys.readouterr()
        assert ended.value.code == 2
        assert said.err
        assert not hidden(said.err + said.out)
