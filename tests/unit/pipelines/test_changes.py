"""Which earlier step's change reached a step."""

import pytest

from nbprod.domain.pipeline import Step
from nbprod.pipelines.changes import compare


def a_step(**parameters):
    return Step.parse("weekly", "judge", {"template": "judge", "parameters": parameters})


def ingredients(code="c", data=None, modules=None, environment="e", **parameters):
    return {
        "code": code,
        "parameters": parameters,
        "data": data or {},
        "modules": modules or {},
        "environment": environment,
    }


@pytest.mark.parametrize(
    ("given", "before", "after", "upstream", "words", "reached_by"),
    [
        # a package has a new name whenever it is made: that alone is no change
        ("{train.package}", ingredients(p="d1", data={"p": "d1"}), ingredients(p="d2", data={"p": "d2"}), (), "", ()),
        ("{train.package}", ingredients(p="d1"), ingredients(p="d2"), ("train",), "inputs changed although its code did not: p from train", ("train",)),
        ("{train.metrics.auc}", ingredients(p=0.8), ingredients(p=0.7), (), "inputs changed although its code did not: p from train", ("train",)),
        ("{train.metrics.auc}", ingredients(p=0.8), ingredients(p=0.8), ("train",), "", ()),
        # a file is another path and the same content
        ("{train.files.x}", ingredients(p="/1", data={"p": "f"}), ingredients(p="/2", data={"p": "f"}), ("train",), "", ()),
        ("{train.files.x}", ingredients(p="/1", data={"p": "f"}), ingredients(p="/2", data={"p": "g"}), (), "inputs changed although its code did not: p from train", ("train",)),
        # its own code changed as well: then nobody is surprised
        ("{train.package}", ingredients(p="d1"), ingredients(code="x", p="d2"), ("train",), "code; p from train", ()),
        ("{train.package}", ingredients(p="d1", q=1), ingredients(p="d2", q=2), ("train",), "inputs changed although its code did not: p from train; also parameters q", ("train",)),
        ("{train.package}", ingredients(p="d1", q=1), ingredients(p="d2", q=2), (), "parameters q", ()),
    ],
)  # fmt: skip
def test_a_change_is_followed_to_the_step_it_came_from(given, before, after, upstream, words, reached_by):
    found = compare(a_step(p=given), before, after, upstream)

    assert (found.description, found.reached_by) == (words, reached_by)
