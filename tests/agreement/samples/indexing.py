"""Elements by their places."""

from agreement import A, V, error, sample  # noqa: F401

sample("operator.getitem", A((4, 5)), (V([0, 2], "int64"), slice(None, None, 2)))
sample("operator.setitem", A((4, 5)), V([0, 2], "int64"), A((5,)))
error("gather", A((4, 5)), 2, V([[0]], "int64"))
