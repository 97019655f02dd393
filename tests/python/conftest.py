import pytest

import luge


@pytest.fixture(autouse=True)
def fresh_generator():
    """Every test draws the same numbers whatever ran before."""
    luge.manual_seed(0)
