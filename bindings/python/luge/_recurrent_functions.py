"""Recurrent networks as functions, with the arguments of PyTorch's C++ functions: torch.lstm, torch.gru_cell and their like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ._C import Tensor
from ._C import _functional as _F
from ._numbers import probability as _probability
from .nn._named import named as _named
from .nn._named import named_as as _named_as
from .nn._packed import packed as _packed

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


def _tensors(argument: str, given: Any, count: int | None = None) -> list[Tensor]:
    if not isinstance(given, (tuple, list)) or not all(isinstance(one, Tensor) for one in given):
        raise TypeError(f"{argument} is of type {type(given).__name__}; it must be a list of tensors")
    if count is not None and len(given) != count:
        raise ValueError(f"{argument} has {len(given)} tensors; it must have {count}")
    return list(given)


def _tensor(argument: str, given: Any) -> Tensor:
    if not isinstance(given, Tensor):
        raise TypeError(f"{argument} is of type {type(given).__name__}; it must be a tensor")
    return given


def _weights(params: Any, has_biases: bool, layers: int, bidirectional: bool, projected: bool) -> list[list[Tensor | None]]:
    """Those of each direction of each layer, of a list of all."""
    flat, each = _tensors("params", params), (4 if has_biases else 2) + projected
    wanted = each * layers * (2 if bidirectional else 1)
    if layers < 1 or len(flat) != wanted:
        raise ValueError(f"params has {len(flat)} tensors; it must have {wanted} for {layers} layers, 1 or more")
    found: list[list[Tensor | None]] = []
    for first in range(0, wanted, each):
        own: list[Tensor | None] = list(flat[first : first + each])
        found.append(own if has_biases else own[:2] + [None, None] + own[2:])
    return found


def _layers(kind: str, given: Sequence[Any], names: Sequence[str]) -> Any:
    """torch.lstm and its like. The arguments are input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first; or those of a packed sequence, data, batch_sizes, hx, params, has_biases, ..., bidirectional."""
    if len(given) != len(names):
        raise TypeError(f"{len(given)} arguments are given; there are {len(names)}: {', '.join(names)}")
    is_packed = isinstance(given[1], Tensor) and (kind == "LSTM" or isinstance(given[2], Tensor))
    counts: Any = None
    if is_packed:
        data, counts, states, params, has_biases, layers, dropout, train, bidirectional = given
        batch_first = False
    else:
        data, states, params, has_biases, layers, dropout, train, bidirectional, batch_first = given
    hidden, cell = _tensors("hx", states, 2) if kind == "LSTM" else (_tensor("hx", states), None)
    projected = cell is not None and hidden.shape[-1:] != cell.shape[-1:]
    weights = _weights(params, has_biases, layers, bidirectional, projected)
    _probability(kind.lower(), "dropout", dropout)
    if is_packed:
        found = _packed(kind, _tensor("data", data), counts.tolist(), hidden, cell, weights, bidirectional, dropout, train)
    else:
        data = _tensor("input", data)
        found = _F._recurrent(kind, data, hidden, cell, weights, bidirectional, batch_first, dropout, train)
    return found if kind == "LSTM" else found[:2]


_NAMES = "input hx params has_biases num_layers dropout train bidirectional batch_first".split()


@_named
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first): output, hidden and cell of the
    layers of nn.LSTM. `hx` has the initial hidden state and cell; `params` has of each direction of each layer weight_ih,
    weight_hh, with `has_biases` bias_ih, bias_hh, and weight_hr where hidden states and cells differ in size.

    lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional) is the same of the rows of a packed
    sequence. Raises ShapeError, DTypeError, ValueError.

    >>> hx, params = [luge.zeros(1, 2, 4)] * 2, [luge.zeros(16, 3), luge.zeros(16, 4)]
    >>> luge.lstm(luge.ones(5, 2, 3), hx, params, False, 1, 0.0, False, False, False)[0].shape
    (5, 2, 4)
    """
    found: tuple[Tensor, Tensor, Tensor] = _layers("LSTM", _ordered(args, kwargs), _NAMES)
    return found


def _of_layers(name: str, doc: str, gates: int) -> Callable[..., tuple[Tensor, Tensor]]:
    def states(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = _layers(name.upper(), _ordered(args, kwargs), _NAMES)
        return found

    example = f"""

    >>> params = [luge.zeros({4 * gates}, 3), luge.zeros({4 * gates}, 4)]
    >>> luge.{name}(luge.ones(5, 2, 3), luge.zeros(1, 2, 4), params, False, 1, 0.0, False, False, False)[0].shape
    (5, 2, 4)
    """
    return _named_as(name, doc + example, states)


_OF_LAYERS = "Output and last states of the layers of nn.{}; arguments as lstm has them, with one tensor for `hx`."

gru = _of_layers("gru", _OF_LAYERS.format("GRU"), 3)
rnn_tanh = _of_layers("rnn_tanh", _OF_LAYERS.format("RNN"), 1)
rnn_relu = _of_layers("rnn_relu", "The same with nonlinearity='relu'.", 1)


_PACKED_NAMES = "data batch_sizes hx params has_biases num_layers dropout train bidirectional".split()


def _ordered(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments in order; those that are named follow the others."""
    names = _PACKED_NAMES if {"data", "batch_sizes"} & set(kwargs) else _NAMES
    for name in kwargs:
        if name not in names:
            raise TypeError(f"there is no argument '{name}'; there are {', '.join(names)}")
        if name in names[: len(args)]:
            raise TypeError(f"the argument '{name}' is given twice")
    return list(args) + [kwargs[name] for name in names[len(args) :] if name in kwargs]


def _cell(kind: str, input: Tensor, hx: Any, *weights: Tensor | None) -> Any:
    hidden, cell = _tensors("hx", hx, 2) if kind == "LSTM" else (_tensor("hx", hx), None)
    hidden, cell = _F._recurrent_cell(kind, _tensor("input", input), hidden, cell, list(weights))
    return (hidden, cell) if kind == "LSTM" else hidden


@_named
def lstm_cell(
    input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Hidden state and cell after one step of nn.LSTMCell from those of `hx`.

    >>> hidden, cell = luge.lstm_cell(luge.ones(2, 3), [luge.zeros(2, 4)] * 2, luge.zeros(16, 3), luge.zeros(16, 4))
    >>> hidden.shape, cell.shape
    ((2, 4), (2, 4))
    """
    found: tuple[Tensor, Tensor] = _cell("LSTM", input, hx, w_ih, w_hh, b_ih, b_hh)
    return found


class _Cell(Protocol):
    def __call__(
        self, input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
    ) -> Tensor: ...


def _of_cell(name: str, doc: str, gates: int) -> _Cell:
    def state(
        input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
    ) -> Tensor:
        found: Tensor = _cell(name[: -len("_cell")].upper(), input, hx, w_ih, w_hh, b_ih, b_hh)
        return found

    example = f"""

    >>> luge.{name}(luge.ones(2, 3), luge.zeros(2, 4), luge.zeros({4 * gates}, 3), luge.zeros({4 * gates}, 4)).shape
    (2, 4)
    """
    return _named_as(name, doc + example, state)


gru_cell = _of_cell("gru_cell", "The state after one step of nn.GRUCell from `hx`.", 3)
rnn_tanh_cell = _of_cell("rnn_tanh_cell", "The state after one step of nn.RNNCell from `hx`.", 1)
rnn_relu_cell = _of_cell("rnn_relu_cell", "The same with nonlinearity='relu'.", 1)
