"""Products of several matrices, what linalg has under names of its own, and sizes by keyword."""

from agreement import A, V, error, sample

FLOATS = ("float16", "bfloat16", "float32", "float64")
for dtype in (*FLOATS, "int32", "int64", "uint8"):
    sample("linalg.multi_dot", [A((2, 3), dtype), A((3, 4), dtype), A((4, 2), dtype)])
for dtype in ("float32", "float64"):
    sample("linalg.multi_dot", [A((2, 3), dtype), A((3, 2), dtype)])
    sample("linalg.multi_dot", (A((3,), dtype), A((3, 2), dtype), A((2, 4), dtype), A((4,), dtype)))
    sample("linalg.multi_dot", [A((3,), dtype), A((3, 2), dtype)])
    sample("linalg.multi_dot", [A((2, 3), dtype), A((3,), dtype)])
    sample("linalg.multi_dot", [A((3,), dtype), A((3,), dtype)])
    for layout in ("transposed", "strided"):
        sample("linalg.multi_dot", [A((2, 3), dtype, layout), A((3, 4), dtype, layout), A((4, 1), dtype, layout)])
    for sizes in ((1, 5, 1, 5), (5, 1, 5, 1), (2, 0, 3, 1), (0, 2, 3, 0), (1, 1, 1, 1)):
        sample("linalg.multi_dot", [A((m, n), dtype) for m, n in zip(sizes, sizes[1:])])
sample("linalg.multi_dot", tensors=[A((2, 3)), A((3, 2))])
error("linalg.multi_dot", [A((2, 3))])
error("linalg.multi_dot", [])
error("linalg.multi_dot", [A((2, 3)), A((2, 3))])
error("linalg.multi_dot", [A((2, 3)), A((3, 2), "float64")])
error("linalg.multi_dot", [A((2, 3)), A((3,)), A((3, 2))])
error("linalg.multi_dot", [A((2, 2, 3)), A((3, 2))])
error("linalg.multi_dot", A((2, 3)))
error("linalg.multi_dot", [A((2, 3)), "text"])

for dtype in ("bool", "int8", "int64", *FLOATS):
    sample("linalg.diagonal", A((3, 4), dtype))
for dtype in ("float32", "float64"):
    for offset in (1, -1, 3, -2, 9):
        sample("linalg.diagonal", A((3, 4), dtype), offset=offset)
        sample("linalg.diagonal", A((2, 3, 4), dtype), offset=offset)
    for dims in ((0, 1), (1, 0), (-1, -3), (0, 2)):
        sample("linalg.diagonal", A((2, 3, 4), dtype), dim1=dims[0], dim2=dims[1])
    for layout in ("transposed", "strided", "expanded"):
        sample("linalg.diagonal", A((2, 3, 4), dtype, layout), offset=-1)
sample("linalg.diagonal", A=A((2, 0)))
sample("linalg.diagonal", A((0, 2, 2)))
error("linalg.diagonal", A((3,)))
error("linalg.diagonal", A((3, 4)), 1)
error("linalg.diagonal", A((3, 4)), dim1=1, dim2=1)
error("linalg.diagonal", A((3, 4)), dim1=2)
error("linalg.diagonal", A((3, 4)), offset="text")
error("linalg.diagonal", V(1.0))

for dtype in (*FLOATS, "int32", "int64"):
    sample("linalg.matmul", A((2, 3), dtype), A((3, 4), dtype))
for a, b in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((4, 1, 2, 3), (2, 3, 2)),
             ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((5, 2, 3), (1, 3, 2))):  # fmt: skip
    sample("linalg.matmul", A(a), A(b))
    sample("linalg.matmul", A(a, "float64"), A(b, "float64"))
sample("linalg.matmul", input=A((2, 3)), other=A((3, 2)))
error("linalg.matmul", A((2, 3)), A((2, 3)))
error("linalg.matmul", A((2, 3)))
error("linalg.matmul", A((2, 3)), A((3, 2), "float64"))
error("linalg.matmul", A(()), A((3,)))
error("linalg.matmul", A((2, 3)), 1.0)
for a, b in (((2, 3, 2, 3), (2, 1, 3, 4)), ((2, 2, 3, 2, 3), (2, 1, 1, 3, 4)), ((3, 2, 3), (2, 1, 3, 4)),
             ((2, 0, 2, 3), (2, 1, 3, 4)), ((2, 3, 2, 3), (1, 1, 3, 4))):  # fmt: skip
    sample("matmul", A(a, "float64"), A(b, "float64"), check=len(a) == 3)
    sample("matmul", A(a, "float64", "transposed"), A(b, "float64", "transposed"), check=False)
for dtype in ("float32", "int64"):
    sample("Tensor.repeat", A((2, 3), dtype), repeats=(2, 1))
    sample("Tensor.repeat", A((2, 3), dtype), repeats=[2, 2, 1])
    sample("Tensor.flip", A((2, 3), dtype), dims=[1])
    sample("Tensor.flip", A((2, 3), dtype), dims=(0, -1))
error("Tensor.repeat", A((2, 3)), (1, 2), repeats=(2, 1))
error("Tensor.flip", A((2, 3)), 1, dims=[1])
