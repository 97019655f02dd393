"""Activations."""

from agreement import A, V, error, sample  # noqa: F401

sample("nn.functional.silu", A((2, 3), "float64"))
sample("softmax", A((2, 3), "bfloat16"), -1)
