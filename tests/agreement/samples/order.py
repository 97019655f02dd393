"""Sorting and searching."""

from agreement import A, V, error, sample  # noqa: F401

sample("sort", A((2, 5), "int8"), descending=True, stable=True)
error("sort", A((2, 3)), 2)
