"""A tensor in parts."""

from agreement import DTYPES, A, V, error, sample

MATRIX, CUBE = A((4, 6)), A((2, 4, 6))


def everywhere(name, shape, *args, **keywords):
    for dtype in DTYPES:
        sample(name, A(shape, dtype), *args, **keywords)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A(shape, "float64", layout=layout), *args, **keywords)


for name in ("split", "Tensor.split"):
    everywhere(name, (4, 3), 2, forms=False)
    for parts, dim in ((1, 0), (3, 1), (10, 0), ([1, 3], 0), ([2, 0, 4], -1), ((6,), 1), ([4], -2)):
        sample(name, MATRIX, parts, dim, forms=False)
    sample(name, A((0, 2)), 0, forms=False)
    sample(name, A((0, 2)), 2, 0, forms=False)
    for parts, dim in ((0, 0), (-1, 0), ([1, 1], 0), ([5, -1], 0), (1, 2), ([], 0), (1.5, 0)):
        error(name, MATRIX, parts, dim)
sample("split", MATRIX, split_size_or_sections=3, dim=1, forms=False)
sample("Tensor.split", MATRIX, split_size=3, dim=1)
error("split", A(()), 1)
everywhere("split_with_sizes", (4, 3), [1, 3])
for parts, dim in (([4], 0), ([2, 0, 4], -1), ((1, 1, 4), 1), ([2, 2], -2), ([0, 4], 0), ([1] * 6, 1)):
    sample("split_with_sizes", MATRIX, parts, dim)
    sample("split_with_sizes", MATRIX, split_sizes=parts, dim=dim)
for parts, dim in (([1, 1], 0), ([5, -1], 0), ([4], 2), ([], 0), ([7], 1)):
    error("split_with_sizes", MATRIX, parts, dim)
everywhere("chunk", (4, 3), 3)
for chunks, dim in ((1, 0), (4, 1), (7, 1), (6, -1), (5, 1), (2, -2)):
    sample("chunk", MATRIX, chunks, dim)
    sample("chunk", MATRIX, chunks=chunks, dim=dim)
sample("chunk", A((0, 2)), 3)
for chunks, dim in ((0, 0), (-1, 0), (2, 2), (2, -3), (1.5, 0)):
    error("chunk", MATRIX, chunks, dim)
error("chunk", A(()), 1)
everywhere("tensor_split", (4, 3), 3)
for where, dim in ((1, 0), (4, 1), ((1, 3), 0), ([2], -1), ((), 0), ((3, 1), 1), ((-1,), 0), ((2, 100), 1), ((-100, 2), 1)):
    sample("tensor_split", MATRIX, where, dim)
    sample("tensor_split", A((4, 6), "int64"), where, dim=dim)
sample("tensor_split", MATRIX, V([1, 3], "int64"), 0, capture=False)
sample("tensor_split", MATRIX, V(3, "int64"), 1, capture=False)
sample("tensor_split", MATRIX, sections=3, dim=1)
sample("tensor_split", MATRIX, indices=(1, 2), dim=1)
for where, dim in ((0, 0), (-1, 0), (2, 2), (1.5, 0), ((1.5,), 0), (V([1.0, 2.0]), 0), (V([[1]], "int64"), 0)):
    error("tensor_split", MATRIX, where, dim)
error("tensor_split", A(()), 1)
for name, shape in (("hsplit", (4, 6)), ("vsplit", (4, 6)), ("dsplit", (2, 3, 4))):
    everywhere(name, shape, 2)
    for where in (1, [1], (1, 3), (), (-1,), [0, 2]):
        sample(name, A(shape), where)
        sample(name, A(shape, "int64"), where)
    for where in (5, 0, -2, 1.5, "a", 7):
        error(name, A(shape), where)
sample("hsplit", A((6,)), 3)
sample("Tensor.hsplit", MATRIX, 1, 3)
error("hsplit", A(()), 1)
error("vsplit", A((3,)), 1)
error("dsplit", A((3, 3)), 1)
everywhere("unbind", (3, 4))
for dim in (0, 1, 2, -1, -3):
    sample("unbind", CUBE, dim)
    sample("unbind", A((1, 2, 2), "int64"), dim=dim)
sample("unbind", A((0, 2)))
for dim in (3, -4, 10, -10, 7):
    error("unbind", CUBE, dim)
error("unbind", A(()))
