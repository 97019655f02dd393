"""Checks of what layers are made with."""

from __future__ import annotations

from typing import Any


def whole(kind: str, **sizes: Any) -> None:
    """Raises TypeError, with the name of the layer and of the argument, where one of the sizes is no integer."""
    for argument, size in sizes.items():
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"{kind}: {argument} is of type {type(size).__name__}; it must be an int")


#: A number alone asks for layers: one that is not meant would fill the memory.
_MOST_LAYERS = 10_000


def layer_count(kind: str, argument: str, given: Any, least: int = 0) -> None:
    """Raises TypeError for what is no integer, ValueError outside `least` to 10000."""
    whole(kind, **{argument: given})
    if not least <= given <= _MOST_LAYERS:
        raise ValueError(f"{kind}: {argument} is {given}; it must be from {least} to {_MOST_LAYERS}")


def probability(kind: str, argument: str, given: Any) -> None:
    """Raises TypeError for what is no number, ValueError outside 0 to 1."""
    if isinstance(given, bool) or not hasattr(given, "__float__"):
        raise TypeError(f"{kind}: {argument} is of type {type(given).__name__}; it must be a number from 0 to 1")
    if not 0 <= given <= 1:
        raise ValueError(f"{kind}: {argument} is {given}; it must be from 0 to 1")
