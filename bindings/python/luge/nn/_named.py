"""Errors that begin with the name of the function that was called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

_Call = TypeVar("_Call", bound=Callable[..., Any])


def named(function: _Call) -> _Call:
    """The function, whose errors say its name first; one that comes from a missing attribute is a TypeError."""
    name = function.__name__
    told = (f"{name}: ", f"{name}()")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if str(error).startswith(told):
                raise
            kind = TypeError if isinstance(error, AttributeError) else type(error)
            raise kind(f"{name}: {error}") from error

    return call  # type: ignore[return-value]
