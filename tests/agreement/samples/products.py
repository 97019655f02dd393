"""Matrix products and their kin."""

from agreement import A, V, error, sample  # noqa: F401

sample("matmul", A((2, 3), "float64"), A((3, 4), "float64"))
error("matmul", A((2, 3)), A((2, 3)))
