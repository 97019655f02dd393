"""Views and rearrangements."""

from agreement import A, V, error, sample  # noqa: F401
