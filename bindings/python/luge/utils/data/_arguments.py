"""What a loader may be given."""

from __future__ import annotations

from typing import Any

from ._samplers import count_of


def check_workers(num_workers: Any, prefetch_factor: Any, timeout: Any, persistent_workers: bool) -> None:
    """Raises ValueError unless they can be."""
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        raise ValueError(f"DataLoader: num_workers is {num_workers!r}; it must be an int of 0 or more")
    if prefetch_factor is not None:
        count_of("DataLoader", "prefetch_factor", prefetch_factor)
        if num_workers == 0:
            raise ValueError("DataLoader: prefetch_factor is given and num_workers is 0; workers are needed to work ahead")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise ValueError(f"DataLoader: timeout is {timeout!r}; it must be a number of seconds, 0 or more")
    if persistent_workers and num_workers == 0:
        raise ValueError("DataLoader: persistent_workers is True and num_workers is 0; there are none")


def check_order(iterable: bool, shuffle: Any, sampler: Any, batch_sampler: Any, batch_size: Any, drop_last: bool) -> None:
    """Raises ValueError where they exclude each other."""
    given = {"shuffle": bool(shuffle), "sampler": sampler is not None, "batch_sampler": batch_sampler is not None}
    named = [name for name, there in given.items() if there]
    if iterable and named:
        raise ValueError(f"DataLoader: {named[0]} is given, and an IterableDataset has an order of its own")
    if len(named) > 1:
        raise ValueError(f"DataLoader: {' and '.join(named)} are given; one of them says what the order is")
    if batch_sampler is not None and (batch_size != 1 or drop_last):
        raise ValueError("DataLoader: batch_sampler is given, which leaves no choice to batch_size and drop_last")
    if batch_size is not None:
        count_of("DataLoader", "batch_size", batch_size)
    elif drop_last:
        raise ValueError("DataLoader: drop_last is True and batch_size None; without batches none can be left out")


def check_sets(
    iterable: bool, sets: Any, bootstrap: bool, first_set: Any, shuffle: Any, plain: bool, batch_size: Any
) -> None:
    """Raises ValueError where they exclude each other; `plain`: there is no sampler."""
    if sets is None:
        if bootstrap or first_set != 0:
            raise ValueError(f"DataLoader: {'bootstrap' if bootstrap else 'first_set'} is given and sets is not")
        return
    count_of("DataLoader", "sets", sets)
    if isinstance(first_set, bool) or not isinstance(first_set, int) or first_set < 0:
        raise ValueError(f"DataLoader: first_set is {first_set!r}; it must be an int of 0 or more")
    if iterable:
        raise ValueError("DataLoader: sets is given, and an IterableDataset has one order for all")
    if not plain:
        raise ValueError("DataLoader: sets and a sampler are given; each set has an order of its own")
    if batch_size is None:
        raise ValueError("DataLoader: sets is given and batch_size is None; sets are given batches")
    if not shuffle and not bootstrap:
        raise ValueError(
            "DataLoader: sets is given, shuffle and bootstrap are not: all sets would get the same samples. A loader "
            "without sets gives them once, for all"
        )
