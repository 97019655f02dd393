"""How layers get their parameters: in an arena, or as leaves of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .. import _C
from .._C import Init, Parameters, Tensor, dtype
from .._C import device as _as_device
from ._leaves import ambient as _ambient
from ._leaves import plain as _plain


@contextlib.contextmanager
def build_in(params: Parameters) -> Iterator[Parameters]:
    """Modules that are made inside have their parameters in this arena, as if each layer were given `params`, and so do
    nn.Parameters: a model class written for one model becomes one of many sets. A parameter of its own starts with its values
    in every set, as "Parameter{number}".

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


def arena(params: Parameters | None) -> Parameters | None:
    """The arena that is given, or that is built in, or None."""
    return _ambient[-1] if params is None and _ambient else params


def added(
    params: Parameters | None,
    name: str | None,
    kind: str,
    entries: list[tuple[str, tuple[int, ...], Init]],
    device: Any = None,
    dtype: dtype | None = None,
) -> list[Tensor]:
    """Parameters in `params`, or in the arena that is built in, under `name.entry`; without an arena leaves of their own, on
    `device` and of `dtype`. Raises ValueError for an arena on another device or of another dtype, and for a name in use."""
    params = arena(params)
    if params is None:
        half = dtype in (_C.float16, _C.bfloat16)  # which an arena has not
        own = Parameters(device=device, dtype=None if half else dtype)
        leaves = [own.add(entry, shape, start) for entry, shape, start in entries]
        return [_plain(leaf.detach().to(dtype) if half else leaf) for leaf in leaves]
    if dtype is not None and dtype != params.dtype:
        raise ValueError(f"{kind}: dtype is {dtype} and the arena's is {params.dtype}; an arena has one dtype")
    if device is not None and (_as_device(device) if isinstance(device, str) else device) != params.device:
        raise ValueError(f"{kind}: device is {device} and the arena's is {params.device}; an arena has one device")
    taken = set(params.names())
    prefix = name if name is not None else f"{kind}{len(params)}"
    for entry, _, _ in entries:
        if f"{prefix}.{entry}" in taken:
            raise ValueError(f"{kind}: the name '{prefix}.{entry}' is in use")
    return [params.add(f"{prefix}.{entry}", shape, start) for entry, shape, start in entries]
