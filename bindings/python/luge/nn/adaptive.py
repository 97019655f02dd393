"""A softmax over many classes, of which few are frequent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import _C
from .._C import Parameters, Tensor, dtype
from . import functional as F
from ._arena import arena
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module


class ASMoutput(NamedTuple):
    """What AdaptiveLogSoftmaxWithLoss gives: the samples' log-probabilities, and their mean with the sign changed.

    >>> luge.nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2])(luge.ones(3, 4), luge.tensor([0, 2, 5])).output.shape
    (3,)
    """

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """log_softmax over `n_classes` in clusters that end at `cutoffs`, the frequent classes first; the features of each further
    cluster are `div_value` times fewer (Grave et al., arXiv:1609.04309). x (batch, in) and labels (batch), or (in) and one label.
    All clusters are computed for all samples, so that a step can be captured. Without sets. Raises ValueError for other cutoffs,
    ShapeError, IndexError.

    >>> luge.nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2]).log_prob(luge.ones(3, 4)).shape
    (3, 6)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        kept = list(cutoffs)
        if not kept or kept != sorted(set(kept)) or min(kept) <= 0 or max(kept) > n_classes - 1:
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs are {kept}; they must rise from 1 or more to {n_classes - 1} or less"
            )
        home = arena(params)
        if home is not None and home.batched:
            raise ValueError("AdaptiveLogSoftmaxWithLoss: the arena has sets; it has none")
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*kept, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = kept[0]
        self.n_clusters = len(kept)
        self.head_size = self.shortlist_size + self.n_clusters

        def linear(place: str, inputs: int, outputs: int, bias: bool = False) -> Linear:
            own = f"{name}.{place}" if name is not None else None
            return Linear(inputs, outputs, bias=bias, device=device, dtype=dtype, params=params, name=own)

        self.head = linear("head", in_features, self.head_size, bias=head_bias)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(Sequential(linear(f"tail.{i}.0", in_features, hidden), linear(f"tail.{i}.1", hidden, size)))

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes, (batch, n_classes)."""
        head = F.log_softmax(self.head(input), -1)
        parts = [head[..., : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(
                F.log_softmax(cluster(input), -1) + head[..., self.shortlist_size + i : self.shortlist_size + i + 1]
            )
        return _C.cat(parts, -1)

    def predict(self, input: Tensor) -> Tensor:
        """The classes of largest probability, (batch)."""
        return self.log_prob(input).argmax(-1)

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        shape = input_.shape
        if input_.ndim not in (1, 2) or tuple(target_.shape) != tuple(shape[:-1]):
            raise _C.ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: input has shape {shape} and target has {target_.shape}; they must be "
                "(batch, in) and (batch), or (in) and ()"
            )
        output = -F.nll_loss(self.log_prob(input_), target_, reduction="none")
        return ASMoutput(output, -output.mean())
