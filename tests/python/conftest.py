import signal

import pytest

import luge


@pytest.fixture(autouse=True)
def fresh_generator():
    """Every test draws the same numbers whatever ran before."""
    luge.manual_seed(0)


@pytest.fixture
def hears_interrupts():
    """Ctrl-C raises KeyboardInterrupt, which a shell's background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
