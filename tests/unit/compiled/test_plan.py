"""A plan is data: it is written and read back equal, byte for byte, and holds no code."""

import subprocess
import sys

import numpy as np
import pytest

from nbprod.compiled import CompiledModel, Plan
from nbprod.compiled.plan import ARRAYS, PLAN, Input, Step
from nbprod.errors import PackageError


def plan(**changed):
    parts = {
        "inputs": (Input(name="x", kind="number"), Input(name="y", kind="number")),
        "steps": (Step(op="linear", inputs=(0,), params={"weights": np.array([[2.0, -1.0]]), "intercepts": np.array([0.5])}),),
        "prediction": 1,
    }  # fmt: skip
    return Plan(**{**parts, **changed})


def test_equal_plans_are_equal_bytes_and_come_back():
    files = plan().files()
    assert files == plan().files()
    again = Plan.read(files.__getitem__)
    assert again.files() == files
    assert CompiledModel(again).predict_values([3.0, 1.0]) == (5.5,)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (PLAN, lambda _: b"{", "no compiled model"),
        (PLAN, lambda text: text.replace(b'"format":1', b'"format":2'), "format 2"),
        (PLAN, lambda text: text.replace(b'"inputs":[0]', b'"inputs":[1]'), "no registers"),
        (ARRAYS, lambda data: data[:40], "no compiled model"),
    ],
)
def test_a_plan_that_is_none_is_refused(name, change, message):
    files = plan().files()
    files[name] = change(files[name])
    with pytest.raises(PackageError, match=message):
        Plan.read(files.__getitem__)


def test_an_operation_of_a_later_release_is_refused_by_name():
    with pytest.raises(PackageError, match="'fly'"):
        CompiledModel(plan(steps=(Step(op="fly", inputs=(0,)),)))


def test_arrays_that_would_need_code_are_not_read():
    """An object array is a pickle; it is neither written nor read."""
    with pytest.raises(ValueError, match="Object arrays"):
        plan(steps=(Step(op="linear", inputs=(0,), params={"weights": np.array([{}])}),)).files()


def test_the_room_loads_neither_pandas_nor_scikit_learn():
    code = (
        "import sys; import nbprod.compiled; "
        "print(sorted({'pandas', 'sklearn', 'scipy', 'pyarrow', 'skops'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
