"""Diagonals and triangles, and tensors of which a part is replaced."""

from agreement import DTYPES, A, V, error, sample

MATRIX = A((3, 4))
LAYOUTS = ("contiguous", "transposed", "strided", "expanded")


def everywhere(name, shape, *args, **keywords):
    for dtype in DTYPES:
        sample(name, A(shape, dtype), *args, **keywords)
    for layout in LAYOUTS:
        sample(name, A(shape, "float64", layout=layout), *args, **keywords)
    sample(name, A(shape, special=True), *args, **keywords)


for name in ("tril", "triu"):
    everywhere(name, (3, 4))
    for diagonal in (-3, -2, -1, 1, 2, 3, 4, -100, 100):
        sample(name, MATRIX, diagonal)
        sample(name, A((2, 3, 3), "int64"), diagonal=diagonal)
        sample(name, A((4, 2), "float64"), diagonal)
    for shape in ((0, 3), (3, 0), (1, 1), (2, 2, 2, 2)):
        sample(name, A(shape))
    for shape in ((), (1,), (3,), (0,), (7,)):
        error(name, A(shape))
    error(name, MATRIX, "a")
    for rows, columns, offset in ((3, 3, 0), (2, 4, 1), (4, 2, -1), (3, 3, 5), (3, 3, -5), (0, 3, 0), (3, 0, 0), (1, 1, 0), (2, 3, -1), (4, 4, 2)):
        sample(f"{name}_indices", rows, columns, offset)
        sample(f"{name}_indices", rows, columns, offset, dtype="dtype:int32")
    sample(f"{name}_indices", 2, 3)
    sample(f"{name}_indices", row=2, col=3, offset=1)
    for rows, columns, offset in ((-1, 3, 0), (3, -1, 0), ("a", 3, 0), (2, 3, 1.5), (2.5, 3, 0)):
        error(f"{name}_indices", rows, columns, offset)
    error(f"{name}_indices", 2, 2, dtype="dtype:float32")
everywhere("diag", (3, 4))
everywhere("diag", (3,))
for diagonal in (-4, -3, -1, 1, 2, 5):
    sample("diag", MATRIX, diagonal)
    sample("diag", A((3,)), diagonal=diagonal)
for shape in ((0,), (0, 3), (1, 1), (4, 2)):
    sample("diag", A(shape))
for shape in ((), (2, 3, 4), (1, 1, 1), (0, 0, 0), (2, 2, 2, 2)):
    error("diag", A(shape))
everywhere("diagonal", (3, 4))
for arguments in ((1,), (-1,), (4,), (-5,), (0, 1, 2), (1, -1, 0), (0, 2, 0), (-1, 0, -1), (2, 1, 2)):
    sample("diagonal", A((3, 4, 3)), *arguments)
    sample("diagonal", A((2, 3, 3), "int64"), *arguments)
sample("diagonal", MATRIX, offset=1, dim1=1, dim2=0)
sample("diagonal", A((3, 2), "float64"), -1)
for arguments in ((0, 0, 0), (0, 0, 2), (0, -3, 1), (0, 1, -1), (0, 1, 1)):
    error("diagonal", MATRIX, *arguments)
error("diagonal", A((3,)))
error("diagonal", A(()))
everywhere("diag_embed", (2, 3))
for arguments in ((1,), (-1,), (0, 0, 1), (2, 0, 2), (0, 2, 0), (-2, -1, 0), (0, 1, -1)):
    sample("diag_embed", A((2, 3)), *arguments)
    sample("diag_embed", A((3, 2), "int16"), *arguments)
sample("diag_embed", A((0,)))
sample("diag_embed", A((3,), "float64"), offset=1, dim1=1, dim2=0)
for arguments in ((0, 0, 0), (0, 0, 3), (0, -4, 1), (0, 1, -2), (0, 2, -1)):
    error("diag_embed", A((2, 3)), *arguments)
error("diag_embed", A(()))
everywhere("diagflat", (2, 2))
for offset in (-2, -1, 1, 2):
    sample("diagflat", A((3,)), offset)
    sample("diagflat", A((1, 2), "float64"), offset=offset)
sample("diagflat", A(()))
sample("diagflat", A((0,)))
for offset in ("a", 1.5, None, [1], (1,)):
    error("diagflat", A((3,)), offset)
for dtype in DTYPES[1:]:
    sample("trace", A((3, 4), dtype))
    sample("trace", A((3, 2), dtype, low=-1))
