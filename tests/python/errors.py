"""What calls raise."""

import pytest


def check_error(call, error, start):
    """The call raises an error of this type, whose text begins so."""
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value).startswith(start), str(raised.value)
