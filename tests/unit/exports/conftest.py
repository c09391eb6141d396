import pytest

from nbprod.exports import Exports
from nbprod.models import Models
from tests.unit.packages.conftest import built, fitted, saved, shared_packages, shared_store

__all__ = ["built", "fitted", "saved", "shared_packages", "shared_store"]


@pytest.fixture(scope="session")
def models(shared_store):
    return Models(shared_store, None)


@pytest.fixture(scope="session")
def version(models, built):
    """An approved version of a forest, which is the champion; tests only read it."""
    made = models.register(built("binary"), model="electricity_eu", note="tried in May")
    models.approve(made, note="good enough")
    made = models.bless_recorded(made, made.registered_at)
    models.promote(made, expect=None)
    return models.resolve(made)


@pytest.fixture(scope="session")
def exports(models, shared_packages):
    return Exports(models, shared_packages)
