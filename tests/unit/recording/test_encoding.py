import base64
import io
import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need
from nbprod.recording.blobs import Blobs
from nbprod.recording.encoding import decode, encode


def there_and_back(value):
    """Through JSON, as a notebook's file keeps it."""
    text = json.dumps(encode(value, Blobs()), allow_nan=False, ensure_ascii=False)
    return decode(json.loads(text.encode("utf-8")), Blobs())


def through_a_browser(node):
    """JSON as JavaScript would save it: whole floats lose their point, large numbers their last digits."""
    if isinstance(node, float) and node.is_integer():
        return int(node)
    if isinstance(node, int) and not isinstance(node, bool):
        return int(float(node))
    if isinstance(node, list):
        return [through_a_browser(one) for one in node]
    if isinstance(node, dict):
        return {
            name: through_a_browser(node[name]) for name in sorted(node, key=lambda name: (not name.isdigit(), name))
        }
    return node


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    return one == other


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.datetimes(
        timezones=st.none() | st.timezones() | st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
    )
)
keys = st.text() | st.integers() | st.booleans() | st.none() | st.dates()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_python_values_come_back_exactly(value):
    assert same(there_and_back(value), value)


@given(values)
def test_values_survive_a_front_end_that_saves_the_notebook(value):
    assert same(decode(through_a_browser(encode(value, Blobs())), Blobs()), value)


@given(
    st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0).flatmap(
        lambda shape: st_numpy.arrays(st_numpy.scalar_dtypes(), shape)
    )
)
def test_arrays_come_back_bit_for_bit(array):
    back = there_and_back(array)
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@given(st_numpy.arrays(st_numpy.scalar_dtypes(), 1).map(lambda array: array[0]))
def test_numpy_scalars_come_back_with_their_type(scalar):
    back = there_and_back(scalar)
    assert type(back) is type(scalar)
    assert back.dtype == scalar.dtype.newbyteorder("=")
    assert back == scalar or (np.isnan(back) and np.isnan(scalar))


@given(
    st.integers(-(2**62), 2**62),
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.sampled_from([None, "UTC", "Europe/Paris", "Asia/Kathmandu", timezone(timedelta(hours=2))]),
)
def test_timestamps_come_back_with_unit_and_zone(number, unit, zone):
    try:
        moment = pd.Timestamp(number % 10**11, unit=unit).as_unit(unit)
    except (OverflowError, pd.errors.OutOfBoundsDatetime):
        return
    if zone is not None:
        moment = moment.tz_localize("UTC").tz_convert(zone)
    back = there_and_back(moment)
    assert (back, back.unit, back.utcoffset()) == (moment, moment.unit, moment.utcoffset())
    assert str(back.tz) == str(moment.tz)


@pytest.mark.parametrize("missing", [pd.NaT, pd.NA, None])
def test_each_kind_of_missing_stays_itself(missing):
    assert there_and_back(missing) is missing


def test_fold_and_zone_of_a_moment_stay():
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1)
    back = there_and_back(moment)
    assert (back.fold, back.utcoffset(), back.tzinfo) == (1, timedelta(hours=1), moment.tzinfo)


def test_checks_paths_and_texts_with_lone_surrogates_come_back():
    check = CheckResult(
        name="gain",
        outcome=CheckOutcome.FAILED,
        sentence="no gain",
        value=math.inf,
        low=-0.0,
        cause=Cause.SOURCE,
        needs=Need.OUTCOMES,
        needed=12,
    )
    value = [
        check,
        Path("a/b"),
        "\ud800",
        Decimal("1.10"),
        pd.Timedelta("3h"),
        {1: (check,)},
        time(9, 30, tzinfo=UTC),
    ]
    assert there_and_back(value) == value


class Colour(StrEnum):
    RED = "red"


class Shape(Enum):
    ROUND = 1


def test_an_enum_of_texts_comes_back_as_its_text():
    assert there_and_back({Colour.RED: 1}) == {Colour.RED: 1}
    with pytest.raises(TypeError, match="Shape"):
        encode(Shape.ROUND, Blobs())


class Half(float):
    pass


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        Half(0.5),
        [object()],
        np.array([object()]),
        np.ma.masked_array([1]),
        pd.Index([1]),
        pd.Period("2026"),
        np.rec.array([(1,)]),
    ],
)
def test_other_types_are_refused_by_name(value):
    with pytest.raises(TypeError, match="a value of the type"):
        encode(value, Blobs())


def test_a_knot_is_refused():
    knot = []
    knot.append(knot)
    with pytest.raises(ValueError, match="nested too deeply"):
        encode(knot, Blobs())


def test_a_pickled_array_is_not_read():
    """An ``.npy`` file can hold a pickle; reading it would run code."""
    file = io.BytesIO()
    np.save(file, np.array([date(2026, 1, 1)]), allow_pickle=True)
    node = encode(np.zeros(1), Blobs())
    node["base64"] = base64.b64encode(file.getvalue()).decode()
    with pytest.raises(ValueError, match="allow_pickle=False"):
        decode(node, Blobs())


def test_a_check_recorded_before_it_had_all_its_fields_is_read():
    """An executed notebook of an older nbprod stays readable, and says what it said."""
    node = encode(CheckResult(name="drift", outcome=CheckOutcome.FAILED, sentence="s"), Blobs())
    for name in ("cause", "needs", "needed"):
        del node["value"][name]
    node["value"]["rule"] = "as the reference has it"

    assert decode(node, Blobs()).cause is Cause.SOURCE