for layout in LAYOUTS:
    sample("trace", A((3, 3), "float64", layout=layout))
sample("trace", A((0, 3)))
sample("trace", A((2, 2), special=True))
for shape in ((), (3,), (2, 2, 2), (0,), (1, 1, 1)):
    error("trace", A(shape))
error("trace", A((2, 2), "bool"))
for dtype in DTYPES:
    sample("Tensor.fill_diagonal_", A((3, 3), dtype), 2)
for shape in ((3, 4), (4, 3), (7, 2), (9, 3), (0, 3), (3, 0), (2, 2, 2), (3, 3, 3), (1, 1)):
    sample("Tensor.fill_diagonal_", A(shape), 5.0)
    sample("Tensor.fill_diagonal_", A(shape, "int64"), 7, True)
    sample("Tensor.fill_diagonal_", A(shape, "float64"), fill_value=5, wrap=True)
sample("Tensor.fill_diagonal_", A((3, 4), layout="transposed"), 5)
sample("Tensor.fill_diagonal_", A((3, 4), "int32"), 5.7)
for shape, value in (((3,), 1), ((), 1), ((2, 3, 2), 1), ((2, 2), "a"), ((2, 2), None), ((1, 2, 2), 0)):
    error("Tensor.fill_diagonal_", A(shape), value)

for dtype in DTYPES:
    sample("select_scatter", A((2, 3), dtype), A((2,), dtype), 1, 0)
    sample("slice_scatter", A((4, 2), dtype), A((2, 2), dtype), 0, 1, 3)
    sample("diagonal_scatter", A((2, 3), dtype), A((2,), dtype))
for dim, index in ((0, 0), (0, -1), (1, 2), (-1, -3), (-2, 1)):
    shape = (3,) if dim in (0, -2) else (2,)
    sample("select_scatter", A((2, 3), "float64"), A(shape, "float64"), dim, index)
    sample("select_scatter", A((2, 3)), A(shape, "int64"), dim=dim, index=index)
sample("select_scatter", A((2, 3), layout="transposed"), A((3,), "float64"), 0, 0)
for dim, index, shape in ((0, 2, (3,)), (2, 0, (3,)), (0, 0, (2,)), (0, -3, (3,)), (1, 0, (2, 1)), (0, 0, ())):
    error("select_scatter", A((2, 3)), A(shape), dim, index)
for arguments, shape in (((), (4, 3)), ((0, 1), (3, 3)), ((0, 0, 4, 2), (2, 3)), ((1, -1), (4, 1)), ((1, 5), (4, 0)), ((0, None, 2), (2, 3)), ((-1, 0, 100), (4, 3)), ((0, 1, 4, 3), (1, 3)), ((0, -3, -1), (2, 3))):
    sample("slice_scatter", A((4, 3)), A(shape), *arguments)
    sample("slice_scatter", A((4, 3), "float64"), A(shape, "float64"), *arguments)
sample("slice_scatter", A((4, 3)), A((2, 3), "int8"), dim=0, start=0, end=4, step=2)
for arguments, shape in (((), (3,)), ((0, 1), (4, 3)), ((2, 0), (4, 3)), ((0, 0, 4, 0), (4, 3)), ((0, 0, 4, -1), (4, 3)), ((1, 0, 2), (4, 1))):
    error("slice_scatter", A((4, 3)), A(shape), *arguments)
for arguments, shape in (((1,), (3, 2)), ((-1,), (3, 1)), ((0, 0, 2), (3, 2)), ((0, 1, 2), (2, 3)), ((3, 1, 2), (2, 0)), ((0, -1, 0), (3, 2)), ((-1, 2, 1), (2, 2))):
    sample("diagonal_scatter", A((2, 3, 3)), A(shape), *arguments)
for offset, length in ((0, 3), (1, 3), (-1, 2), (3, 1), (-2, 1), (4, 0)):
    sample("diagonal_scatter", A((3, 4)), A((length,)), offset)
    sample("diagonal_scatter", A((3, 4), "float64"), A((length,), "float64"), offset)
for arguments, shape in (((), (2,)), ((1,), (2,)), ((0, 0, 0), (3,)), ((0, 2, 1), (3,)), ((), (3, 3)), ((5,), (1,))):
    error("diagonal_scatter", MATRIX, A(shape), *arguments)
