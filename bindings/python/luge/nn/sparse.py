"""Layers that look rows up in a table."""

from __future__ import annotations

from .. import _C, init
from .._C import Init, Parameters, Tensor
from ._arena import added
from .module import Module


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
        self.weight = added(params, name, "Embedding", [("weight", (num_embeddings, embedding_dim), start)])[0]

    def forward(self, input: Tensor) -> Tensor:
        return _C._embedding(input, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"
