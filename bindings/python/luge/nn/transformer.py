"""Transformers: stacks of attention and layers that work on each position."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

from .. import init
from .._C import Init, Parameters, ShapeError, Tensor, full, triu
from .._C import float32 as _float32
from ..autograd import no_grad
from . import functional
from ._arena import arena
from ._sizes import layer_count as _layer_count
from ._sizes import whole
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

Activation = Callable[[Tensor], Tensor]


def _relu(x: Tensor) -> Tensor:
    return functional.relu(x)


def _gelu(x: Tensor) -> Tensor:
    return functional.gelu(x)


class _Function:
    """A compiled function, which deepcopy() would not take."""

    def __init__(self, function: Activation) -> None:
        self.function = function

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def __deepcopy__(self, memo: Any) -> _Function:
        return self


def _activation(name: str, given: str | Activation) -> Activation:
    if given in ("relu", functional.relu):
        return _relu
    if given in ("gelu", functional.gelu):
        return _gelu
    if not callable(given):
        raise ValueError(f"{name}: activation is {given!r}; it must be 'relu', 'gelu' or a function")
    return _Function(given) if type(given).__name__ == "nb_func" else given


def _rows(layer: Linear, x: Tensor) -> Tensor:
    """Of a layer with sets for x (sets, a, b, features), too."""
    if layer.weight.ndim == 2:
        return cast(Tensor, layer(x))
    sets, a, b, features = x.shape
    return cast(Tensor, layer(x.reshape(sets, a * b, features))).reshape(sets, a, b, -1)


class _Layer(Module):
    """What the layers of encoder and decoder share: `self_attn`, `linear1`, `linear2` and their norms and dropouts."""

    _attentions: tuple[str, ...] = ("self_attn",)

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        _xavier: bool = False,
    ) -> None:
        super().__init__()
        own = type(self).__name__
        whole(own, dim_feedforward=dim_feedforward)
        if dim_feedforward < 1:
            raise ValueError(f"{own}: dim_feedforward is {dim_feedforward}; it must be 1 or more")
        home = arena(params)
        prefix = name if name is not None else own if home is None else f"{own}{len(home)}"
        self.activation = _activation(own, activation)
        self._options = (d_model, nhead, dim_feedforward, dropout, self.activation, layer_norm_eps, batch_first, norm_first, bias)
        self._home, self._prefix, self._xavier = home, prefix, _xavier
        self._sets = home.sets if home is not None and home.batched else None

        def at(part: str) -> dict[str, Any]:
            return {"params": params, "name": None if home is None else f"{prefix}.{part}"}

        def linear(part: str, inputs: int, outputs: int) -> Linear:
            start: Init | None = init.xavier_uniform(inputs, outputs) if _xavier else None
            return Linear(inputs, outputs, bias, weight_init=start, **at(part))

        for part in self._attentions:
            start = init.xavier_uniform(d_model, d_model) if _xavier else None
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, out_proj_init=start, **at(part))
            self.add_module(part, attention)
        self.linear1 = linear("linear1", d_model, dim_feedforward)
        self.dropout = Dropout(dropout, params=params)
        self.linear2 = linear("linear2", dim_feedforward, d_model)
        self.norm_first, self.batch_first = norm_first, batch_first
        count = 1 + len(self._attentions)
        for i in range(1, count + 1):
            self.add_module(f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, **at(f"norm{i}")))
        for i in range(1, count + 1):
            self.add_module(f"dropout{i}", Dropout(dropout, params=params))
        if device is not None or dtype is not None:
            self.to(device=device, dtype=dtype)

    def again(self) -> _Layer:
        """Another layer with the same options and values."""
        if self._home is None:
            return copy.deepcopy(self)
        other = type(self)(*self._options, params=self._home, _xavier=self._xavier)
        with no_grad():
            for to, source in zip(other.parameters(), self.parameters()):
                to.copy_(source)
        return other

    def _start(self, argument: str, x: Tensor) -> Tensor:
        """x, with the sets before it where there are some."""
        if self._sets is None:
            return x
        if x.ndim == 3:
            return x.unsqueeze(0).expand(self._sets, *x.shape)
        if x.ndim != 4:
            own = type(self).__name__
            raise ShapeError(f"{own}: {argument} has shape {tuple(x.shape)}; with sets it must have 3 dimensions, or 4 with the sets")
        return x

    def _attend(self, part: str, x: Tensor, memory: Tensor, mask: Tensor | None, padding: Tensor | None, causal: bool) -> Tensor:
        found = getattr(self, part)(x, memory, memory, key_padding_mask=padding, need_weights=False, attn_mask=mask, is_causal=causal)
        attended: Tensor = found[0]
        return attended

    def _feed(self, x: Tensor) -> Tensor:
        return _rows(self.linear2, self.dropout(self.activation(_rows(self.linear1, x))))

    def _add(self, number: int, x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        """x and what the block makes of it, normalized before or behind."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        added: Tensor = x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))
        return added


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then two linear layers for each position, each added to what comes in and normalized
    (Vaswani et al., 2017), or with `norm_first` normalized before: src (steps, batch, d_model), with `batch_first` (batch, steps,
    d_model), or without a batch, gives the same shape. Masks as in MultiheadAttention; `is_causal` says that src_mask is the
    causal one. In an arena with sets src may be the same for all sets, or (sets, ...).

    >>> luge.nn.TransformerEncoderLayer(8, 2)(luge.zeros(5, 3, 8)).shape
    (5, 3, 8)
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        x = self._start("src", src)
        x = self._add(1, x, lambda y: self._attend("self_attn", y, y, src_mask, src_key_padding_mask, is_causal))
        return self._add(2, x, self._feed)


