"""What a tensor says of itself, and how it changes."""

from agreement import A, V, error, sample  # noqa: F401

sample("Tensor.add_", A((3,)), A((3,), "int32"))
sample("Tensor.copy_", A((3,), "int32"), A((3,)))
