"""Data sets and mini-batches."""

from ._C._data import Batches, Dataset, Epoch, find_dataset, load_idx_dataset, read_idx

__all__ = ["Batches", "Dataset", "Epoch", "find_dataset", "load_idx_dataset", "read_idx"]
