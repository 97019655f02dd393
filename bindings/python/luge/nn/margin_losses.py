"""Losses with a margin as modules: each does what luge.nn.functional says of the function of its name."""

from __future__ import annotations

from collections.abc import Callable

from .._C import Tensor
from . import functional as F
from .distance import PairwiseDistance
from .losses import _Loss, _WeightedLoss


class _MarginLoss(_Loss):
    _margin = 0.0

    def __init__(
        self,
        margin: float | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = self._margin if margin is None else margin


class HingeEmbeddingLoss(_MarginLoss):
    """hinge_embedding_loss with these options; the margin is 1 unless given.

    >>> luge.nn.HingeEmbeddingLoss(reduction="sum")(luge.tensor([0.5, 0.25]), luge.tensor([1, -1]))
    tensor(1.2500)
    """

    _margin = 1.0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_MarginLoss):
    """margin_ranking_loss with these options; the margin is 0 unless given.

    >>> luge.nn.MarginRankingLoss()(luge.tensor([1.0]), luge.tensor([3.0]), luge.tensor([1]))
    tensor(2.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """cosine_embedding_loss with these options; the margin is 0 unless given.

    >>> luge.nn.CosineEmbeddingLoss(0.5)(luge.ones(1, 2), luge.ones(1, 2), luge.tensor([-1]))
    tensor(0.5000)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """soft_margin_loss with this reduction.

    >>> luge.nn.SoftMarginLoss()(luge.tensor([0.0]), luge.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """multilabel_margin_loss with this reduction.

    >>> luge.nn.MultiLabelMarginLoss()(luge.tensor([[0.1, 0.2, 0.4]]), luge.tensor([[2, -1, 0]]))
    tensor(0.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """multilabel_soft_margin_loss with these options.

    >>> luge.nn.MultiLabelSoftMarginLoss()(luge.zeros(1, 2), luge.ones(1, 2))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """multi_margin_loss with these options. Raises ValueError for a p that is not 1 or 2.

    >>> luge.nn.MultiMarginLoss()(luge.tensor([[1.0, 0.5]]), luge.tensor([0]))
    tensor(0.2500)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p is {p}; it must be 1 or 2")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class TripletMarginLoss(_Loss):
    """triplet_margin_loss with these options. Raises ValueError for margin <= 0.

    >>> luge.nn.TripletMarginLoss(2.0)(luge.zeros(1, 1), luge.zeros(1, 1), luge.ones(1, 1))
    tensor(1.0000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin is {margin}; it must be above 0")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """triplet_margin_with_distance_loss with these options. Raises ValueError for margin <= 0.

    >>> far = luge.tensor([[3.0, 4.0]])
    >>> luge.nn.TripletMarginWithDistanceLoss()(luge.zeros(1, 2), far, far)
    tensor(1.)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: margin is {margin}; it must be above 0")
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
