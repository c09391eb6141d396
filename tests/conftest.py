"""What every test shares."""

import gc
import os

from hypothesis import HealthCheck, settings

from nbprod.threads import waiting_politely

# before any numeric library is loaded: tests run beside each other, and spinning threads would starve them
os.environ.update(waiting_politely(os.environ))

# no clocks: they would fail on a busy machine. `make soak` looks at many more examples than a usual run.
ANY_MACHINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=15, **ANY_MACHINE)
settings.register_profile("thorough", max_examples=1000, **ANY_MACHINE)
settings.load_profile("quick")


def pytest_collection_finish():
    gc.freeze()  # what was imported stays: looking through it again and again takes a tenth of the time
