"""Special functions."""

from agreement import A, V, error, sample  # noqa: F401

sample("erf", A((2, 3), "float64"), sets=True)
sample("lgamma", A((), "float32", low=0.5))
