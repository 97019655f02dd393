"""Sequences of several lengths: padded to one, or packed without padding, as in torch.nn.utils.rnn.

A packed sequence holds the first steps of all sequences, then all second ones, and so on: longer sequences come first. How many
there are at each step is known on the host, so a captured step takes a packed sequence and cannot pack one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ... import _C
from ..._C import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Rows (rows, *) of all sequences step by step, and how many sequences have each step, int64 on the CPU. `sorted_indices`
    say where the sequences stood before they were sorted by length, `unsorted_indices` where each of those is now; None: they
    were sorted. Layers with sets make rows (sets, rows, *).

    >>> packed = luge.nn.utils.rnn.pack_sequence([luge.tensor([1.0, 2.0]), luge.tensor([3.0])])
    >>> packed.data, packed.batch_sizes
    (tensor([1., 3., 2.]), tensor([2, 1]))
    """

    _counts: list[int]
    _rows: int

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        for argument, given in (("data", data), ("batch_sizes", batch_sizes)):
            if not isinstance(given, Tensor):
                raise TypeError(f"PackedSequence: {argument} is of type {type(given).__name__}; it must be a tensor")
        assert batch_sizes is not None
        if not batch_sizes.device == _C.device("cpu"):
            raise ValueError(f"PackedSequence: batch_sizes is on {batch_sizes.device}; it must be on the CPU")
        return cls._made(data, batch_sizes, sorted_indices, unsorted_indices, batch_sizes.tolist())

    @classmethod
    def _made(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None,
        unsorted_indices: Tensor | None,
        counts: list[int],
        rows: int = 0,
    ) -> PackedSequence:
        """`counts` are the batch sizes on the host, `rows` is the dimension of the rows."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        made = super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)
        made._counts, made._rows = counts, rows
        return made

    def __getnewargs__(self) -> Any:
        return tuple(self)

    def _with(self, data: Tensor, rows: int | None = None) -> PackedSequence:
        return self._made(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices, self._counts,
                          self._rows if rows is None else rows)  # fmt: skip

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Rows of another dtype or on another device, as Tensor.to; the indices go to the device, too."""
        data = self.data.to(*args, **kwargs)
        moved = [None if one is None else one.to(data.device) for one in (self.sorted_indices, self.unsorted_indices)]
        return self._made(data, self.batch_sizes, moved[0], moved[1], self._counts, self._rows)

    def cpu(self) -> PackedSequence:
        """On the CPU."""
        return self.to("cpu")

    def cuda(self, device: int = 0) -> PackedSequence:
        """On a GPU. Raises DeviceError where there is none."""
        return self.to(f"cuda:{device}")

    def double(self) -> PackedSequence:
        """In float64."""
        return self.to(_C.float64)

    def float(self) -> PackedSequence:
        """In float32."""
        return self.to(_C.float32)

    def half(self) -> PackedSequence:
        """In float16."""
        return self.to(_C.float16)

    @property
    def is_cuda(self) -> bool:
        """Whether the rows are on a GPU."""
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Where each number stands in a permutation of 0, 1, ...; None of None.

    >>> luge.nn.utils.rnn.invert_permutation(luge.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    places = _C.arange(0, permutation.numel(), device=permutation.device)
    return _C.empty_like(permutation).scatter_(0, permutation, places.to(permutation.dtype))


def _lengths(name: str, given: Any) -> list[int]:
    lengths = given.tolist() if isinstance(given, Tensor) else list(given)
    if isinstance(given, Tensor) and given.ndim != 1:
        raise _C.ShapeError(f"{name}: lengths has shape {given.shape}; it must have 1 dimension")
    for length in lengths:
        if isinstance(length, bool) or int(length) != length:
            raise TypeError(f"{name}: lengths has {length}; lengths are ints")
    return [int(length) for length in lengths]


def _runs(counts: Sequence[int]) -> list[tuple[int, int, int]]:
    """(steps, sequences, first row) of each run of steps that as many sequences have."""
    runs: list[tuple[int, int, int]] = []
    row = 0
    for count in counts:
        if runs and runs[-1][1] == count:
            runs[-1] = (runs[-1][0] + 1, count, runs[-1][2])
        else:
            runs.append((1, count, row))
        row += count
    return runs


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The first steps of each sequence of (steps, batch, *), or with `batch_first` (batch, steps, *): as many as `lengths` says.
    Longer sequences must come first, unless `enforce_sorted` is False. Raises ShapeError, and ValueError for lengths that are not
    sorted, below 1 or beyond the steps.

    >>> x = luge.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> luge.nn.utils.rnn.pack_padded_sequence(x, [2, 1], batch_first=True).data
    tensor([1., 3., 2.])
    """
    name = "pack_padded_sequence"
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: input is of type {type(input).__name__}; it must be a tensor")
    if input.ndim < 2:
        raise _C.ShapeError(f"{name}: input has shape {input.shape}; it must have 2 or more dimensions")
    kept = _lengths(name, lengths)
    if batch_first:
        input = input.transpose(0, 1)
    steps, batch = input.shape[:2]
    if len(kept) != batch or batch == 0:
        raise _C.ShapeError(f"{name}: there are {len(kept)} lengths and {batch} sequences; both must be the same, 1 or more")
    if min(kept) < 1 or max(kept) > steps:
        raise ValueError(f"{name}: lengths are from {min(kept)} to {max(kept)}; they must be from 1 to {steps}, the steps of input")
    order = None
    if not enforce_sorted:
        places = sorted(range(batch), key=lambda place: -kept[place])
        kept = [kept[place] for place in places]
        order = _C.tensor(places, device=input.device)
        input = input.index_select(1, order)
    elif any(before < after for before, after in zip(kept, kept[1:])):
        raise ValueError(f"{name}: lengths are {kept}; longer ones must come first, or enforce_sorted be False")
    counts = [sum(length > step for length in kept) for step in range(kept[0])]
    parts, step = [], 0
    for many, count, _ in _runs(counts):
        parts.append(input[step : step + many, :count].flatten(0, 1))
        step += many
    return PackedSequence._made(_C.cat(parts), _C.tensor(counts, dtype=_C.int64), order, None, counts)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """A packed sequence as (steps, batch, *), or with `batch_first` (batch, steps, *), with `padding_value` behind the end of
    each, and the lengths: in the order in which they were packed. `total_length` is another number of steps, for one part of a
    model in many. Rows of sets (sets, rows, *) give (sets, steps, batch, *). Raises ValueError for a total_length that is too
    small.

    >>> packed = luge.nn.utils.rnn.pack_sequence([luge.tensor([1.0, 2.0]), luge.tensor([3.0])])
    >>> luge.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1., 2.],
            [3., 0.]]), tensor([2, 1]))
    """
    name = "pad_packed_sequence"
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"{name}: sequence is of type {type(sequence).__name__}; it must be a PackedSequence")
    data, counts, at = sequence.data, sequence._counts, sequence._rows
    steps = len(counts)
    if total_length is not None and total_length < steps:
        raise ValueError(f"{name}: total_length is {total_length}; it must be {steps}, the longest length, or more")
    behind = data.ndim - at - 1  # dimensions of a row
    parts = []
    for many, count, row in _runs(counts):
        part = data.narrow(at, row, many * count).unflatten(at, (many, count))
        parts.append(_C.pad(part, (0, 0) * behind + (0, counts[0] - count), value=padding_value))
    if total_length is not None and total_length > steps:
        shape = list(parts[0].shape)
        shape[at] = total_length - steps
        parts.append(_C.full(shape, padding_value, dtype=data.dtype, device=data.device))
    padded = _C.cat(parts, at)
    lengths = [sum(count > place for count in counts) for place in range(counts[0])]
    told = _C.tensor(lengths, dtype=_C.int64)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(at + 1, sequence.unsorted_indices)
        told = told[sequence.unsorted_indices.cpu()]
    return padded.transpose(at, at + 1) if batch_first else padded, told


def pad_sequence(
    sequences: Tensor | Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (steps, *) of any number of steps as one tensor (longest, batch, *), or with `batch_first` (batch, longest, *),
    with `padding_value` behind the end of each, or before its beginning if `padding_side` is 'left'. Raises ShapeError where
    other sizes differ.

    >>> luge.nn.utils.rnn.pad_sequence([luge.tensor([1.0]), luge.tensor([2.0, 3.0])], batch_first=True)
    tensor([[1., 0.],
            [2., 3.]])
    """
    name = "pad_sequence"
    if padding_side not in ("left", "right"):
        raise ValueError(f"{name}: padding_side is {padding_side!r}; it must be 'left' or 'right'")
    given = list(sequences.unbind(0) if isinstance(sequences, Tensor) else sequences)
    for one in given:
        if not isinstance(one, Tensor):
            raise TypeError(f"{name}: a sequence is of type {type(one).__name__}; it must be a tensor")
        if one.ndim == 0 or one.shape[1:] != given[0].shape[1:]:
            raise _C.ShapeError(f"{name}: sequences have shapes {given[0].shape} and {one.shape}; they may differ in the first size")
    if not given:
        raise ValueError(f"{name}: there are no sequences; there must be 1 or more")
    longest = max(one.shape[0] for one in given)
    parts = []
    for one in given:
        rest = longest - one.shape[0]
        sides = (rest, 0) if padding_side == "left" else (0, rest)
        parts.append(_C.pad(one, (0, 0) * (one.ndim - 1) + sides, value=padding_value))
    return _C.stack(parts, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False) -> list[Tensor]:
    """The other way round: the first `lengths` steps of each sequence.

    >>> luge.nn.utils.rnn.unpad_sequence(luge.tensor([[1.0, 0.0], [2.0, 3.0]]), [1, 2], batch_first=True)
    [tensor([1.]), tensor([2., 3.])]
    """
    name = "unpad_sequence"
    kept = _lengths(name, lengths)
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    if len(kept) != padded.shape[0] or any(not 0 <= length <= padded.shape[1] for length in kept):
        raise _C.ShapeError(f"{name}: lengths are {kept}; there are {padded.shape[0]} sequences of {padded.shape[1]} steps")
    return [one[:length] for one, length in zip(padded.unbind(0), kept)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences (steps, *); see pack_padded_sequence.

    >>> luge.nn.utils.rnn.pack_sequence([luge.tensor([1.0]), luge.tensor([2.0, 3.0])], enforce_sorted=False).data
    tensor([2., 1., 3.])
    """
    return pack_padded_sequence(pad_sequence(sequences), [one.shape[0] for one in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed.

    >>> packed = luge.nn.utils.rnn.pack_sequence([luge.tensor([1.0, 2.0]), luge.tensor([3.0])])
    >>> luge.nn.utils.rnn.unpack_sequence(packed)
    [tensor([1., 2.]), tensor([3.])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
