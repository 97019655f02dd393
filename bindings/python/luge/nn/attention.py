"""Attention with learned products around it."""

from __future__ import annotations

from typing import Any

from .. import init
from .._C import Init, Parameters, Tensor
from .._C._functional import _multi_head_attention
from .._numbers import probability
from ._arena import added, arena
from ._sizes import whole
from .linear import Linear
from .module import Module


class MultiheadAttention(Module):
    """Attention of `num_heads` heads (Vaswani et al., 2017): query (L, batch, embed_dim), key (S, batch, kdim) and value
    (S, batch, vdim), or all without a batch, give the output (L, batch, embed_dim) and, with `need_weights`, the weights
    (batch, L, S), of each head unless `average_attn_weights`. With `batch_first` the batch comes first.

    key_padding_mask (batch, S) and attn_mask (L, S) or (batch * num_heads, L, S) hide keys where they are true, or are added to
    the scores. `is_causal` says that attn_mask is the causal one. Without weights memory grows with L + S.
    With an arena of sets inputs may be the same for all, or have the sets before the other dimensions, as results have.
    Raises ShapeError, DTypeError, ValueError.

    >>> attention = luge.nn.MultiheadAttention(4, 2)
    >>> x = luge.zeros(3, 5, 4)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    ((3, 5, 4), (5, 3, 3))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        out_proj_init: Init | None = None,
    ) -> None:
        super().__init__()
        whole("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim is {embed_dim} and num_heads is {num_heads}; both must be 1 or more, and num_heads "
                "must divide embed_dim"
            )
        probability("MultiheadAttention", "dropout", dropout)
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        whole("MultiheadAttention", kdim=self.kdim, vdim=self.vdim)
        if self.kdim < 1 or self.vdim < 1:
            raise ValueError(f"MultiheadAttention: kdim is {kdim} and vdim is {vdim}; both must be 1 or more")
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        home = arena(params)
        self._first_set = 0 if home is None else home.first_set
        if home is not None and name is None:
            name = f"MultiheadAttention{len(home)}"

        entries: list[tuple[str, tuple[int, ...], Init]] = []
        if self._qkv_same_embed_dim:
            entries.append(("in_proj_weight", (3 * embed_dim, embed_dim), init.xavier_uniform(embed_dim, 3 * embed_dim)))
        else:
            for letter, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
                entries.append((f"{letter}_proj_weight", (embed_dim, size), init.xavier_uniform(size, embed_dim)))
        if bias:
            entries.append(("in_proj_bias", (3 * embed_dim,), init.zeros()))
        if add_bias_kv:
            for entry in ("bias_k", "bias_v"):
                entries.append((entry, (1, 1, embed_dim), init.xavier_normal(embed_dim, embed_dim)))
        made = dict(zip((entry[0] for entry in entries), added(params, name, "MultiheadAttention", entries, device, dtype)))
        for entry in ("q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_weight", "in_proj_bias"):
            self.register_parameter(entry, made.get(entry))
        self.out_proj = Linear(
            embed_dim, embed_dim, bias, params=params, name=None if home is None else f"{name}.out_proj",
            weight_init=out_proj_init, bias_init=init.zeros(), device=device, dtype=dtype,
        )  # fmt: skip
        for entry in ("bias_k", "bias_v"):
            self.register_parameter(entry, made.get(entry))

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        weights = [
            self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.out_proj.weight, self.out_proj.bias,
        ]  # fmt: skip
        found: tuple[Tensor, Tensor | None] = _multi_head_attention(
            query, key, value, self.num_heads, weights, self.add_zero_attn, self.dropout, self.training, key_padding_mask,
            need_weights, attn_mask, average_attn_weights, is_causal, self.batch_first, self._first_set,
        )  # fmt: skip
        return found
