"""Every test draws the same numbers, whichever tests ran before it."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def fresh_random(request):
    """Start the module's generator anew."""
    random = getattr(request.module, "RANDOM", None)
    if random is not None:
        random.bit_generator.state = np.random.default_rng(0).bit_generator.state
