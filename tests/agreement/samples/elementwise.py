"""Functions of each element."""

from agreement import A, V, error, sample  # noqa: F401
