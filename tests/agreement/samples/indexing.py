"""Elements by their places."""

from agreement import DTYPES, A, V, error, sample

INDEX = V([2, 0, 2], "int64")
MASK = V([True, False, True, False], "bool")
for dtype in DTYPES:
    sample("index_select", A((4, 3), dtype), 0, INDEX)
    sample("index_select", A((2, 4), dtype), 1, V([3, 1], "int32"))
    sample("gather", A((3, 4), dtype), 1, V([[0, 3], [2, 2], [1, 0]], "int64"))
    sample("operator.getitem", A((4, 3), dtype), MASK, capture=False)
    sample("operator.getitem", A((4, 3), dtype), INDEX)
    sample("operator.setitem", A((4, 3), dtype), 1, 1)
    sample("operator.setitem", A((4, 3), dtype), INDEX, 1)
    sample("operator.setitem", A((4, 3), dtype), MASK, 0)
for layout in ("transposed", "strided", "expanded"):
    sample("index_select", A((3, 4), layout=layout), 1, INDEX)
    sample("gather", A((3, 4), layout=layout), 0, V([[0, 1, 2, 0]], "int64"))
    sample("operator.getitem", A((3, 4), layout=layout), (slice(None), INDEX))
    sample("operator.getitem", A((3, 4), layout=layout), (INDEX, V([0, 1, 3], "int64")))
    if layout != "expanded":
        sample("operator.setitem", A((3, 4), layout=layout), (slice(None), 1), A((3,)))
        sample("operator.setitem", A((3, 4), layout=layout), (slice(None), INDEX), 2.0)

sample("index_select", A(()), 0, V([0], "int64"))
sample("index_select", A((3, 4)), -1, V([], "int64"))
sample("index_select", A((3, 4)), 0, V(1, "int64"))
sample("index_select", A((3, 4), "float64"), 0, INDEX)
sample("index_select", input=A((3, 4)), dim=0, index=INDEX)
error("index_select", A((3, 4)), 0, V([3], "int64"))
error("index_select", A((3, 4)), 0, V([-1], "int64"))
error("index_select", A((3, 4)), 2, INDEX)
error("index_select", A((3, 4)), 0, V([[0]], "int64"))
error("index_select", A((3, 4)), 0, V([0.0]))
error("index_select", A((3, 4)), 0)

for dim in (0, 1, 2, -1):
    sample("gather", A((2, 2, 2), "float64"), dim, V([[[0, 1], [1, 1]], [[1, 0], [0, 0]]], "int64"))
sample("gather", A((3, 4)), 1, V([[0, 3, 2]], "int64"))
sample("gather", A((3, 4)), 0, A((0, 4), "int64"))
sample("gather", A(()), 0, V(0, "int64"))
sample("gather", A((3,)), 0, V([0, 0, 2, 2, 1], "int64"))
sample("gather", input=A((3, 4)), dim=1, index=V([[0], [1], [3]], "int64"))
error("gather", A((3, 4)), 1, V([[4]], "int64"))
error("gather", A((3, 4)), 1, V([[-1]], "int64"))
error("gather", A((3, 4)), 2, V([[0]], "int64"))
error("gather", A((3, 4)), 1, V([0], "int64"))
error("gather", A((3, 4)), 1, V([[0.0]]))
error("gather", A((3, 4)), 0, A((2, 5), "int64", low=0, high=2))

for dtype in DTYPES:
    sample("index_copy", A((4, 3), dtype), 0, V([2, 0], "int64"), A((2, 3), dtype))
for dim in (0, 1, -1, -2):
    sample("index_copy", A((3, 3), "float64"), dim, V([2, 0, 1], "int64"), A((3, 3), "float64"))
for layout in ("transposed", "strided", "expanded"):
    sample("index_copy", A((3, 4), layout=layout), 1, V([2, 0], "int64"), A((3, 2), layout=layout))
sample("index_copy", A((3,)), 0, V(1, "int64"), A(()))
sample("index_copy", A((3,)), 0, V([1], "int64"), A((1,)))
sample("index_copy", A((3, 2)), 0, V([], "int64"), A((0, 2)))
sample("index_copy", input=A((3,)), dim=0, index=V([1], "int64"), source=A((1,)))
error("index_copy", A((3, 4)), 0, V([3], "int64"), A((1, 4)))
error("index_copy", A((3, 4)), 2, V([0], "int64"), A((1, 4)))
error("index_copy", A((3, 4)), 0, V([0], "int64"), A((2, 4)))
error("index_copy", A((3, 4)), 0, V([0], "int64"), A((1, 4), "float64"))
error("index_copy", A((3, 4)), 0, V([0.0]), A((1, 4)))
error("index_copy", A((3, 4)), 0, V([0], "int64"))

