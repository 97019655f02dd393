"""Modules: layers that hold parameters, and layers made of layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from .. import _C, init
from .._C import Init, Parameters, Tensor
from ..autograd import no_grad


def Parameter(data: Tensor, requires_grad: bool = True) -> Tensor:
    """A leaf of its own, with the values of `data`: what a Module takes for a parameter when it is assigned to it.

    >>> luge.nn.Parameter(luge.zeros(2)).requires_grad
    True
    """
    return data.detach().clone().requires_grad_(requires_grad)


def clip_grad_norm_(parameters: Parameters, max_norm: float | Tensor) -> Tensor:
    """Scales the gradients of each set so that their joint norm is at most `max_norm`; returns the norms before."""
    return parameters.clip_grad_norm_(max_norm)


class Module:
    """What all layers share, as torch.nn.Module: parameters and modules that are assigned to it are its own."""

    training: bool

    def __init__(self) -> None:
        object.__setattr__(self, "_parameters", {})
        object.__setattr__(self, "_modules", {})
        object.__setattr__(self, "training", True)

    _parameters: dict[str, Tensor]
    _modules: dict[str, Module]

    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning '{name}'")
        self._parameters.pop(name, None)
        self._modules.pop(name, None)
        if isinstance(value, Module):
            self._modules[name] = value
        elif isinstance(value, Tensor) and value.requires_grad and value.is_leaf:
            self._parameters[name] = value
        object.__setattr__(self, name, value)

    def forward(self, *args: Any) -> Any:
        """What a call of the module computes: to be defined by each kind of module."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x)")

    def __call__(self, *args: Any) -> Any:
        return self.forward(*args)

    def children(self) -> Iterator[Module]:
        """The modules assigned to it."""
        return iter(self._modules.values())

    def modules(self) -> Iterator[Module]:
        """Itself and all modules below."""
        yield self
        for child in self.children():
            yield from child.modules()

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """All parameters, its own and those of the modules below, with names such as "hidden.weight"."""
        for name, parameter in self._parameters.items():
            yield prefix + name, parameter
        for name, module in self._modules.items():
            yield from module.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Tensor]:
        """All parameters: what an optimizer takes."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def state_dict(self) -> dict[str, Tensor]:
        """The parameters' values by name; they share memory with the parameters."""
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Overwrites the parameters' values. Raises ValueError for names or shapes that differ; nothing has changed then."""
        own = dict(self.named_parameters())
        missing, unexpected = sorted(own.keys() - state_dict.keys()), sorted(state_dict.keys() - own.keys())
        if missing or unexpected:
            raise ValueError(f"load_state_dict: missing are {missing}; unexpected are {unexpected}")
        for name, parameter in own.items():
            if state_dict[name].shape != parameter.shape:
                raise _C.ShapeError(
                    f"load_state_dict: {name} has shape {state_dict[name].shape}; it must be {parameter.shape}"
                )
        with no_grad():
            for name, parameter in own.items():
                parameter.copy_(state_dict[name])

    def train(self, mode: bool = True) -> Module:
        """Sets `training` of it and of all modules below."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Module:
        """train(False)."""
        return self.train(False)

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Brings the parameters to another device or dtype. To be called before an optimizer is made of them."""
        for module in self.modules():
            for name, parameter in list(module._parameters.items()):
                moved = parameter.detach().to(*args, **kwargs)
                if moved.device != parameter.device or moved.dtype != parameter.dtype:
                    setattr(module, name, moved.requires_grad_())
        return self

    def extra_repr(self) -> str:
        """What stands in the brackets of repr()."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


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
        self.bias = made[1] if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return _C.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def embedding(input: Tensor, weight: Tensor) -> Tensor:
    """Rows of a table: weight (count, dim) and indices (...) give (..., dim); weight (sets, count, dim) and indices (batch),
    the same for all sets, or (sets, batch) give (sets, batch, dim).

    >>> luge.nn.functional.embedding(luge.tensor([1, 0]), luge.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    if weight.ndim == 2:
        rows: Tensor = _C.index_select(weight, 0, input.reshape(-1))
        return rows.reshape(*input.shape, weight.shape[1])
    if input.ndim == 1:
        return _C.index_select(weight, 1, input)
    return _C.gather(weight, 1, input.unsqueeze(-1).expand(-1, -1, weight.shape[2]))


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
        return embedding(input, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


class ModuleList(Module):
    """Modules in a list, which a Module sees."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Adds a module at the end."""
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]


class Sequential(ModuleList):
    """Modules one after the other.

    >>> model = luge.nn.Sequential(luge.nn.Linear(2, 3), luge.nn.ReLU(), luge.nn.Linear(3, 1))
    >>> model(luge.zeros(4, 2)).shape
    (4, 1)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = module(x)
        return x


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
    """cross_entropy(input, target, reduction)"""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return _C.cross_entropy(input, target, self.reduction)
