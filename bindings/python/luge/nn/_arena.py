"""How layers get their parameters: in an arena, or as leaves of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .._C import Init, Parameters, Tensor
from .parameter import Parameter

_ambient: list[Parameters] = []


@contextlib.contextmanager
def build_in(params: Parameters) -> Iterator[Parameters]:
    """Modules that are made inside have their parameters in this arena, as if each layer were given `params`: a model class
    written for one model becomes one of many sets.

    >>> params = luge.Parameters(sets=7)
    >>> with luge.nn.build_in(params):
    ...     model = luge.nn.Sequential(luge.nn.Linear(3, 4), luge.nn.ReLU(), luge.nn.Linear(4, 2))
    >>> model(luge.zeros(5, 3)).shape
    (7, 5, 2)
    """
    if not isinstance(params, Parameters):
        raise TypeError(f"build_in: params is of type {type(params).__name__}; it must be luge.Parameters")
    _ambient.append(params)
    try:
        yield params
    finally:
        _ambient.pop()


def added(
    params: Parameters | None, name: str | None, kind: str, entries: list[tuple[str, tuple[int, ...], Init]]
) -> list[Tensor]:
    """Parameters in `params`, or in the arena that is built in, under `name.entry`; without an arena leaves of their own."""
    if params is None and _ambient:
        params = _ambient[-1]
    if params is None:
        own = Parameters()
        return [Parameter(own.add(entry, shape, start)) for entry, shape, start in entries]
    taken = set(params.names())
    prefix = name if name is not None else f"{kind}{len(params)}"
    for entry, _, _ in entries:
        if f"{prefix}.{entry}" in taken:
            raise ValueError(f"{kind}: the name '{prefix}.{entry}' is in use")
    return [params.add(f"{prefix}.{entry}", shape, start) for entry, shape, start in entries]
