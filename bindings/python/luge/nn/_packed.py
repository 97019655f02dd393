"""Recurrent layers over packed sequences: run by run of steps that as many sequences have."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _C
from .._C import Tensor
from .._C._functional import _recurrent
from .utils.rnn import _runs


class _Direction:
    """One direction of one layer. States are (..., 1, batch, size), rows (..., rows, size)."""

    def __init__(self, kind: str, weights: Sequence[Tensor | None], hidden: Tensor | None, cell: Tensor | None) -> None:
        self._kind, self._weights = kind, list(weights)
        self._start = [state for state in (hidden, cell) if state is not None]

    def _steps(self, part: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        hidden, cell = (*states, None, None)[:2]
        output, hidden, cell = _recurrent(self._kind, part, hidden, cell, [self._weights], False, False, 0.0, False)
        return output, [hidden] if cell is None else [hidden, cell]

    @staticmethod
    def _part(data: Tensor, run: tuple[int, int, int]) -> Tensor:
        steps, count, row = run
        return data.narrow(-2, row, steps * count).unflatten(-2, (steps, count))

    def forwards(self, data: Tensor, runs: list[tuple[int, int, int]]) -> tuple[Tensor, list[Tensor]]:
        """Sequences leave when they end: the last of the batch first."""
        states, outputs, ended = self._start, [], []
        for run in runs:
            if states and states[0].shape[-2] > run[1]:
                ended.append([state.narrow(-2, run[1], state.shape[-2] - run[1]) for state in states])
                states = [state.narrow(-2, 0, run[1]) for state in states]
            output, states = self._steps(self._part(data, run), states)
            outputs.append(output.flatten(-3, -2))
        last = [_C.cat([state, *(left[i] for left in reversed(ended))], -2) for i, state in enumerate(states)]
        return _C.cat(outputs, -2), last

    def backwards(self, data: Tensor, runs: list[tuple[int, int, int]]) -> tuple[Tensor, list[Tensor]]:
        """Sequences join where they end, with their initial states."""
        states: list[Tensor] = []
        outputs = []
        for run in reversed(runs):
            known = states[0].shape[-2] if states else 0
            if self._start:
                joining = [state.narrow(-2, known, run[1] - known) for state in self._start]
                states = [_C.cat(pair, -2) for pair in zip(states, joining)] if states else joining
            else:
                states = [_C.pad(state, (0, 0, 0, run[1] - known)) for state in states]
            output, states = self._steps(self._part(data, run).flip(-3), states)
            outputs.append(output.flip(-3).flatten(-3, -2))
        return _C.cat(outputs[::-1], -2), states


def packed(
    kind: str,
    data: Tensor,
    counts: Sequence[int],
    hidden: Tensor | None,
    cell: Tensor | None,
    weights: Sequence[Sequence[Tensor | None]],
    bidirectional: bool,
    dropout: float = 0.0,
    training: bool = False,
    first_set: int | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Rows, hidden states and cells of all layers; `counts` says how many sequences have each step. `weights` as _recurrent has
    them. `first_set`: rows have sets, and this is the number of the first."""
    runs, directions = _runs(counts), 2 if bidirectional else 1
    layers = len(weights) // directions
    found: list[list[Tensor]] = []
    for layer in range(layers):
        outputs = []
        for number in range(layer * directions, (layer + 1) * directions):
            h, c = (None if state is None else state.narrow(-3, number, 1) for state in (hidden, cell))
            direction = _Direction(kind, weights[number], h, c)
            walk = direction.backwards if number % directions else direction.forwards
            output, states = walk(data, runs)
            outputs.append(output)
            found.append(states)
        data = _C.cat(outputs, -1) if bidirectional else outputs[0]
        if dropout > 0 and training and layer + 1 < layers:
            data = _C._dropout(data, "dropout", dropout, True, False, first_set)
    last = [_C.cat(states, -3) for states in zip(*found)]
    return data, last[0], last[1] if len(last) > 1 else None
