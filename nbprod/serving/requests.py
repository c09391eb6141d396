"""Bodies of requests as strict JSON: what RFC 8259 leaves open (NaN, names given twice, half characters) is refused.

The quick decoder knows the form it expects. Where it fails, and where a count of quotation marks says that a name may
have come twice, the body is read again slowly and the place at fault is named; the value never is.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

from nbprod.errors import NbprodError

__all__ = ["BodyError", "FormError", "PredictRequest", "Scalar", "read_json", "read_predict"]

Scalar = str | float | int | bool | None
MOST_UNIT = 256  # characters


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /predict``."""

    rows: list[dict[str, Scalar]]
    unit: str | msgspec.UnsetType | None = msgspec.UNSET


class BodyError(NbprodError):
    """A body that is no strict JSON; the message says what it is instead."""


class FormError(NbprodError):
    """A body of another form than expected.

    Parameters
    ----------
    field
        Its name; empty for the body or the row itself.
    expected
        What was expected there, in words.
    problem
        ``type``, ``missing`` or ``unknown``.
    row
        Its position, from 0; ``None`` when it is not about a row.
    """

    def __init__(self, field: str, expected: str, *, problem: str = "type", row: int | None = None) -> None:
        super().__init__(f"{field or 'the body'}: {problem}; expected {expected}")
        self.record = {"row": row, "field": field, "problem": problem, "expected": expected}


decode_predict = msgspec.json.Decoder(PredictRequest).decode
FORM = 'an object such as {"rows": [{…}, …], "unit": "…"}'


def read_predict(body: bytes) -> PredictRequest:
    """Rows and unit of a body; values of a type no field has are left to the check of the rows.

    Raises
    ------
    BodyError
        It is no strict JSON.
    FormError
        It has another form.
    """
    try:
        asked = decode_predict(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        asked = _predict_request(read_json(body))
    else:
        # without an escape each text has two quotation marks: those of distinct names and values, or one came twice
        texts = sum(len(row) for row in asked.rows) + sum(type(v) is str for row in asked.rows for v in row.values())
        texts += 1 + (asked.unit is not msgspec.UNSET) + isinstance(asked.unit, str)
        if body.count(b'"') != 2 * texts or b"\\" in body:
            read_json(body)
    if isinstance(asked.unit, str) and not 0 < len(asked.unit) <= MOST_UNIT:
        raise FormError("unit", f"text of 1 to {MOST_UNIT} characters")
    return asked


def _predict_request(value: Any) -> PredictRequest:
    if not isinstance(value, dict):
        raise FormError("", FORM)
    if unknown := sorted(value.keys() - {"rows", "unit"}):
        raise FormError(unknown[0], FORM, problem="unknown")
    if "rows" not in value:
        raise FormError("rows", FORM, problem="missing")
    rows, unit = value["rows"], value.get("unit")
    if not isinstance(rows, list):
        raise FormError("rows", "a list of rows")
    if not isinstance(unit, str | None):
        raise FormError("unit", "text")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise FormError("", "an object from field to value", row=number)
    return PredictRequest(rows=rows, unit=unit)


def read_json(body: bytes) -> Any:
    """Any strict JSON, slowly.

    Raises
    ------
    BodyError
        Naming what is wrong with it.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_number)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise BodyError("the body holds half a character (a lone surrogate)") from None
    except UnicodeDecodeError:
        raise BodyError("the body is not UTF-8") from None
    except json.JSONDecodeError as problem:
        raise BodyError(f"the body is no JSON: {problem.msg} at character {problem.pos}") from None
    except RecursionError:
        raise BodyError("the body is nested too deep") from None
    except ValueError:  # an integer of more digits than Python reads
        raise BodyError("the body holds a number that is too long") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BodyError("the body names a field twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise BodyError(f"{text} is no number in JSON; write null for a missing value")


def _number(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise BodyError("the body holds a number that is too large")
    return value
