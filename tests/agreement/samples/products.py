"""Matrix products."""

from agreement import FLOATING, INTEGER, A, error, sample

for dtype in FLOATING:
    for name in ("matmul", "mm"):
        sample(name, A((2, 3), dtype), A((3, 4), dtype))
        sample(name, A((2, 3), dtype, "transposed"), A((3, 4), dtype, "strided"))
    sample("bmm", A((2, 3, 4), dtype), A((2, 4, 2), dtype))
    sample("bmm", A((2, 3, 4), dtype, "transposed"), A((2, 4, 2), dtype, "expanded"))
    sample("nn.functional.linear", A((2, 3), dtype), A((4, 3), dtype))
    sample("nn.functional.linear", A((2, 3), dtype), A((4, 3), dtype), A((4,), dtype))
for dtype in INTEGER:
    sample("matmul", A((2, 3), dtype), A((3, 4), dtype))
    sample("mm", A((2, 3), dtype), A((3, 4), dtype))
    sample("bmm", A((2, 3, 4), dtype), A((2, 4, 2), dtype))
for a, b in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 2, 3), (3, 2)), ((2, 2, 3), (2, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)),
             ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((1, 2, 3), (4, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 2)), ((0,), (0,)),
             ((0, 2, 3), (3, 2)), ((2, 3), (2, 3, 2))):  # fmt: skip
    sample("matmul", A(a, "float64"), A(b, "float64"))
    sample("operator.matmul", A(a), A(b))
for layout in ("transposed", "strided", "expanded"):
    sample("matmul", A((3, 4), layout=layout), A((4, 3), layout=layout))
    sample("matmul", A((2, 3, 4), layout=layout), A((4,), layout="strided"))
    sample("mm", A((3, 4), "float64", layout), A((4, 3), "float64", layout))
    sample("bmm", A((2, 3, 4), "float64", layout), A((2, 4, 3), "float64", layout))
sample("matmul", input=A((2, 3)), other=A((3, 2)))
sample("mm", input=A((2, 3)), mat2=A((3, 2)))
sample("bmm", input=A((1, 2, 3)), mat2=A((1, 3, 2)))
for shape in ((0, 3), (2, 0), (0, 0), (1, 1), (5, 7)):
    sample("mm", A(shape), A((shape[1], 2)))
    sample("bmm", A((2, *shape)), A((2, shape[1], 3)))
    sample("bmm", A((0, *shape)), A((0, shape[1], 3)))
error("matmul", A((2, 3)), A((2, 3)))
error("matmul", A(()), A((3,)))
error("matmul", A((3,)), A((2,)))
error("matmul", A((2, 2, 3)), A((3, 3, 2)))
error("matmul", A((2, 3)), A((3, 2), "float64"))
error("matmul", A((2, 3)), 2.0)
error("mm", A((2, 3)), A((2, 3)))
error("mm", A((3,)), A((3, 2)))
error("mm", A((1, 2, 3)), A((1, 3, 2)))
error("mm", A((2, 3)), A((3, 2), "float64"))
error("mm", A((2, 3)))
error("mm", A((2, 3)), 2)
error("bmm", A((2, 3)), A((3, 2)))
error("bmm", A((2, 2, 3)), A((3, 3, 2)))
error("bmm", A((2, 2, 3)), A((2, 2, 3)))
error("bmm", A((2, 2, 3)), A((2, 3, 2), "float64"))
error("bmm", A((2, 2, 3)))
error("bmm", A((1, 2, 3)), A((2, 3, 2)))

for shape in ((3,), (2, 3), (2, 2, 3), (0, 3), (1, 1, 2, 3)):
    sample("nn.functional.linear", A(shape, "float64"), A((4, 3), "float64"))
    sample("nn.functional.linear", A(shape, "float64"), A((4, 3), "float64"), A((4,), "float64"))
sample("nn.functional.linear", A((3,), "float64"), A((3,), "float64"))
sample("nn.functional.linear", A((2, 3), layout="transposed"), A((4, 3), layout="strided"), bias=A((4,), layout="strided"))
sample("nn.functional.linear", A((2, 0)), A((4, 0)), A((4,)))
sample("nn.functional.linear", input=A((2, 3)), weight=A((1, 3)), bias=None)
error("nn.functional.linear", A((2, 3)), A((4, 2)))
error("nn.functional.linear", A((2, 3)), A((4, 3)), A((3,)))
error("nn.functional.linear", A((2, 3)), A((4, 3), "float64"))
error("nn.functional.linear", A((2, 3)), 2.0)
error("nn.functional.linear", A((2, 3)))
error("nn.functional.linear", A(()), A((4, 3)))
