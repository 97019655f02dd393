"""Layers, and modules made of modules."""

from __future__ import annotations

import math

from .. import _C, init
from .._C import Init, Parameters, Tensor
from .module import Module
from .parameter import Parameter


def _added(
    params: Parameters | None, name: str | None, kind: str, entries: list[tuple[str, tuple[int, ...], Init]]
) -> list[Tensor]:
    """Parameters in an arena, under `name.entry`; without an arena leaves of their own."""
    if params is None:
        own = Parameters()
        return [Parameter(own.add(entry, shape, start)) for entry, shape, start in entries]
    taken = set(params.names())
    prefix = name if name is not None else f"{kind}{len(params)}"
    for entry, _, _ in entries:
        if f"{prefix}.{entry}" in taken:
            raise ValueError(f"{kind}: the name '{prefix}.{entry}' is in use")
    return [params.add(f"{prefix}.{entry}", shape, start) for entry, shape, start in entries]


class Linear(Module):
    """y = x weight^T + bias.

    Without `params` its parameters are leaves of their own, as in PyTorch. With a luge.Parameters they live in that arena as
    "name.weight" and "name.bias", with its leading axis of sets: x (batch, in), the same for all sets, or (sets, batch, in)
    gives (sets, batch, out). `weight_init` and `bias_init` are of luge.init; the default is PyTorch's.

    >>> luge.nn.Linear(3, 2)(luge.zeros(5, 3)).shape
    (5, 2)
    >>> params = luge.Parameters(sets=7)
    >>> luge.nn.Linear(3, 2, params=params)(luge.zeros(5, 3)).shape
    (7, 5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"Linear: in_features is {in_features} and out_features is {out_features}; both must be 1 or more"
            )
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features)
        weight_start = weight_init or init.kaiming_uniform(in_features, math.sqrt(5))
        entries: list[tuple[str, tuple[int, ...], Init]] = [("weight", (out_features, in_features), weight_start)]
        if bias:
            entries.append(("bias", (out_features,), bias_init or init.uniform(-bound, bound)))
        made = _added(params, name, "Linear", entries)
        self.weight = made[0]
        self.register_parameter("bias", made[1] if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        return _C.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A table of vectors, standard normal at the start; see functional.embedding.

    >>> luge.nn.Embedding(10, 4)(luge.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
    ) -> None:
        super().__init__()
        if num_embeddings < 1 or embedding_dim < 1:
            raise ValueError(
                f"Embedding: num_embeddings is {num_embeddings} and embedding_dim is {embedding_dim}; both must be 1 or more"
            )
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        start = weight_init or init.normal()
        self.weight = _added(params, name, "Embedding", [("weight", (num_embeddings, embedding_dim), start)])[0]

    def forward(self, input: Tensor) -> Tensor:
        return _C._embedding(input, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Flatten(Module):
    """Neighbouring dimensions as one; by default all but the first."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.start_dim, self.end_dim)


class ReLU(Module):
    """relu(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.relu(x)


class GELU(Module):
    """gelu(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.gelu(x)


class SiLU(Module):
    """silu(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.silu(x)


class Sigmoid(Module):
    """sigmoid(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.sigmoid(x)


class Tanh(Module):
    """tanh(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.tanh(x)


class LeakyReLU(Module):
    """leaky_relu(x, negative_slope)"""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return _C.leaky_relu(x, self.negative_slope)


class Hardshrink(Module):
    """hardshrink(x, lambd)"""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        return _C.hardshrink(x, self.lambd)


class Softplus(Module):
    """softplus(x, beta)"""

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        return _C.softplus(x, self.beta)


class Softmax(Module):
    """softmax(x, dim)"""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return _C.softmax(x, self.dim)


class LogSoftmax(Module):
    """log_softmax(x, dim)"""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return _C.log_softmax(x, self.dim)


class MSELoss(Module):
    """mse_loss(input, target, reduction)"""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _C.mse_loss(input, target, self.reduction)


class CrossEntropyLoss(Module):
    """cross_entropy with these options"""

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _C.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
