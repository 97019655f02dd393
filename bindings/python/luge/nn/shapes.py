"""Layers that change the shape alone."""

from __future__ import annotations

from .._C import Tensor
from .module import Module


class Flatten(Module):
    """Neighbouring dimensions as one; by default all but the first."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.start_dim, self.end_dim)