INDEXES = [
    0, -1, slice(None), slice(1, 3), slice(None, None, 2), slice(3, 1), slice(-2, None), slice(10, 20), Ellipsis, None,
    (0, 1), (0, slice(1, 3)), (slice(None), -1), (slice(None), None, 0), (Ellipsis, 0), (0, Ellipsis), (None, Ellipsis, None),
    (Ellipsis, slice(None, None, 3)), (), INDEX, (INDEX, INDEX), (slice(None), INDEX), (INDEX, slice(1, 3)), (0, INDEX),
    (INDEX, 0), (V([[0], [1]], "int64"), V([0, 2], "int64")), (None, INDEX), (INDEX, None), (Ellipsis, INDEX),
    V([], "int64"), V([[0, 1], [2, 3]], "int64"), V(1, "int64"), V([-1, -4], "int64"),
    V([0, 2], "int32"),
]  # fmt: skip
for index in INDEXES:
    sample("operator.getitem", A((4, 5), "float64"), index)
    sample("operator.setitem", A((4, 5), "float64"), index, 7.0, check=False)
MASKS = [MASK, (MASK, 0), (slice(None), V([True, False, True, False, True], "bool")), (MASK, slice(1, 2)), (MASK, V([1], "int64")),
         V([False] * 4, "bool"), A((4, 5), "bool"), True, False, V(True, "bool"), (0, V([True, False, True, False, True], "bool"))]  # fmt: skip
for index in MASKS:
    sample("operator.getitem", A((4, 5), "float64"), index, capture=False)
    sample("operator.setitem", A((4, 5), "float64"), index, 7.0, check=False, capture=False)
for index in ([0, 2], (slice(None), [0, 2]), [-1], ([0, 1], [2, 3])):
    sample("operator.getitem", A((4, 5), "float64"), index, capture=False)
    sample("operator.setitem", A((4, 5), "float64"), index, 7.0, capture=False)
NESTED = "a list of lists is one index, as a tensor of it is; PyTorch takes it for a tuple"
sample("operator.getitem", A((4, 5)), [[0, 2], [1, 1]], capture=False, differs=NESTED)
sample("operator.setitem", A((4, 5)), [[0, 2], [1, 1]], 7.0, capture=False, differs=NESTED)
for index in ((slice(None), INDEX, INDEX), (INDEX, slice(None), INDEX), (0, slice(None), INDEX), (slice(1, 2), INDEX)):
    sample("operator.getitem", A((3, 4, 3), "float64"), index)
for value, index in ((A((5,)), 0), (A((2, 5)), slice(1, 3)), (A((4, 1)), slice(None)), (A(()), 2), (A((3, 5)), INDEX),
                     (A((5,)), INDEX), (A((4,)), (slice(None), 2)), (A((5,), "int32"), 1), (A((5,), "float64"), 1)):  # fmt: skip
    sample("operator.setitem", A((4, 5)), index, value, grad=index is not INDEX)
for index in (4, -5, (0, 5), (0, 0, 0), V([4], "int64"), V([-5], "int64"), V([True, False], "bool"), "text", 1.5, V([0.5]),
              slice(None, None, -1), (INDEX, V([0, 1], "int64"))):  # fmt: skip
    error("operator.getitem", A((4, 5)), index, starts="indexing: ")
error("operator.setitem", A((4, 5)), 0, A((4,)), starts="indexing: ")
error("operator.setitem", A((4, 5)), 4, 1, starts="indexing: ")
error("operator.setitem", A((4, 5)), 0, "text", starts="indexing: ")
error("operator.setitem", A((4, 5)), INDEX, A((2, 5)), starts="indexing: ")
error("operator.setitem", A((4, 5)), slice(0, 2), A((3, 5)), starts="indexing: ")

for dtype in ("float16", "bfloat16", "float32", "float64"):
    sample("nn.functional.embedding", INDEX, A((4, 3), dtype))
for index in (V([[0, 1], [2, 3]], "int64"), V(1, "int64"), V([], "int64"), V([1, 1, 1], "int64"), V([0, 3], "int32")):
    for layout in ("contiguous", "transposed", "strided"):
        sample("nn.functional.embedding", index, A((4, 3), "float64", layout))
sample("nn.functional.embedding", input=INDEX, weight=A((4, 3)))
for padding in (2, -4, 0):
    sample("nn.functional.embedding", INDEX, A((4, 3)), padding_idx=padding)
    sample("nn.functional.embedding", INDEX, A((4, 3), "float64"), padding, check=False)
error("nn.functional.embedding", INDEX, A((4, 3)), 4)
error("nn.functional.embedding", V([4], "int64"), A((4, 3)))
error("nn.functional.embedding", V([-1], "int64"), A((4, 3)))
error("nn.functional.embedding", V([0.0]), A((4, 3)))
error("nn.functional.embedding", INDEX, A((4,)))
error("nn.functional.embedding", INDEX)
