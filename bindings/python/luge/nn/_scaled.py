"""What layers that normalize share: a weight and a bias, with sets or without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from .. import init
from .._C import Parameters, ShapeError, Tensor
from ._arena import added
from ._leaves import ambient as _ambient
from .module import Module


class Scaled(Module):
    """What may have a weight of ones and a bias of zeros, and says whether in an arena with sets."""

    weight: Tensor | None
    bias: Tensor | None

    def _made(
        self,
        shape: tuple[int, ...],
        weight: bool,
        bias: bool | None,
        params: Parameters | None,
        name: str | None,
        device: Any,
        dtype: Any,
    ) -> None:
        """Its parameters; `bias` None: it has not even the name."""
        arena = params if params is not None else _ambient[-1] if _ambient else None
        self._sets = arena.sets if arena is not None and arena.batched else None
        self._where: dict[str, Any] = {} if arena is None else {"device": arena.device, "dtype": arena.dtype}
        entries = [("weight", shape, init.ones())] if weight else []
        if bias:
            entries.append(("bias", shape, init.zeros()))
        made = added(params, name, type(self).__name__, entries) if entries else []
        self.register_parameter("weight", made[0] if weight else None)
        if bias is not None:
            self.register_parameter("bias", made[-1] if bias else None)
        self._given = {"device": device, "dtype": dtype}

    def _converted(self) -> None:
        """To the dtype and device that were asked for."""
        if self._given["device"] is not None or self._given["dtype"] is not None:
            self.to(**self._given)

    def _with_sets(self, x: Tensor, ndims: Sequence[int], channels: int) -> Tensor:
        """x (sets, batch, channels, ...) of an x that may be (batch, channels, ...), with one of `ndims`; as many as there
        are if that is empty."""
        sets, shape = cast(int, self._sets), tuple(x.shape)
        own = len(shape) >= 3 and shape[0] == sets and shape[2] == channels
        own = own and (not ndims or len(shape) - 1 in ndims)
        shared = len(shape) >= 2 and shape[1] == channels and (not ndims or len(shape) in ndims)
        if own:
            return x
        if not shared:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {shape}; it must be (batch, {channels}, ...) or "
                f"({sets}, batch, {channels}, ...), with {' or '.join(map(str, ndims)) or '2 or more'} dimensions but the sets'"
            )
        return x.unsqueeze(0).expand(sets, *shape)
