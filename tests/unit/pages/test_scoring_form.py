"""The form of a model: data that are never executed, one script by its hash, a policy that lets nothing else run."""

import base64
import json
import re
from hashlib import sha256

import pytest

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.pages.layout import POLICY
from nbprod.pages.scoring_form import scoring_form, scoring_page
from tests.unit.pages.conftest import HOSTILE

SCHEMA = Schema(
    columns=(
        Column(name="hour", kind=ColumnKind.INTEGER, dtype="int64", low=0, high=23),
        Column(name="place", kind=ColumnKind.CATEGORY, dtype="str", categories=("north", "south"), nullable=True),
        Column(name="at", kind=ColumnKind.DATETIME, dtype="datetime64[us, Europe/Berlin]"),
    ),
    target="demand",
    task="classification",
    classes=("DOWN", "UP"),
    probabilistic=True,
)
PLAN = '{"format":1}'


def blocks(html):
    return {
        name: json.loads(text)
        for name, text in re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', html, re.DOTALL)
    }


def test_the_policy_allows_the_one_script_of_the_page_by_its_hash():
    form = scoring_form(SCHEMA, plan=PLAN)
    scripts = re.findall(r"<script>(.*?)</script>", form.html, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(sha256(scripts[0].encode()).digest()).decode()
    assert form.policy == f"{POLICY}; script-src 'sha256-{digest}'"
    page = scoring_page(form, title="demand/1", back="index.html")
    assert form.policy.replace("'", "&#39;") in page
    assert "asks the network for nothing" in page


def test_the_fields_come_from_the_schema():
    told = blocks(scoring_form(SCHEMA, plan=PLAN, examples=[{"hour": 7}], usual={"hour": 12}).html)["scoring-data"]
    hour, place, at = told["columns"]
    assert (hour["kind"], hour["low"], hour["high"], hour["text"]) == ("integer", 0, 23, False)
    assert (place["categories"], place["nullable"], place["text"]) == (["north", "south"], True, True)
    assert at["zone"] == "Europe/Berlin"
    assert (told["mode"], told["examples"], told["usual"]) == ("offline", [{"hour": 7}], {"hour": 12})


def test_with_a_server_the_page_may_ask_where_it_came_from_and_nobody_else():
    form = scoring_form(SCHEMA, mode="server")
    assert form.policy.endswith("; connect-src 'self'")
    assert "scoring-plan" not in blocks(form.html)
    assert "asks the server it came from" in scoring_page(form, title="demand")
    with pytest.raises(ValueError, match="offline"):
        scoring_form(SCHEMA)


@pytest.mark.parametrize("evil", [*HOSTILE, "</script><script>alert(1)</script>", "<!--<script>", "\u2028"])
def test_no_value_ends_the_block_it_stands_in(evil):
    schema = Schema(columns=(Column(name=evil, kind=ColumnKind.TEXT, dtype="str"),), target=evil, task="regression")
    html = scoring_form(schema, plan=json.dumps({"format": evil}), examples=[{evil: evil}]).html
    assert html.count("<script") == 3
    assert blocks(html)["scoring-data"]["columns"][0]["name"] == evil
    assert blocks(html)["scoring-plan"]["format"] == evil
