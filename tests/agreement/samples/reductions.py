"""Reductions."""

from agreement import A, V, error, sample  # noqa: F401

sample("max", A((2, 3)), dim=1)
error("sum", A((2, 3)), 2)
