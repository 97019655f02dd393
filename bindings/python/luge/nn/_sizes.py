"""Checks of what layers are made with."""

from __future__ import annotations

from typing import Any


def whole(kind: str, **sizes: Any) -> None:
    """Raises TypeError, with the name of the layer and of the argument, where one of the sizes is no integer."""
    for argument, size in sizes.items():
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"{kind}: {argument} is of type {type(size).__name__}; it must be an int")


def probability(kind: str, argument: str, given: Any) -> None:
    """Raises TypeError for what is no number, ValueError outside 0 to 1."""
    if isinstance(given, bool) or not hasattr(given, "__float__"):
        raise TypeError(f"{kind}: {argument} is of type {type(given).__name__}; it must be a number from 0 to 1")
    if not 0 <= given <= 1:
        raise ValueError(f"{kind}: {argument} is {given}; it must be from 0 to 1")
