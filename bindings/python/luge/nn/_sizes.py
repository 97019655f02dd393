"""Checks of how large layers are to be."""

from __future__ import annotations

from typing import Any

from .. import _numbers


def whole(kind: str, **sizes: Any) -> None:
    """Raises TypeError, with the name of the layer and of the argument, where one of the sizes is no integer."""
    for argument, size in sizes.items():
        _numbers.whole(kind, argument, size)


#: A number alone asks for layers: one that is not meant would fill the memory.
_MOST_LAYERS = 10_000


def layer_count(kind: str, argument: str, given: Any, least: int = 0) -> None:
    """Raises TypeError for what is no integer, ValueError outside `least` to 10000."""
    _numbers.whole(kind, argument, given, least, _MOST_LAYERS)
