import pytest

from nbprod.review import Reviews
from tests.integration.deployments.conftest import (
    deployments,
    empty_ledger,
    fitted,
    lake,
    models,
    packages,
    release,
    saved,
    stage,
    store,
)
from tests.unit.packages.conftest import make_rows

__all__ = [
    "deployments",
    "empty_ledger",
    "fitted",
    "lake",
    "models",
    "packages",
    "release",
    "saved",
    "stage",
    "store",
]


@pytest.fixture
def reviews(store, lake, packages, models):
    return Reviews(
        store, lake, resolve=models.resolve, folder=packages.folder, panel="nbprod.panels.review_panel:ReviewPanel"
    )


@pytest.fixture
def power(deployments, release):
    """A deployment of which every prediction is sent, with ten of them."""
    release()
    deployments.create("power", model="power@champion", review="random:1")
    made = deployments.open("power").predict(make_rows().head(10), ids=[f"p{number}" for number in range(10)])
    return made.set_index("prediction_id")
