"""How a cell ended, from the kernel's answer and what the cell has shown."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_output

from nbprod.domain.run import EndCause
from nbprod.notebook.cell_failure import of_reply
from nbprod.notebook.redaction import Redactor

GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "x.py", line 1, in <module>
  |     raise ExceptionGroup("several", [ValueError("a")])
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: a
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "x.py", line 3, in f
    |     open("b")
    | OSError: [Errno 2] No such file: 'b'
    +------------------------------------
"""


def end(ename, evalue, *outputs, tags=(), **more):
    reply = {"status": "error", "ename": ename, "evalue": evalue, **more}
    return of_reply(reply, stop=None, tags=tags, outputs=outputs, redactor=Redactor([]))


def test_an_error_while_a_value_is_shown_has_its_own_name():
    """The kernel answers ``NoneType: None``: the cell itself raised nothing."""
    shown = new_output("error", ename="FileNotFoundError", evalue="No such file: 'x.png'", traceback=[])
    found = end("NoneType", "None", shown, new_output("execute_result", data={}))
    assert (found.error, found.cause) == ("FileNotFoundError: No such file: 'x.png'", EndCause.ERROR)
    assert end("NoneType", "None").error == "Error: a value could not be shown"


def test_a_group_of_errors_says_what_is_inside():
    """Its own message counts them, and says nothing of what happened."""
    printed = new_output("stream", name="stderr", text=GROUP)
    said = end("ExceptionGroup", "unhandled errors in a TaskGroup (2 sub-exceptions)", printed).error
    assert said == (
        "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions): "
        "ValueError: a; OSError: [Errno 2] No such file: 'b'"
    )


def test_an_error_without_a_message_is_its_name():
    assert end("AssertionError", "").error == "AssertionError"


@pytest.mark.parametrize("status", ["", "0", "None"])
def test_a_cell_may_end_the_run_on_purpose_if_its_tag_says_so(status):
    assert end("SystemExit", status).is_wanted is False
    assert end("SystemExit", status, tags=["may-exit"]).is_wanted is True
    assert end("SystemExit", "3", tags=["may-exit"]).is_wanted is False
    assert end("ValueError", "0", tags=["may-exit"]).is_wanted is False


def test_exit_and_quit_count_as_well():
    payload = [{"source": "ask_exit"}]
    reply = {"status": "ok", "payload": payload}
    for tags, wanted in (((), False), (("may-exit",), True)):
        assert of_reply(reply, stop=None, tags=tags, outputs=[], redactor=Redactor([])).is_wanted is wanted
