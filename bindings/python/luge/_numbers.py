"""Checks of numbers that a call is given: TypeError for what is none, ValueError outside of what is allowed. Both name the call,
the argument and what was given."""

from __future__ import annotations

from typing import Any

_LEAST, _MOST = -(2**63), 2**63 - 1


def whole(op: str, argument: str, given: Any, least: int = _LEAST, most: int = _MOST) -> int:
    """An int from `least` to `most`. NumPy's integers are ints, bools are none."""
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise TypeError(f"{op}: {argument} is of type {type(given).__name__}; it must be an int")
    try:
        number = int(given.__index__())
    except TypeError:  # an array of several numbers, or of other numbers
        raise TypeError(f"{op}: {argument} is of type {type(given).__name__}; it must be an int") from None
    if not least <= number <= most:
        bounded = least > _LEAST or most < _MOST
        above = f"at least {least}" if most == _MOST and number < least else f"from {least} to {most}"
        raise ValueError(f"{op}: {argument} is {number}; it must {f'be {above}' if bounded else 'fit into 64 bits'}")
    return number


def probability(op: str, argument: str, given: Any) -> None:
    """A number from 0 to 1."""
    if isinstance(given, bool) or not hasattr(given, "__float__"):
        raise TypeError(f"{op}: {argument} is of type {type(given).__name__}; it must be a number from 0 to 1")
    if not 0 <= given <= 1:
        raise ValueError(f"{op}: {argument} is {given}; it must be from 0 to 1")
