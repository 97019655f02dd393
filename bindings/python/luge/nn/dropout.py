"""Dropout: layers that drop elements or channels while the module is in training."""

from __future__ import annotations

from .._C import Parameters, Tensor
from .._numbers import probability
from ._arena import arena
from ._dropout import dropped
from .module import Module


class _Dropout(Module):
    _kind = "dropout"
    _dims: tuple[int, ...] = ()

    def __init__(self, p: float = 0.5, inplace: bool = False, *, params: Parameters | None = None) -> None:
        super().__init__()
        probability(type(self).__name__, "p", p)
        self.p, self.inplace = p, inplace
        home = arena(params)
        self._sets = (home.sets, home.first_set) if home is not None and home.batched else None

    def forward(self, input: Tensor) -> Tensor:
        return dropped(
            input,
            type(self).__name__,
            self._kind,
            self._dims,
            self.p,
            self.training,
            self.inplace,
            self._sets,
        )

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training each element is 0 with probability `p`, else x / (1 - p); in evaluation x itself. `inplace` overwrites x. In an
    arena with sets, given or built in, set i of x (sets, ...) draws the same numbers alone and in a larger batch.

    >>> luge.nn.Dropout(0.25).eval()(luge.ones(2))
    tensor([1., 1.])
    """


class Dropout1d(_Dropout):
    """Dropout of whole channels of (batch, channels, length) or (channels, length). Raises ShapeError.

    >>> luge.nn.Dropout1d(1.0)(luge.ones(1, 2, 2)).sum()
    tensor(0.)
    """

    _kind, _dims = "feature_dropout", (2, 3)


class Dropout2d(_Dropout):
    """Dropout of whole channels of (batch, channels, height, width); three dimensions are (batch, channels, length), as in
    PyTorch. Raises ShapeError.

    >>> luge.nn.Dropout2d(1.0)(luge.ones(1, 2, 2, 2)).sum()
    tensor(0.)
    """

    _kind, _dims = "feature_dropout", (4,)


class Dropout3d(_Dropout):
    """Dropout of whole channels of (batch, channels, depth, height, width), or without the batch. Raises ShapeError.

    >>> luge.nn.Dropout3d(1.0)(luge.ones(2, 1, 1, 1)).sum()
    tensor(0.)
    """

    _kind, _dims = "feature_dropout", (4, 5)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1 of what SELU gives.

    >>> luge.nn.AlphaDropout().eval()(luge.ones(2))
    tensor([1., 1.])
    """

    _kind = "alpha_dropout"


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of (batch, channels, ...). Raises ShapeError for fewer than two dimensions.

    >>> luge.nn.FeatureAlphaDropout().eval()(luge.ones(1, 2))
    tensor([[1., 1.]])
    """

    _kind = "feature_alpha_dropout"
