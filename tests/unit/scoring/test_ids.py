"""Ids of a job are the same however often they are made."""

import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.errors import DataError
from nbprod.scoring.ids import MOST_ROWS, job_ids

AT = datetime(2026, 11, 20, 9, 44, 13, 500_000, tzinfo=UTC)


@given(
    st.lists(st.integers(0, MOST_ROWS - 1), unique=True, min_size=1, max_size=20), st.binary(min_size=32, max_size=32)
)
def test_each_row_has_a_uuid_of_version_7_that_sorts_with_it(rows, key):
    """RFC 9562: version and variant are right, the moment can be read, the order of ids is that of rows."""
    made = job_ids(np.array(rows), at=AT, key=key.hex()).to_pylist()
    for one in map(uuid.UUID, made):
        assert one.version == 7
        assert one.variant == uuid.RFC_4122
        assert one.int >> 80 == int(AT.timestamp() * 1000)
    assert [row for _, row in sorted(zip(made, rows, strict=True))] == sorted(rows)
    assert job_ids(np.array(rows), at=AT, key=key.hex()).to_pylist() == made
    assert set(job_ids(np.array(rows), at=AT, key=key[::-1].hex() + "0").to_pylist()) != set(made) or key == key[::-1]


def test_more_rows_than_a_counter_holds_are_refused():
    """34 bits count the rows of a job."""
    with pytest.raises(DataError, match="at most 17,179,869,184 rows"):
        job_ids(np.array([MOST_ROWS]), at=AT, key="0" * 64)
