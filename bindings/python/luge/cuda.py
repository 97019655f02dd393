"""What is known of CUDA on this machine, and the memory of its GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _C
from ._C import device
from ._C._cuda import device_count, get_device_name, is_available, is_built, versions, why_not
from ._names import missing as _missing

__all__ = [
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "is_built",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "synchronize",
    "versions",
    "why_not",
]


def _gpu(which: device | str | int | None) -> device:
    if which is None:
        return device("cuda", 0)
    return device("cuda", which) if isinstance(which, int) else device(which) if isinstance(which, str) else which


def _asks(which: device | str | int | None) -> bool:
    """Whether a GPU is named, or there is one: programs ask for the memory of the GPU that they may not have."""
    return which is not None or is_available()


def manual_seed(seed: int) -> None:
    """luge.manual_seed: one generator is that of the CPU and of all GPUs, so that both draw the same numbers.

    >>> luge.cuda.manual_seed(3)
    >>> x = luge.rand(2)
    >>> luge.cuda.manual_seed_all(3)
    >>> x.equal(luge.rand(2))
    True
    """
    _C.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """The same."""
    _C.manual_seed(seed)


def synchronize(device: device | str | int | None = None) -> None:
    """Waits until everything queued on a GPU has run and raises errors that came up meanwhile."""
    _C.synchronize(_gpu(device))


def memory_allocated(device: device | str | int | None = None) -> int:
    """Bytes in tensors on a GPU; 0 where there is none."""
    return _C.memory_stats(_gpu(device)).allocated if _asks(device) else 0


def max_memory_allocated(device: device | str | int | None = None) -> int:
    """The most bytes that ever were in tensors on a GPU; 0 where there is none."""
    return _C.memory_stats(_gpu(device)).peak if _asks(device) else 0


def memory_reserved(device: device | str | int | None = None) -> int:
    """Bytes held from the driver; 0 where there is no GPU."""
    return _C.memory_stats(_gpu(device)).reserved if _asks(device) else 0


def reset_peak_memory_stats(device: device | str | int | None = None) -> None:
    """Sets the peak back to what is allocated now."""
    _C.reset_peak_memory(_gpu(device))


def empty_cache(device: device | str | int | None = None) -> None:
    """Gives memory that is cached for later tensors back to the driver; nothing where there is no GPU."""
    if _asks(device):
        _C.release_cache(_gpu(device))


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
