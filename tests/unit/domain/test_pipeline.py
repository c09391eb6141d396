import pytest

from nbprod.domain.pipeline import Pipeline
from nbprod.errors import SettingsError


def parse(steps, **more):
    return Pipeline.parse("weekly", {"steps": steps, **more})


def test_each_step_comes_after_what_it_needs_and_what_it_refers_to():
    pipeline = parse(
        {
            "report": {"template": "c", "needs": ["judge"]},
            "judge": {"template": "b", "parameters": {"deep": [{"one": "{train.package}"}]}},
            "train": {"template": "a", "parameters": {"n": "{rows}"}},
        },
        inputs={"rows": 3},
    )

    assert [step.name for step in pipeline.steps] == ["train", "judge", "report"]
    assert pipeline["judge"].needs == ("train",)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({}, "has no steps"),
        ({"a": {}}, "must say one thing to do"),
        ({"a": {"template": "x", "notebook": "y.ipynb"}}, "must say one thing to do"),
        ({"a": {"notebook": "y"}}, "ends in .ipynb"),
        ({"a": {"template": "x", "need": []}}, "unknown setting need\nDid you mean needs"),
        ({"a": {"template": "x", "needs": ["b"]}}, "needs a step 'b' that is not there"),
        ({"a": {"template": "x", "parameters": {"p": "{bb.run}"}}, "b": {"template": "x"}}, "'bb'.*\nDid you mean b"),
        ({"a": {"template": "x", "parameters": {"p": "{rows}"}}}, "{rows}, which is not an input"),
        ({"a": {"template": "x", "parameters": {"p": "{b.version}"}}, "b": {"template": "x"}}, "does not give"),
        ({"a": {"template": "x", "parameters": {"p": "{rows"}}}, r"\[pipelines.weekly.steps.a\].*brace"),
        ({"a": {"template": "x", "needs": ["a"]}}, "in a circle: a"),
        ({"a": {"template": "x", "needs": ["b"]}, "b": {"template": "x", "needs": ["a"]}}, "in a circle: a → b"),
        ({"a": {"register": "m"}}, "registers a package"),
        ({"a": {"template": "x", "checks": "perhaps"}}, "One of stop, ignore"),
        ({"a": {"template": "x", "retries": -1}}, "zero or more"),
        ({"A b": {"template": "x"}}, "cannot be a step"),
    ],
)
def test_what_cannot_be_executed_is_refused_with_its_place(steps, words):
    with pytest.raises(SettingsError, match=f"(?s){words}"):
        parse(steps)
