import numpy as np
import pytest

from tests.unit.packages.conftest import built, fitted, make_rows, saved, shared_packages, shared_store

__all__ = ["built", "fitted", "saved", "shared_packages", "shared_store"]


@pytest.fixture
def package(built):
    return built()


@pytest.fixture
def rows():
    """A thousand rows with a key and a column the model does not take."""
    return make_rows(1000, seed=21).assign(key=np.arange(1000), other="x")


@pytest.fixture
def source(tmp_path, rows):
    path = tmp_path / "rows.parquet"
    rows.to_parquet(path, index=False)
    return path


@pytest.fixture
def expected(package, shared_packages, rows):
    """What the package itself predicts."""
    return shared_packages.load(package).predict(rows)
