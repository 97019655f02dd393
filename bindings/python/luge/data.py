"""Data sets and mini-batches."""

from typing import TYPE_CHECKING

from ._C._data import Batches, BatchStream, Dataset, Epoch, find_dataset, load_idx_dataset, read_idx
from ._names import missing as _missing

__all__ = ["Batches", "BatchStream", "Dataset", "Epoch", "find_dataset", "load_idx_dataset", "read_idx"]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
