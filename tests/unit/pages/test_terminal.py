from hypothesis import given
from hypothesis import strategies as st

from nbprod.pages.terminal import plain, terminal
from tests.unit.pages.conftest import active


def test_colours_become_classes():
    assert terminal("\x1b[31mred\x1b[0m \x1b[1;32mgreen\x1b[39m\x1b[22m.") == (
        '<span class="ansi-red">red</span> <span class="ansi-green ansi-bold">green</span>.'
    )


def test_a_progress_bar_shows_its_end():
    assert terminal("  1%\r 50%\r100%\ndone") == "100%\ndone"


def test_a_line_that_ends_with_a_return_is_kept():
    assert terminal("a\r\nb\r") == "a\nb"


def test_titles_and_other_sequences_are_left_out():
    assert terminal("\x1b]0;title\x07a\x1b[2Kb\x1b[?25lc\x08") == "abc"


def test_true_colours_are_ignored():
    assert terminal("\x1b[38;5;31mx\x1b[0m") == "x"


@given(st.text())
def test_any_text_is_escaped(text):
    assert active(terminal(text)) == []
    assert "\x1b" not in plain(text)
