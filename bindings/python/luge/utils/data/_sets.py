"""Which samples each of several sets is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor, _sampling
from ..._generator import Generator


class OrdersOfSets:
    """For each set a bootstrap sample, an order of its own for every epoch, or an order of its sample.

    Set i draws what set first_set + i of more sets draws, on every device. The sample depends on the generator's seed alone.
    """

    def __init__(
        self, dataset: Any, sets: int, first_set: int, shuffle: bool, bootstrap: bool, generator: Generator | None
    ) -> None:
        self.dataset, self.sets, self.first_set = dataset, sets, first_set
        self.shuffle, self.bootstrap = shuffle, bootstrap
        if generator is None:
            generator = Generator().manual_seed(int(_C.randint(0, 2**63 - 1, ()).item()))
        self.generator, self.seed = generator, generator.initial_seed()

    def next_epoch(self, device: Any) -> Callable[[int, int], Tensor]:
        """A function of where a batch begins and of how many samples it has: their numbers, those of all sets in a row."""
        points = len(self.dataset)
        if self.bootstrap:
            sample = _sampling.bootstrap(points, self.sets, self.seed, first_set=self.first_set, device=device)
        if self.shuffle:
            seed, step = self.generator.initial_seed(), self.generator._next()
            orders = _sampling.shuffled(points, self.sets, seed, step=step, first_set=self.first_set, device=device)

        def numbers(start: int, count: int) -> Tensor:
            found = (orders if self.shuffle else sample).narrow(1, start, count)
            if self.shuffle and self.bootstrap:
                found = sample.gather(1, found)
            return found.reshape(-1)

        return numbers
