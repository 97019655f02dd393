"""Layers that look rows up in a table."""

from __future__ import annotations

from typing import Any

from .. import _C, init
from .._C import Init, Parameters, Tensor, dtype
from ..autograd import no_grad
from . import functional as F
from ._arena import added, arena
from ._sizes import whole
from .module import Module


def _options(
    kind: str,
    num_embeddings: int,
    embedding_dim: int,
    padding_idx: int | None,
    sparse: bool,
) -> int | None:
    """Checks them; returns padding_idx counted from the front."""
    whole(kind, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
    if num_embeddings < 1 or embedding_dim < 1:
        raise ValueError(
            f"{kind}: num_embeddings is {num_embeddings} and embedding_dim is {embedding_dim}; both must be 1 or more"
        )
    if sparse:
        raise ValueError(f"{kind}: sparse is True; gradients are dense, so it must be False")
    if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
        raise ValueError(f"{kind}: padding_idx is {padding_idx}; the table has {num_embeddings} rows")
    return None if padding_idx is None else padding_idx % num_embeddings


class _Table(Module):
    weight: Tensor

    def _start(
        self,
        kind: str,
        given: Tensor | None,
        start: Init | None,
        where: tuple[Any, ...],
        freeze: bool = False,
    ) -> None:
        params, name, device, dtype = where
        shape = (self.num_embeddings, self.embedding_dim)
        if given is not None:
            if not isinstance(given, Tensor) or tuple(given.shape) != shape:
                raise _C.ShapeError(f"{kind}: _weight has shape {getattr(given, 'shape', None)}; it must be {shape}")
            if arena(params) is None:
                device, dtype = given.device, given.dtype
        self.weight = added(
            params,
            name,
            kind,
            [("weight", shape, start or init.normal())],
            device,
            dtype,
        )[0]
        with no_grad():
            if given is not None:
                self.weight.copy_(given.to(self.weight.device).to(self.weight.dtype))
            elif self.padding_idx is not None:
                self.weight[..., self.padding_idx, :].fill_(0)
        if freeze:
            self.weight.requires_grad_(False)

    def _shown(self, padding: str = "", mode: str = "") -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}{padding}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        if mode and self.padding_idx is not None:
            mode += f", padding_idx={self.padding_idx}"
        return text + mode


class Embedding(_Table):
    """A table of vectors, standard normal at the start; see functional.embedding for its options. The row `padding_idx` starts
    as zeros and gets no gradient. In an arena with sets an index (batch) serves all sets, (sets, ...) gives each its own.

    >>> luge.nn.Embedding(10, 4)(luge.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
    ) -> None:
        super().__init__()
        self.padding_idx = _options("Embedding", num_embeddings, embedding_dim, padding_idx, sparse)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._start("Embedding", _weight, weight_init, (params, name, device, dtype), _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer with the rows of a tensor (count, dim), which are not trained unless `freeze` is False. Raises ShapeError.

        >>> luge.nn.Embedding.from_pretrained(luge.tensor([[1.0, 2.0]]))(luge.tensor([0]))
        tensor([[1., 2.]])
        """
        if embeddings.ndim != 2:
            raise _C.ShapeError(
                f"Embedding.from_pretrained: embeddings has shape {embeddings.shape}; it must be (count, dim)"
            )
        count, dim = embeddings.shape
        return cls(
            count,
            dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            embeddings,
            freeze,
        )

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        return self._shown("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")


class EmbeddingBag(_Table):
    """Sums, means or largest values of bags of rows, without the rows themselves; see functional.embedding_bag. Without sets.

    >>> luge.nn.EmbeddingBag(10, 4)(luge.tensor([[1, 2, 3]])).shape
    (1, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.padding_idx = _options("EmbeddingBag", num_embeddings, embedding_dim, padding_idx, sparse)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        home = arena(params)
        if home is not None and home.batched:
            raise ValueError(
                "EmbeddingBag: the arena has sets; bags have none, so take Embedding and reduce its result"
            )
        self._start("EmbeddingBag", _weight, None, (params, name, device, dtype))

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """As Embedding.from_pretrained."""
        if embeddings.ndim != 2:
            raise _C.ShapeError(
                f"EmbeddingBag.from_pretrained: embeddings has shape {embeddings.shape}; it must be (count, dim)"
            )
        count, dim = embeddings.shape
        layer = cls(
            count,
            dim,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        return self._shown(mode=f", mode={self.mode!r}")
