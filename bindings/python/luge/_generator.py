"""A sequence of random numbers of its own."""

from __future__ import annotations

import secrets

from ._C import Tensor, _sampling
from ._numbers import whole

#: PyTorch's seed of a generator that was given none.
_START = 67280421310721


class Generator:
    """A seed, and how often it was drawn from: what shuffles a DataLoader or splits a data set without touching the numbers
    that luge.rand and the others draw. The same seed gives the same orders on every device.

    >>> luge.Generator().manual_seed(3).initial_seed()
    3
    """

    def __init__(self, device: object = "cpu") -> None:
        self._seed, self._drawn = _START, 0

    def manual_seed(self, seed: int) -> Generator:
        """Starts anew from this seed."""
        self._seed, self._drawn = whole("Generator.manual_seed", "seed", seed, -(2**63), 2**64 - 1) % 2**64, 0
        return self

    def seed(self) -> int:
        """Starts anew from a seed that the operating system draws, and returns it."""
        return self.manual_seed(secrets.randbits(63)).initial_seed()

    def initial_seed(self) -> int:
        """The seed that it started from."""
        return self._seed

    def get_state(self) -> tuple[int, int]:
        """How far the sequence is, for set_state()."""
        return self._seed, self._drawn

    def set_state(self, new_state: tuple[int, int]) -> Generator:
        """Goes on from there."""
        self._seed, self._drawn = new_state
        return self

    def _next(self) -> int:
        self._drawn += 1
        return self._drawn - 1

    def _order(self, points: int) -> Tensor:
        """The numbers 0 ... points - 1 in random order."""
        return _sampling.shuffled(points, 1, self._seed, step=self._next())[0]

    def _draws(self, points: int) -> Tensor:
        """As many numbers of [0, points), each drawn from all of them."""
        return _sampling.bootstrap(points, 1, self._seed, step=self._next())[0]
