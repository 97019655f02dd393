"""Linear algebra."""

from agreement import A, V, error, sample  # noqa: F401
