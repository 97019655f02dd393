"""Recurrent layers and cells."""

from __future__ import annotations

import math
from typing import Any

from .. import init
from .._C import Init, Parameters, Tensor
from .._C._functional import _recurrent, _recurrent_cell
from .._numbers import probability
from ._arena import added, arena
from ._packed import packed
from ._sizes import layer_count as _layer_count
from ._sizes import whole
from .module import Module
from .utils.rnn import PackedSequence

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _tensor(name: str, argument: str, given: Any) -> Tensor:
    if not isinstance(given, Tensor):
        allowed = "a Tensor or a PackedSequence of luge" if argument == "input" else "a Tensor"
        raise TypeError(f"{name}: {argument} is of type {type(given).__name__}; it must be {allowed}")
    return given


def _states(name: str, kind: str, given: Any) -> tuple[Tensor | None, Tensor | None]:
    """Hidden state and cell of what is given for the initial state."""
    if given is None:
        return None, None
    if kind != "LSTM":
        return _tensor(name, "hx", given), None
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"{name}: hx is of type {type(given).__name__}; it must be the two tensors (hidden, cell)")
    return _tensor(name, "hx[0]", given[0]), _tensor(name, "hx[1]", given[1])


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters named weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ..., of the second
    direction with _reverse, uniform within 1 / sqrt(hidden_size). `mode`: 'LSTM', 'GRU', 'RNN_TANH' or 'RNN_RELU'.

    >>> luge.nn.RNNBase("GRU", 3, 4)(luge.zeros(5, 2, 3))[0].shape
    (5, 2, 4)
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        own = type(self).__name__
        if mode not in _GATES:
            raise ValueError(f"{own}: mode is {mode!r}; allowed are {', '.join(map(repr, _GATES))}")
        whole(own, input_size=input_size, hidden_size=hidden_size, proj_size=proj_size)
        _layer_count(own, "num_layers", num_layers, 1)
        for argument, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"{own}: {argument} is {size}; it must be 1 or more")
        probability(own, "dropout", dropout)
        if proj_size < 0 or proj_size >= hidden_size or (proj_size and mode != "LSTM"):
            raise ValueError(f"{own}: proj_size is {proj_size}; only an LSTM has one, which must be below hidden_size, {hidden_size}")
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        home = arena(params)
        self._first_set = 0 if home is None else home.first_set

        directions, out, rows = 2 if bidirectional else 1, proj_size or hidden_size, _GATES[mode] * hidden_size
        bound = 1 / math.sqrt(hidden_size)
        self._all_names: list[list[str | None]] = []
        entries: list[tuple[str, tuple[int, ...], Init]] = []
        for i in range(num_layers * directions):
            suffix = f"_l{i // directions}" + ("_reverse" if i % directions else "")
            shapes = {
                "weight_ih": (rows, input_size if i < directions else directions * out),
                "weight_hh": (rows, out),
                **({"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}),
                **({"weight_hr": (out, hidden_size)} if proj_size else {}),
            }
            entries += [(entry + suffix, shape, init.uniform(-bound, bound)) for entry, shape in shapes.items()]
            every = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            self._all_names.append([entry + suffix if entry in shapes else None for entry in every])
        for entry, parameter in zip(entries, added(params, name, own, entries, device, dtype)):
            self.register_parameter(entry[0], parameter)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each direction of each layer."""
        return [[getattr(self, name) for name in names if name] for names in self._all_names]

    def flatten_parameters(self) -> None:
        """Does nothing: PyTorch's way to one block of memory, which an arena is."""

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        own = type(self).__name__
        hidden, cell = _states(own, self.mode, hx)
        weights = [[getattr(self, name) if name else None for name in names] for names in self._all_names]
        if isinstance(input, PackedSequence):
            return self._packed(input, hidden, cell, weights)
        output, hidden, cell = _recurrent(
            self.mode, _tensor(own, "input", input), hidden, cell, weights, self.bidirectional, self.batch_first, self.dropout,
            self.training, self._first_set,
        )  # fmt: skip
        return output, (hidden, cell) if self.mode == "LSTM" else hidden

    def _packed(
        self, input: PackedSequence, hidden: Tensor | None, cell: Tensor | None, weights: list[list[Tensor | None]]
    ) -> tuple[PackedSequence, Any]:
        """States go in and come out in the order in which the sequences were packed."""

        def ordered(state: Tensor | None, order: Tensor | None) -> Tensor | None:
            return state if state is None or order is None else state.index_select(-2, order)

        batched = self.weight_ih_l0.ndim == 3
        data, hidden, cell = packed(
            self.mode, input.data, input._counts, ordered(hidden, input.sorted_indices), ordered(cell, input.sorted_indices), weights,
            self.bidirectional, self.dropout, self.training, self._first_set if batched else None,
        )  # fmt: skip
        output = input._with(data, 1 if batched else 0)
        hidden, cell = ordered(hidden, input.unsorted_indices), ordered(cell, input.unsorted_indices)
        return output, (hidden, cell) if self.mode == "LSTM" else hidden

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        shown = (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0), ("bidirectional", False))
        for name, default in shown:
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """Layers of h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with nonlinearity='relu' max(., 0): an input (steps, batch,
    input_size), with `batch_first` (batch, steps, input_size), or (steps, input_size) gives the output (steps, batch,
    directions * hidden_size) and the last states (num_layers * directions, batch, hidden_size). Initial states are zeros unless
    they are given. `dropout` drops outputs between layers in training.

    With an arena of sets the input may be the same for all or (sets, steps, batch, input_size), and states and results are
    (sets, ...). Packed sequences (luge.nn.utils.rnn) give packed ones. Raises ShapeError, DTypeError, ValueError.

    >>> output, last = luge.nn.RNN(3, 4, num_layers=2)(luge.zeros(5, 2, 3))
    >>> output.shape, last.shape
    ((5, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity is {nonlinearity!r}; allowed are 'tanh' and 'relu'")
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device,
            dtype, params=params, name=name,
        )  # fmt: skip
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Layers of long short-term memory (gates in the order input, forget, cell, output); see RNN. The states are a pair: hidden
    (num_layers * directions, batch, proj_size or hidden_size) and cell (num_layers * directions, batch, hidden_size).

    >>> output, (hidden, cell) = luge.nn.LSTM(3, 4, bidirectional=True)(luge.zeros(5, 2, 3))
    >>> output.shape, hidden.shape, cell.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype,
            params=params, name=name,
        )  # fmt: skip


class GRU(RNNBase):
    """Layers of gated recurrent units (gates in the order reset, update, new); see RNN.

    >>> luge.nn.GRU(3, 4, batch_first=True)(luge.zeros(2, 5, 3))[0].shape
    (2, 5, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype, params=params,
            name=name,
        )  # fmt: skip


class _Cell(Module):
    """One step: parameters weight_ih, weight_hh, bias_ih, bias_hh, uniform within 1 / sqrt(hidden_size)."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: Any,
        dtype: Any,
        params: Parameters | None,
        name: str | None,
    ) -> None:
        super().__init__()
        own = type(self).__name__
        whole(own, input_size=input_size, hidden_size=hidden_size)
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"{own}: input_size is {input_size} and hidden_size is {hidden_size}; both must be 1 or more")
        self._mode, self.input_size, self.hidden_size, self.bias = mode, input_size, hidden_size, bias
        bound, rows = 1 / math.sqrt(hidden_size), _GATES[mode] * hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        if bias:
            shapes.update(bias_ih=(rows,), bias_hh=(rows,))
        entries = [(entry, shape, init.uniform(-bound, bound)) for entry, shape in shapes.items()]
        made = dict(zip(shapes, added(params, name, own, entries, device, dtype)))
        for entry in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            self.register_parameter(entry, made.get(entry))

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        own = type(self).__name__
        hidden, cell = _states(own, self._mode, hx)
        weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]
        hidden, cell = _recurrent_cell(self._mode, _tensor(own, "input", input), hidden, cell, weights)
        return (hidden, cell) if self._mode == "LSTM" else hidden

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        return text if self.bias else f"{text}, bias=False"


class RNNCell(_Cell):
    """One step of RNN: input (batch, input_size) or (input_size), and the state, which is zeros unless it is given, give the
    next state (batch, hidden_size). Raises ShapeError, DTypeError, ValueError.

    >>> luge.nn.RNNCell(3, 4)(luge.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: nonlinearity is {nonlinearity!r}; allowed are 'tanh' and 'relu'")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, bias, device, dtype, params, name)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(_Cell):
    """One step of LSTM: the state is the pair (hidden, cell), each (batch, hidden_size); see RNNCell.

    >>> hidden, cell = luge.nn.LSTMCell(3, 4)(luge.zeros(2, 3))
    >>> hidden.shape, cell.shape
    ((2, 4), (2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__("LSTM", input_size, hidden_size, bias, device, dtype, params, name)


class GRUCell(_Cell):
    """One step of GRU; see RNNCell.

    >>> luge.nn.GRUCell(3, 4)(luge.zeros(3)).shape
    (4,)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__("GRU", input_size, hidden_size, bias, device, dtype, params, name)
