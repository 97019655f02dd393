"""Functions of each element."""

from agreement import A, V, error, sample

for dtype in ("uint8", "int32", "float32", "float64"):
    sample("add", A((2, 3), dtype), A((3,), dtype))
sample("exp", A((2, 3), "float64", "transposed"))
sample("exp", A((7,), special=True))
error("add", A((2,)), A((3,)))
error("exp", "text", starts="exp: ")
