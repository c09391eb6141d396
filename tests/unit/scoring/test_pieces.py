"""Every row is in one piece, wherever row groups and files end."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import DataError
from nbprod.scoring.pieces import open_inputs
from nbprod.scoring.reading import rows_of

SCHEMA = Schema(columns=(Column(name="x", kind=ColumnKind.NUMBER, dtype="float64"),), target="y", task="regression")


def write(path, first, rows, group):
    pq.write_table(pa.table({"x": np.arange(first, first + rows, dtype=float)}), path, row_group_size=group)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 30)), min_size=1, max_size=3),
    rows=st.integers(1, 70),
    order=st.randoms(use_true_random=False),
)
def test_pieces_read_in_any_order_are_the_rows(tmp_path_factory, files, rows, order):
    """Also when a worker gets only some of them, out of order."""
    folder = tmp_path_factory.mktemp("files")
    start = 0
    for number, (size, group) in enumerate(files):
        write(folder / f"{number}.parquet", start, size, group)
        start += size
    pieces, number, begun = [], 0, 0
    for one in open_inputs(folder, SCHEMA):
        found = list(one.pieces(rows, ["x"], number=number, start=begun, skip=frozenset()))
        assert len(found) == one.count(rows)
        pieces += found
        number, begun = number + len(found), begun + one.rows
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert max(piece.rows for piece in pieces) <= rows
    order.shuffle(pieces)
    for piece in pieces:
        table = rows_of(piece, ["x"], "job")
        assert table["x"].to_pylist() == list(range(piece.start, piece.start + piece.rows))


def test_a_stream_is_cut_alike_and_goes_on_behind_what_is_done(tmp_path):
    """CSV has no row groups; its rows travel with the piece."""
    (tmp_path / "a.csv").write_text("x\n" + "\n".join(map(str, range(10))) + "\n")
    [file] = open_inputs(tmp_path / "a.csv", SCHEMA)
    pieces = list(file.pieces(4, ["x"], number=7, start=100, skip=frozenset({8})))
    assert [(piece.number, piece.first, piece.start) for piece in pieces] == [(7, 0, 100), (9, 8, 108)]
    assert rows_of(pieces[1], ["x"], "job")["x"].to_pylist() == [8, 9]


def test_another_content_has_another_mark(tmp_path):
    """What makes a job the same must notice a file that was written again."""
    path = tmp_path / "a.parquet"
    write(path, 0, 5, 5)
    [before] = open_inputs(path, SCHEMA)
    [same] = open_inputs(path, SCHEMA)
    write(path, 1, 5, 5)
    [after] = open_inputs(path, SCHEMA)
    assert before.mark == same.mark != after.mark


def test_a_pattern_without_files_says_so(tmp_path):
    """And does not score nothing."""
    with pytest.raises(DataError, match="no file matches"):
        open_inputs(str(tmp_path / "*.parquet"), SCHEMA)
