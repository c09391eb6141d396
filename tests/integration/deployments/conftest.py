import pytest

from nbprod.clock import now
from nbprod.deployments import Deployments
from nbprod.lake import Lake
from nbprod.models import Models
from tests.unit.conftest import empty_ledger
from tests.unit.packages.conftest import fitted, make_rows, packages, saved, stage, store

__all__ = ["empty_ledger", "fitted", "make_rows", "packages", "saved", "stage", "store"]


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def models(store, lake):
    return Models(store, lake)


@pytest.fixture
def deployments(store, lake, packages, models, tmp_path):
    return Deployments(
        store,
        lake,
        packages,
        models.resolve,
        private=["place"],
        spools=tmp_path / "spools",
        records=[tmp_path / "runs"],
    )


@pytest.fixture
def release(packages, models, stage):
    """Register, approve, bless and promote the package of a new run."""

    def make(model="power", *, expect=None, **staged):
        version = models.register(packages.build(stage(**staged)), model)
        models.approve(version, "good")
        models.bless_recorded(version, now())
        models.promote(version, expect=expect)
        return version

    return make
