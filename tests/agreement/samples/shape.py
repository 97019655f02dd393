"""Views and rearrangements."""

from agreement import A, V, error, sample  # noqa: F401

sample("Tensor.permute", A((2, 3, 4)), 2, 0, 1)
sample("Tensor.mT", A((2, 3)))
error("Tensor.permute", A((2, 3)), 0, 0)
