"""The author's modules: found, named by their digest, and imported from sources in memory."""

import sys

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer

from nbprod import formats
from nbprod.errors import UntrustedTypesError
from nbprod.formats.carrying import carry
from nbprod.formats.restoring import code_name, import_code


@pytest.fixture
def author(tmp_path, monkeypatch):
    """A folder of modules as beside a notebook."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"steps", "deep", "kit"}:
            del sys.modules[name]


def write(folder, **modules):
    for name, source in modules.items():
        path = folder / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)


def test_a_module_and_what_it_imports_is_carried_under_the_digest(author, tmp_path):
    write(
        author,
        steps="import deep\nfrom kit.more import some\n\n\ndef twice(values):\n    return deep.two() * some(values)\n",
        deep="def two():\n    return 2\n",
        kit__in____init__="from . import rest\n",
        kit__in__more="from .rest import one\n\n\ndef some(values):\n    return values * one\n",
        kit__in__rest="one = 1\n",
        other="raise SystemExit\n",
    )
    import steps

    data, files = carry(skops.io.dumps(FunctionTransformer(steps.twice)))
    package = next(iter(files)).partition("/")[0]

    assert sorted(name.partition("/")[2] for name in files) == [
        "deep.py", "kit/__init__.py", "kit/more.py", "kit/rest.py", "steps.py",
    ]  # fmt: skip
    assert package == code_name({name.partition("/")[2]: source for name, source in files.items()})
    assert skops.io.get_untrusted_types(data=data) == [f"{package}.steps.twice"]


def test_what_is_read_is_the_source_that_was_written(author, tmp_path):
    """The module may be another by now, or gone; nothing is written beside the sources."""
    write(author, steps="def twice(values):\n    return values * 2\n")
    import steps

    place = tmp_path / "model"
    place.mkdir()
    formats.get("skops").write(FunctionTransformer(steps.twice), place)
    write(author, steps="raise SystemExit\n")
    del sys.modules["steps"]
    _, again = formats.read_written("skops", place)

    assert again.transform(np.array([[3]])).tolist() == [[6]]
    assert again.func.__module__.startswith("nbprod_code_")
    assert "steps" not in sys.modules
    assert not list(place.rglob("__pycache__"))


def test_a_model_that_came_with_code_can_be_written_again(author, tmp_path):
    """A model that learns on from a package carries the package's modules."""
    write(author, steps="def twice(values):\n    return values * 2\n")
    import steps

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    formats.get("skops").write(FunctionTransformer(steps.twice), first)
    _, read = formats.read_written("skops", first)
    formats.get("skops").write(read, second)
    assert formats.read_written("skops", second)[1].transform(np.array([[3]])).tolist() == [[6]]
    names = [sorted(path.relative_to(each).as_posix() for path in each.rglob("*.py")) for each in (first, second)]
    assert names[0] == names[1]


def test_without_trust_in_the_code_nothing_is_constructed(author, tmp_path):
    write(author, steps="def twice(values):\n    return values * 2\n")
    import steps

    place = tmp_path / "model"
    place.mkdir()
    formats.get("skops").write(FunctionTransformer(steps.twice), place)
    with pytest.raises(UntrustedTypesError, match=r"steps\.twice"):
        formats.get("skops").read(place)


def test_a_package_must_have_the_name_of_its_content():
    with pytest.raises(ValueError, match="not what its name says"):
        import_code({"nbprod_code_0123456789abcdef/steps.py": "x = 1\n"})


def test_installed_modules_stay_where_they_are():
    data = skops.io.dumps(FunctionTransformer(pytest.approx))
    same, files = carry(data)
    assert (same, files) == (data, {})


def test_a_lambda_of_a_module_is_refused(author, tmp_path):
    write(author, steps="halved = lambda values: values / 2\n")
    import steps

    with pytest.raises(UntrustedTypesError, match="a lambda"):
        formats.get("skops").write(FunctionTransformer(steps.halved), tmp_path)
