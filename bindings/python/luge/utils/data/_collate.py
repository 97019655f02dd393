"""Samples into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import _C
from ..._C import Tensor


def _is_array(value: Any) -> bool:
    """An array or a scalar of NumPy, without importing it."""
    return type(value).__module__ == "numpy" and hasattr(value, "dtype")


def default_convert(data: Any) -> Any:
    """Arrays as tensors, also within lists, tuples and dicts; everything else as it is.

    >>> luge.utils.data.default_convert({"x": 1, "name": "a"})
    {'x': 1, 'name': 'a'}
    """
    if isinstance(data, Tensor) or isinstance(data, (str, bytes)):
        return data
    if _is_array(data):
        return data if data.dtype.kind in "SUO" else _C.as_tensor(data)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence):
        return [default_convert(value) for value in data]
    return data


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch of samples: tensors and arrays are stacked, numbers become a tensor, texts a list; of tuples, lists and dicts
    each part is collated by itself. Raises TypeError for anything else, ValueError where samples have different lengths.

    >>> luge.utils.data.default_collate([(1, 0.5), (2, 1.5)])
    [tensor([1, 2]), tensor([0.5000, 1.5000], dtype=float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _C.stack(list(batch))
    if _is_array(first):
        if first.dtype.kind in "SUO":
            raise TypeError(f"default_collate: a sample holds an array of dtype {first.dtype}; it must be one of numbers")
        return _C.stack([_C.as_tensor(sample) for sample in batch])
    if isinstance(first, float):
        return _C.tensor(batch, dtype=_C.float64)
    if isinstance(first, int):
        return _C.tensor(batch)
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        lengths = {len(sample) for sample in batch}
        if len(lengths) > 1:
            raise ValueError(f"default_collate: samples have {sorted(lengths)} parts; all must have as many")
        parts = [default_collate(part) for part in zip(*batch)]
        return type(first)(*parts) if isinstance(first, tuple) and hasattr(first, "_fields") else parts
    raise TypeError(
        f"default_collate: a sample holds an object of type {type(first).__name__}; allowed are tensors, arrays, numbers, texts, "
        "and tuples, lists and dicts of them"
    )


def moved(data: Any, device: Any) -> Any:
    """A batch with its tensors on a device."""
    if isinstance(data, Tensor):
        return data.to(device)
    if isinstance(data, Mapping):
        return {key: moved(value, device) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(moved(value, device) for value in data))
    if isinstance(data, (list, tuple)):
        return [moved(value, device) for value in data]
    return data


def by_sets(data: Any, sets: int) -> Any:
    """A batch of the samples of all sets in a row, as one with a leading axis of sets."""
    if isinstance(data, Tensor):
        return data.unflatten(0, (sets, -1))
    if isinstance(data, Mapping):
        return {key: by_sets(value, sets) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(by_sets(value, sets) for value in data))
    if isinstance(data, (list, tuple)) and data and all(isinstance(value, (str, bytes)) for value in data):
        each = len(data) // sets
        return [list(data[i * each : (i + 1) * each]) for i in range(sets)]
    if isinstance(data, (list, tuple)):
        return [by_sets(value, sets) for value in data]
    raise TypeError(
        "DataLoader: with sets collate_fn must return tensors, or lists, tuples and dicts of them; it returned "
        f"{type(data).__name__}"
    )
