from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.notebook.redaction import MARK, Redactor

SECRET = 'pa"ss wörd/42+x'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps({"token": SECRET}),
        f"https://user:{quote(SECRET, safe='')}@host/",
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"u:{SECRET}:more".encode()).decode(),
        repr([SECRET]),
    ],
)
def test_usual_encodings_are_taken_out(text):
    redacted = Redactor([SECRET]).text(text)
    assert MARK in redacted
    for piece in (SECRET, base64.b64encode(SECRET.encode()).decode()[4:-4]):
        assert piece not in redacted


@given(
    st.text(alphabet="abc \n", max_size=40),
    st.text(alphabet="abc \n", max_size=40),
    st.lists(st.integers(1, 90), max_size=6),
)
def test_a_secret_cut_anywhere_while_it_is_printed_is_found_and_the_rest_arrives_whole(before, after, cuts):
    secret = "s3cr3t-tok3n"
    text = f"{before}{secret}{after}"
    redactor = Redactor([secret])
    ends = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    shown = "".join(redactor.printed("c", "stdout", text[a:b]) for a, b in pairwise(ends))
    shown += "".join(rest for _, rest in redactor.rest("c"))
    assert shown == f"{before}{MARK}{after}"


def test_texts_deep_inside_are_found():
    value = {"data": {"text/plain": [f"x {SECRET}"]}, "n": 1}
    assert Redactor([SECRET]).anywhere(value) == {"data": {"text/plain": [f"x {MARK}"]}, "n": 1}


def test_without_secrets_nothing_is_looked_at():
    redactor = Redactor()
    value = {"a": ["b"]}
    assert redactor.anywhere(value) is value
    assert redactor.printed("c", "stdout", "text") == "text"
    assert Redactor(["abc"]).text("abc") == "abc"


def test_a_file_is_cleaned_in_place(tmp_path):
    (tmp_path / "log").write_text(f"said {SECRET}\n")
    Redactor([SECRET]).file(tmp_path / "log")
    assert (tmp_path / "log").read_text() == f"said {MARK}\n"
