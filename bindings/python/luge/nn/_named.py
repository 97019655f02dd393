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


def named_as(name: str, doc: str, function: _Call) -> _Call:
    """named() of a function that is made for several names."""
    made: Any = function
    made.__name__ = made.__qualname__ = name
    made.__code__ = made.__code__.replace(co_name=name)  # Python 3.9 has it from here
    made.__doc__ = doc
    return named(function)