class TransformerDecoderLayer(_Layer):
    """Attention of a sequence to itself, then to `memory`, then two linear layers for each position; see
    TransformerEncoderLayer.

    >>> luge.nn.TransformerDecoderLayer(8, 2)(luge.zeros(5, 3, 8), luge.zeros(7, 3, 8)).shape
    (5, 3, 8)
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        x = self._start("tgt", tgt)
        x = self._add(1, x, lambda y: self._attend("self_attn", y, y, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self._add(
            2, x, lambda y: self._attend("multihead_attn", y, memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        )  # fmt: skip
        return self._add(3, x, self._feed)


def _layers(name: str, layer: Module, count: int) -> ModuleList:
    """As many copies of the layer. In an arena, which cannot lose parameters, it is the first of them itself."""
    if not isinstance(layer, Module):
        raise TypeError(f"{name}: the layer is of type {type(layer).__name__}; it must be a Module")
    _layer_count(name, "num_layers", count)
    if isinstance(layer, _Layer) and layer._home is not None:
        return ModuleList([layer if i == 0 else layer.again() for i in range(count)])
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoder(Module):
    """`num_layers` copies of a layer, one after the other, then `norm` if it is given. In an arena the layer that is given is the
    first of them. `is_causal` None, PyTorch's question whether the mask is causal, counts as False: it looks at values.
    `enable_nested_tensor` and `mask_check` change nothing.

    >>> encoder = luge.nn.TransformerEncoder(luge.nn.TransformerEncoderLayer(8, 2), 2)
    >>> encoder(luge.zeros(5, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _layers("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        x = src
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """`num_layers` copies of a layer, one after the other, then `norm` if it is given; see TransformerEncoder.

    >>> decoder = luge.nn.TransformerDecoder(luge.nn.TransformerDecoderLayer(8, 2), 2)
    >>> decoder(luge.zeros(5, 3, 8), luge.zeros(7, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _layers("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        x = tgt
        for layer in self.layers:
            x = layer(
                x, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """An encoder, and a decoder that looks at what it gives (Vaswani et al., 2017): src (S, batch, d_model) and tgt (T, batch,
    d_model), with `batch_first` (batch, S, d_model), or without a batch, give the shape of tgt. Matrices start by
    xavier_uniform. Raises ShapeError, ValueError.

    >>> luge.nn.Transformer(8, 2, 1, 1, 16)(luge.zeros(5, 3, 8), luge.zeros(7, 3, 8)).shape
    (7, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = functional.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        home = arena(params)
        prefix = name if name is not None else "Transformer" if home is None else f"Transformer{len(home)}"
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def stack(kind: type[_Layer], part: str, count: int) -> ModuleList:
            """Layers that start each by itself, as PyTorch's do here."""
            made = [kind(*options, params=params, name=f"{prefix}.{part}.layers.{i}", _xavier=True) for i in range(count)]
            return ModuleList(made)

        for part, custom, kind, count in (
            ("encoder", custom_encoder, TransformerEncoderLayer, num_encoder_layers),
            ("decoder", custom_decoder, TransformerDecoderLayer, num_decoder_layers),
        ):
            if custom is None:
                _layer_count("Transformer", f"num_{part}_layers", count)
                custom = (TransformerEncoder if part == "encoder" else TransformerDecoder)(Module(), 0)
                custom.layers, custom.num_layers = stack(kind, part, count), count
                where: dict[str, Any] = {"params": params, "name": None if home is None else f"{prefix}.{part}.norm"}
                custom.norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **where)
            self.add_module(part, custom)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        if device is not None or dtype is not None:
            self.to(device=device, dtype=dtype)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        for argument, x in (("src", src), ("tgt", tgt)):
            if x.shape[-1] != self.d_model:
                raise ShapeError(f"Transformer: {argument} has shape {tuple(x.shape)}; its last size must be d_model, {self.d_model}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        found: Tensor = self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip
        return found

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask as numbers to add: -inf above the diagonal, 0 elsewhere.

        >>> luge.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        where = {} if device is None else {"device": device}
        return triu(full((sz, sz), -float("inf"), dtype=_float32 if dtype is None else dtype, **where), 1)
