"""New tensors."""

from agreement import A, V, error, sample  # noqa: F401

sample("full", (2, 3), 1.5, dtype="dtype:float64")
sample("zeros_like", A((2, 3), "int8"))
