"""Attention of several heads as a function."""

from __future__ import annotations

from .._C import ShapeError, Tensor
from .._C._functional import _multi_head_attention


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What nn.MultiheadAttention computes, of query (L, batch, E), key and value (S, batch, E) or all without a batch: the
    output and the weights, or None. Raises ShapeError, DTypeError; ValueError for static_k and static_v, which are left out.

    >>> x, eye = luge.eye(2), luge.eye(2)
    >>> arguments = x, x, x, 2, 1, luge.cat([eye, eye, eye]), None, None, None, False, 0.0, eye, None
    >>> luge.nn.functional.multi_head_attention_forward(*arguments)[0]
    tensor([[0.6698, 0.3302],
            [0.3302, 0.6698]])
    """
    name = "multi_head_attention_forward"
    if static_k is not None or static_v is not None:
        raise ValueError(f"{name}: static_k and static_v are left out; they must be None")
    if query.shape[-1] != embed_dim_to_check:
        raise ShapeError(f"{name}: query is {tuple(query.shape)}; its last size must be embed_dim_to_check, {embed_dim_to_check}")
    if use_separate_proj_weight:
        in_proj_weight = None
        if q_proj_weight is None or k_proj_weight is None or v_proj_weight is None:
            raise ValueError(f"{name}: with use_separate_proj_weight q_proj_weight, k_proj_weight and v_proj_weight must be given")
    elif in_proj_weight is None:
        raise ValueError(f"{name}: in_proj_weight is None; without use_separate_proj_weight it must be given")
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else (None, None, None)
    weights = [in_proj_weight, *separate, in_proj_bias, bias_k, bias_v, out_proj_weight, out_proj_bias]
    found: tuple[Tensor, Tensor | None] = _multi_head_attention(
        query, key, value, num_heads, weights, add_zero_attn, dropout_p, training, key_padding_mask, need_weights, attn_mask,
        average_attn_weights, is_causal, False,
    )  # fmt: skip
    return found
