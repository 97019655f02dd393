"""Losses."""

from agreement import A, V, error, sample  # noqa: F401

sample("nn.functional.mse_loss", A((2, 3), "float64"), A((2, 3), "float64"), reduction="sum")
