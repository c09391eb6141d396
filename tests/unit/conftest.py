"""A ledger without rows, made once."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from nbprod.store import Store


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """Copies a new ledger to a path, which is quicker than making its tables anew; gives its address."""
    folder = tmp_path_factory.mktemp("ledger")
    Store.open(f"sqlite:///{folder / 'ledger.db'}", folder / "files", actor="nobody")
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all in one file

    def copy(path):
        shutil.copyfile(folder / "ledger.db", path)
        return f"sqlite:///{path}"

    return copy
