"""Threads of numeric libraries."""

import sklearn.ensemble  # noqa: F401 — loads the OpenMP that is asked about
from threadpoolctl import threadpool_info

from nbprod.threads import one_thread_if_small, waiting_politely


def openmp():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}


def test_small_tables_are_worked_on_in_one_thread_and_large_ones_as_before():
    before = openmp()

    with one_thread_if_small(1000):
        assert openmp() == {1}
    with one_thread_if_small(10_000_000):
        assert openmp() == before
    assert openmp() == before


def test_a_policy_that_is_set_already_stays():
    assert waiting_politely({"A": "1"}) == {"OMP_WAIT_POLICY": "PASSIVE", "A": "1"}
    assert waiting_politely({"OMP_WAIT_POLICY": "ACTIVE"}) == {"OMP_WAIT_POLICY": "ACTIVE"}
