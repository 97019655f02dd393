"""Values put at places of a tensor or folded into them; places found."""

from agreement import DTYPES, FLOATING, INTEGER, A, V, error, sample

NUMERIC = (*INTEGER, *FLOATING)
PLACES = V([[0, 2, 1], [3, 0, 0]], "int64")  # for (4, 3) along dim 0: distinct in each column
ACROSS = V([[0, 3, 2], [2, 2, 0], [1, 0, 1]], "int64")  # for (3, 4) along dim 1: repeated
REPEATED = V([[0, 0, 0], [3, 0, 0]], "int64")
INDEX = V([2, 0, 2], "int64")
ALONE = "an extreme's gradient is whole: PyTorch gives a part of it to what self held, though that is left out, and loses it"
ONCE = V([2, 0], "int64")

# ---- scatter
for dtype in DTYPES:
    sample("scatter", A((4, 3), dtype), 0, PLACES, A((2, 3), dtype))
    sample("scatter", A((4, 3), dtype), 0, PLACES, 1)
for dtype in FLOATING + ("int64", "uint8"):
    sample("scatter", A((4, 3), dtype), 0, REPEATED, A((2, 3), dtype), reduce="add", grad=False)
    sample("scatter", A((4, 3), dtype), 0, REPEATED, A((2, 3), dtype), reduce="multiply", grad=False)
    sample("scatter", A((4, 3), dtype), 0, REPEATED, 2, reduce="multiply", grad=False)
for dim in (0, 1, -1, -2):
    sample("scatter", A((3, 3), "float64"), dim, V([[0, 1], [1, 0]], "int64"), A((2, 2), "float64"))
for layout in ("transposed", "strided", "expanded"):
    sample("scatter", A((4, 3), layout=layout), 0, PLACES, A((2, 3), layout=layout))
sample("scatter", A((4, 3)), 0, PLACES, value=1.5)
sample("scatter", A((4, 3)), 0, V([[0, 2]], "int64"), A((2, 3)), grad=False)
sample("scatter", A((4, 3)), 0, V([[0, 2, 1], [3, 0, 0]], "int32"), 7.0)
sample("scatter_add", A((4, 3)), 0, V([[0, 2, 1], [3, 0, 0]], "int32"), A((2, 3)))
error("scatter_reduce", A((3,), "bool"), 0, ONCE, A((2,), "bool"), "mean")
sample("scatter", A((3,)), 0, A((0,), "int64"), A((3,)), grad=False)
sample("scatter", A(()), 0, V(0, "int64"), A(()))
sample("scatter", A(()), 0, V(0, "int64"), 2.0)
sample("scatter", A((3, 4), "float64"), 1, V([[3, 1], [0, 2], [1, 0]], "int64"), 0.5)
sample("scatter", input=A((4, 3)), dim=0, index=PLACES, src=A((2, 3)))
error("scatter", A((4, 3)), 0, V([[4, 0, 0]], "int64"), A((1, 3)))
error("scatter", A((4, 3)), 0, V([[-1, 0, 0]], "int64"), A((1, 3)))
error("scatter", A((4, 3)), 2, PLACES, A((2, 3)))
error("scatter", A((4, 3)), 0, V([0, 1, 2], "int64"), A((3,)))
error("scatter", A((4, 3)), 0, PLACES, A((1, 3)))
error("scatter", A((4, 3)), 0, PLACES, A((2, 3), "float64"))
error("scatter", A((4, 3)), 0, V([[0.0]]), 1.0)
error("scatter", A((4, 3)), 0, PLACES, A((2, 3)), reduce="sum")
error("scatter", A((4, 3)), 0, V([[0, 0, 0, 0]], "int64"), A((1, 4)))
error("scatter", A((4, 3)), 0, PLACES)

# ---- scatter_add
for dtype in DTYPES:
    sample("scatter_add", A((4, 3), dtype), 0, REPEATED, A((2, 3), dtype))
    sample("scatter_add", A((3, 4), dtype), 1, ACROSS, A((3, 3), dtype))
for dtype in ("float32", "float64", "int8"):
    sample("scatter_add", A((4,), dtype), 0, V([0, 0, 2, 2, 2, 0], "int64"), A((6,), dtype, special=True), grad=False)
for layout in ("transposed", "strided", "expanded"):
    sample("scatter_add", A((4, 3), layout=layout), 0, REPEATED, A((2, 3), layout=layout))
for dim in (0, 1, 2, -3):
    sample("scatter_add", A((2, 2, 2), "float64"), dim, V([[[0, 1], [1, 1]], [[1, 0], [0, 0]]], "int64"), A((2, 2, 2), "float64"))
sample("scatter_add", A((4, 3)), 0, V([[0, 2]], "int64"), A((2, 3)), grad=False)
sample("scatter_add", A((2,)), 0, A((0,), "int64"), A((0,)))
sample("scatter_add", A(()), 0, V(0, "int64"), A(()))
sample("scatter_add", input=A((4, 3)), dim=0, index=PLACES, src=A((2, 3)))
error("scatter_add", A((4, 3)), 0, V([[4, 0, 0]], "int64"), A((1, 3)))
error("scatter_add", A((4, 3)), 0, V([[0, -1, 0]], "int64"), A((1, 3)))
error("scatter_add", A((4, 3)), 2, PLACES, A((2, 3)))
error("scatter_add", A((4, 3)), 0, PLACES, A((1, 3)))
error("scatter_add", A((4, 3)), 0, PLACES, A((2, 3), "int64"))
error("scatter_add", A((4, 3)), 0, PLACES, 1.0)
error("scatter_add", A((4, 3)), 0, V([0], "int64"), A((1,)))

# ---- scatter_reduce, index_reduce
for reduce in ("sum", "prod", "mean", "amax", "amin"):
    kinks = {"check": reduce in ("sum", "prod", "mean")}
    for dtype in NUMERIC:
        for include_self in (True, False):
            sample("scatter_reduce", A((3, 4), dtype), 1, ACROSS, A((3, 3), dtype, seed=1), reduce, include_self=include_self, **kinks)
    for include_self in (True, False):
        sample("scatter_reduce", A((4,), "float64"), 0, V([1, 1, 3, 1], "int64"), A((4,), "float64"), reduce, include_self=include_self, **kinks)
        sample("scatter_reduce", V([1.0, 2.0, 0.0, 3.0]), 0, V([0, 1, 1, 2, 3, 3], "int64"), V([1.0, 2.0, 2.0, 5.0, 0.0, 0.0]),
               reduce, include_self=include_self, differs=None if include_self or reduce[0] != "a" else ALONE)  # fmt: skip
    sample("scatter_reduce", A((4,)), 0, V([1, 1, 3, 0], "int64"), A((4,), special=True), reduce, grad=False)
    sample("scatter_reduce", A((4, 3), layout="transposed"), 0, REPEATED, A((2, 3), layout="strided"), reduce, **kinks)
    sample("scatter_reduce", A((2,)), 0, A((0,), "int64"), A((0,)), reduce, **kinks)
    sample("scatter_reduce", A(()), 0, V(0, "int64"), A(()), reduce, **kinks)
for reduce in ("prod", "mean", "amax", "amin"):
    kinks = {"check": reduce in ("prod", "mean")}
    for dtype in NUMERIC:
        for include_self in (True, False):
            sample("index_reduce", A((4, 3), dtype), 0, INDEX, A((3, 3), dtype, seed=1), reduce, include_self=include_self, **kinks)
    for include_self in (True, False):
        sample("index_reduce", A((2, 4), "float64"), -1, INDEX, A((2, 3), "float64"), reduce, include_self=include_self, **kinks)
    sample("index_reduce", A((4,)), 0, V([1, 1, 3, 0], "int32"), A((4,), special=True), reduce, grad=False)
    sample("index_reduce", A((3, 4), layout="transposed"), 1, INDEX, A((3, 3), layout="strided"), reduce, **kinks)
    sample("index_reduce", A((2,)), 0, A((0,), "int64"), A((0,)), reduce, **kinks)
error("scatter_reduce", A((4, 3)), 0, PLACES, A((2, 3)), "add")
error("scatter_reduce", A((4, 3)), 0, PLACES, A((2, 3)))
error("scatter_reduce", A((4, 3)), 0, V([[4, 0, 0]], "int64"), A((1, 3)), "sum")
error("scatter_reduce", A((4, 3)), 2, PLACES, A((2, 3)), "sum")
error("scatter_reduce", A((4, 3)), 0, PLACES, A((2, 3), "float64"), "sum")
error("scatter_reduce", A((4, 3)), 0, PLACES, A((1, 3)), "amax")
error("index_reduce", A((4, 3)), 0, INDEX, A((3, 3)), "sum")
error("index_reduce", A((4, 3)), 0, INDEX, A((2, 3)), "prod")
error("index_reduce", A((4, 3)), 2, INDEX, A((3, 3)), "prod")
error("index_reduce", A((4, 3)), 0, V([4], "int64"), A((1, 3)), "prod")
error("index_reduce", A((4, 3)), 0, INDEX, A((3, 3), "float64"), "prod")

# ---- index_add, index_fill
for dtype in DTYPES:
    sample("index_add", A((4, 3), dtype), 0, INDEX, A((3, 3), dtype))
    sample("index_fill", A((4, 3), dtype), 0, INDEX, 1)
    sample("index_fill", A((4, 3), dtype), 1, V([-1, 0], "int64"), V(1, dtype))
for dtype in NUMERIC:
    sample("index_add", A((4, 3), dtype), 0, INDEX, A((3, 3), dtype), alpha=2)
for dim in (0, 1, 2, -1):
    sample("index_add", A((2, 2, 2), "float64"), dim, V([1, 0, 1], "int64"), A(tuple(3 if d == dim % 3 else 2 for d in range(3)), "float64"), alpha=0.5)
    sample("index_fill", A((2, 2, 2), "float64"), dim, V([1], "int64"), 0.5)
for layout in ("transposed", "strided", "expanded"):
    sample("index_add", A((3, 4), layout=layout), 1, INDEX, A((3, 3), layout=layout))
    sample("index_fill", A((3, 4), layout=layout), 1, INDEX, 2.5)
sample("index_add", A((3,)), 0, V(1, "int64"), A((1,)))
sample("index_add", A((3,)), 0, V([0, 2], "int32"), A((2,)))
sample("index_add", A((3, 2)), 0, A((0,), "int64"), A((0, 2)))
error("index_add", A((3,)), 0, V(1, "int64"), A(()))
sample("index_add", input=A((3,)), dim=0, index=ONCE, source=A((2,)))
sample("index_fill", A((3,)), 0, V(1, "int64"), 4.0)
sample("index_fill", A((3, 2)), 0, A((0,), "int64"), 4.0)
sample("index_fill", A(()), 0, V([0], "int64"), 4.0)
sample("index_fill", A((3, 2)), 0, ONCE, A(()))
sample("index_fill", input=A((3,)), dim=0, index=ONCE, value=1.0)
error("index_add", A((4, 3)), 0, V([4], "int64"), A((1, 3)))
error("index_add", A((4, 3)), 0, V([-1], "int64"), A((1, 3)))
error("index_add", A((4, 3)), 2, INDEX, A((3, 3)))
error("index_add", A((4, 3)), 0, INDEX, A((2, 3)))
error("index_add", A((4, 3)), 0, INDEX, A((3, 3), "float64"))
error("index_add", A((4, 3)), 0, V([[0]], "int64"), A((1, 3)))
error("index_add", A((4, 3), "int64"), 0, INDEX, A((3, 3), "int64"), alpha=1.5, differs="PyTorch cuts alpha off")
error("index_fill", A((4, 3)), 0, V([4], "int64"), 1.0)
error("index_fill", A((4, 3)), 0, V([-5], "int64"), 1.0)
error("index_fill", A((4, 3)), 2, ONCE, 1.0)
error("index_fill", A((4, 3)), 0, ONCE, A((2,)))
error("index_fill", A((4, 3)), 0, V([0.0]), 1.0)
error("index_fill", A((4, 3)), 0, ONCE, "one")

# ---- flat positions
for dtype in DTYPES:
    sample("take", A((3, 4), dtype), V([[0, 11], [-1, 5]], "int64"))
    sample("put", A((3, 4), dtype), V([[0, 11], [-2, 5]], "int64"), A((2, 2), dtype))
    sample("take_along_dim", A((3, 4), dtype), V([[0, 3], [1, 1], [2, 0]], "int64"), 1)
for layout in ("transposed", "strided", "expanded"):
    sample("take", A((3, 4), layout=layout), V([0, 7, 7, -1], "int64"))
    sample("put", A((3, 4), layout=layout), V([0, 7, 3], "int64"), A((3,)))
    sample("take_along_dim", A((3, 4), layout=layout), V([[0, 2, 1, 1]], "int64"), 0)
for dtype in ("float32", "float64", "float16", "int64", "uint8"):
    sample("put", A((3, 4), dtype), V([0, 7, 0, -5], "int64"), A((4,), dtype), True)
sample("take", A((3,), "float64"), V(1, "int64"))
sample("take", A(()), V([0, 0], "int64"))
sample("take", A((3,)), A((0,), "int64"))
sample("take", A((2, 3)), V([[[5]]], "int64"))
sample("take", A((3,)), V([0, 1], "int32"), differs="int32 is an index, too")
sample("take", input=A((3,)), index=V([0, 1], "int64"))
for seed in range(4):
    sample("take", A((2, 3), "float64"), A((2, 2), "int64", low=-6, high=5, seed=seed))
sample("put", A((2, 2), "float64"), V([0, 3], "int64"), A((1, 2), "float64"))
sample("put", A(()), V(0, "int64"), A(()))
sample("put", A((3,)), A((0,), "int64"), A((0,)))
sample("put", input=A((3,)), index=V([0], "int64"), source=A((1,)), accumulate=True)
for dim in (0, 1, -1, -2):
    sample("take_along_dim", A((2, 3), "float64"), V([[0], [1]], "int64"), dim)
    sample("take_along_dim", A((2, 3), "float64"), V([[0, 1, 1]], "int64"), dim)
sample("take_along_dim", A((2, 3)), V([0, 5, 3], "int64"))
sample("take_along_dim", A((2, 3)), V([[0], [4]], "int64"))
sample("take_along_dim", A((2, 3)), A((2, 0), "int64"), 1)
sample("take_along_dim", input=A((2, 3)), indices=V([[0], [1]], "int64"), dim=1)
error("take", A((3, 4)), V([12], "int64"))
error("take", A((3, 4)), V([-13], "int64"))
error("take", A((3, 4)), V([0.0]))
error("take", A((0,)), V([0], "int64"))
error("take", A((3, 4)))
error("put", A((3, 4)), V([12], "int64"), A((1,)))
error("put", A((3, 4)), V([-13], "int64"), A((1,)))
error("put", A((3, 4)), V([0, 1], "int64"), A((1,)))
error("put", A((3, 4)), V([0], "int64"), A((1,), "float64"))
error("put", A((3, 4)), V([0.0]), A((1,)))
sample("take_along_dim", A((3, 4), "float64"), V([[-1, 0]], "int64"), 1)
error("take_along_dim", A((3, 4)), V([[4]], "int64"), 1, differs="PyTorch takes indices modulo the size")
error("take_along_dim", A((3, 4)), V([[0]], "float64"), 1)
error("take_along_dim", A((3, 4)), V([0], "int64"), 1)
error("take_along_dim", A((3, 4)), V([[0]], "int64"), 2)
error("take_along_dim", A((3, 4)), V([[0], [0]], "int64"), 1)
error("take_along_dim", A((3, 4)), V([[0.0]]), 1)

# ---- index_put
MASK = V([True, False, True, False], "bool")
for dtype in DTYPES:
    sample("index_put", A((4, 3), dtype), (ONCE,), A((2, 3), dtype))
    sample("index_put", A((4, 3), dtype), (INDEX,), A((3, 3), dtype), True)
for indices in ((ONCE, V([1, 2], "int64")), (V([-1, -4], "int64"),), (V([[0], [1]], "int64"), V([0, 2], "int64")), (V(1, "int64"),)):
    for accumulate in (False, True):
        sample("index_put", A((4, 3), "float64"), indices, A((), "float64"), accumulate)
for layout in ("transposed", "strided"):
    sample("index_put", A((4, 3), layout=layout), (ONCE, V([1, 2], "int64")), A((2,)))
    sample("index_put", A((4, 3), layout=layout), (ONCE,), A((2, 3), layout=layout), True)
sample("index_put", A((4, 3)), (MASK,), A((2, 3)), capture=False)
sample("index_put", A((4, 3)), (A((4, 3), "bool"),), A(()), capture=False)
sample("index_put", A((4, 3)), (V([0, 2], "int32"),), A((3,)))
sample("index_put", A((4, 3)), (A((0,), "int64"),), A((0, 3)))
sample("Tensor.index_put_", A((2, 4, 3), "float64"), (None, ONCE), A((3,), "float64"), differs="None stands for all of a dimension, too")
sample("Tensor.index_put_", A((2, 4, 3), "float64"), (None, ONCE, V([0, 1], "int64")), A((2, 2), "float64"), differs="None stands for all of a dimension, too")
sample("Tensor.index_put", A((2, 3, 2), "float64"), (V([0, 1], "int64"), None, V([1, 0], "int64")), A((2, 3), "float64"), accumulate=True, differs="None stands for all of a dimension, too")
error("index_put", A((4, 3)), (V([4], "int64"),), A((1, 3)))
error("index_put", A((4, 3)), (V([-5], "int64"),), A((1, 3)))
error("index_put", A((4, 3)), (ONCE, ONCE, ONCE), A(()))
error("index_put", A((4, 3)), (ONCE,), A((3, 3)))
error("index_put", A((4, 3)), (ONCE,), A((2, 3), "float64"))
error("index_put", A((4, 3)), (V([0.0]),), A(()))
error("index_put", A((4, 3)), (V([True, False], "bool"),), A(()))
error("index_put", A((4, 3)), (ONCE, V([0, 1, 2], "int64")), A(()))
error("index_put", A((4, 3)), ONCE, A(()), differs="indices are a tuple; PyTorch takes a tensor for one")

# The function in place.
for dtype in DTYPES:
    sample("index_put_", A((4, 3), dtype), (ONCE,), A((2, 3), dtype))
    sample("index_put_", A((4, 3), dtype), (INDEX,), A((3, 3), dtype), accumulate=True)
for indices in ((ONCE, V([1, 2], "int64")), (V([-1, -4], "int64"),), (V([[0], [1]], "int64"), V([0, 2], "int64")), (V(1, "int64"),), [ONCE]):
    for accumulate in (False, True):
        sample("index_put_", A((4, 3), "float64"), indices, A((), "float64"), accumulate)
for layout in ("transposed", "strided"):
    sample("index_put_", A((4, 3), layout=layout), (ONCE, V([1, 2], "int64")), A((2,)))
    sample("index_put_", A((4, 3), layout=layout), (ONCE,), A((2, 3), layout=layout), True)
sample("index_put_", A((4, 3)), (MASK,), A((2, 3)), capture=False)
sample("index_put_", A((4, 3)), (A((4, 3), "bool"),), A(()), capture=False)
sample("index_put_", A((4, 3)), (V([0, 2], "int32"),), A((3,)))
sample("index_put_", A((4, 3)), (A((0,), "int64"),), A((0, 3)))
sample("index_put_", A((4, 3)), (ONCE,), V([float("nan"), float("inf"), -0.0]), grad=False)
sample("index_put_", input=A((4, 3)), indices=(ONCE,), values=A((3,)))
for indices, values in (((V([4], "int64"),), A((1, 3))), ((V([-5], "int64"),), A((1, 3))), ((ONCE, ONCE, ONCE), A(())), ((ONCE,), A((3, 3))),
                        ((ONCE,), A((2, 3), "float64")), ((V([0.0]),), A(())), ((V([True, False], "bool"),), A(())), ((ONCE,), 1.0)):  # fmt: skip
    error("index_put_", A((4, 3)), indices, values)
error("index_put_", A((4, 3)), (ONCE,))
error("index_put_", A((4, 3), layout="expanded"), (ONCE,), A(()), forms=False, differs="a tensor whose elements share memory is not changed; PyTorch warns")

# ---- masks
for dtype in DTYPES:
    sample("masked_select", A((3, 4), dtype), A((3, 4), "bool"), capture=False)
    sample("masked_scatter", A((3, 4), dtype), A((3, 4), "bool"), A((12,), dtype))
    sample("nonzero", A((3, 4), dtype), capture=False)
    sample("argwhere", A((3, 4), dtype), capture=False)
    sample("where", A((3, 4), dtype), capture=False, forms=False)
for layout in ("transposed", "strided", "expanded"):
    sample("masked_select", A((3, 4), "float64", layout), A((3, 4), "bool", layout), capture=False)
    sample("masked_scatter", A((3, 4), "float64", layout), A((3, 4), "bool", layout), A((4, 3), "float64", layout))
    sample("nonzero", A((3, 4), "int64", layout, low=0, high=1), capture=False)
    sample("argwhere", A((3, 4), "int64", layout, low=0, high=1), capture=False)
for shape, mask in (((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((), ()), ((0,), (0,)), ((2, 0), (2, 0)), ((5,), ())):
    sample("masked_select", A(shape), A(mask, "bool"), capture=False)
    sample("masked_scatter", A(shape), A(mask, "bool"), A((12,)))
for shape in ((), (0,), (2, 0), (5,), (2, 2, 2), (1,)):
    sample("nonzero", A(shape, "int64", low=0, high=1), capture=False)
    sample("nonzero", A(shape, "int64", low=0, high=1), as_tuple=True, capture=False, forms=False)
    sample("argwhere", A(shape, "int64", low=0, high=1), capture=False)
    sample("where", A(shape, "int64", low=0, high=1), capture=False, forms=False)
sample("nonzero", V([0.0, float("nan"), -0.0, float("inf")]), capture=False)
sample("argwhere", V([0.0, float("nan"), -0.0, float("inf")]), capture=False)
sample("masked_select", A((4,), special=True), MASK, capture=False, grad=False)
sample("masked_select", input=A((4,)), mask=MASK, capture=False)
sample("masked_scatter", A((4,)), MASK, A((2,), special=True), grad=False)
sample("masked_scatter", input=A((4,)), mask=MASK, source=A((2,)))
sample("argwhere", input=A((2, 2), "bool"), capture=False)
error("masked_select", A((3, 4)), A((3, 3), "bool"))
error("masked_select", A((3, 4)), A((3, 4), "int64"))
error("masked_select", A((3, 4)), A((3, 4)))
error("masked_select", A((3, 4)), True)
error("masked_select", A((3, 4)))
error("masked_scatter", A((4,)), V([True] * 4, "bool"), A((3,)))
error("masked_scatter", A((4,)), MASK, A((2,), "float64"))
error("masked_scatter", A((4,)), A((4,), "int64"), A((4,)))
error("masked_scatter", A((4,)), A((3,), "bool"), A((4,)))
error("masked_scatter", A((4,)), MASK, 1.0)
error("nonzero", 1.0)
error("nonzero")
error("nonzero", [1, 0])
error("nonzero", A((3,)), 1)
error("nonzero", A((3,)), as_tuple="both")
error("nonzero", A((3,)), as_tuple=[1])
error("nonzero", A((3,)), no_such=1)
error("nonzero", A((3,)), True)
error("nonzero", A((3,)), A((3,)))
error("argwhere", A((3,)), A((3,)))
error("argwhere", A((3,)), no_such=1)
error("argwhere", 1.0)
error("argwhere")
error("argwhere", [1, 0])
error("argwhere", A((3,)), 1)
error("argwhere", None)

# ---- indexing
for dtype in ("uint8", "bool"):
    sample("operator.getitem", A((4, 3)), V([1, 0, 1, 0], dtype), capture=False)
    sample("operator.setitem", A((4, 3)), V([1, 0, 1, 0], dtype), A((2, 3)), capture=False)
for dtype in DTYPES:
    sample("operator.setitem", A((4, 3), dtype), (ONCE, V([1, 2], "int64")), A((2,), dtype))
for layout in ("transposed", "strided"):
    sample("operator.setitem", A((2, 4, 3), "float64", layout), (slice(None), ONCE, V([1, 2], "int64")), A((2, 2), "float64"))
    sample("operator.setitem", A((2, 4, 3), "float64", layout), (V([0, 1], "int64"), slice(None), V([1, 2], "int64")), A((2, 4), "float64"))
    sample("operator.getitem", A((2, 4, 3), "float64", layout), (V([0, 1], "int64"), slice(1, 3), V([1, 2], "int64")))
for index in ((V(1, "int64"), slice(None), INDEX), (INDEX, slice(None), V(1, "int64")), (V(1, "int64"), V(0, "int64")),
              (slice(None), V(1, "int64")), (Ellipsis, INDEX, None), (None, INDEX, None, INDEX), (INDEX, None, INDEX),
              (slice(None, None, 2), None, INDEX), (V([[0, 1]], "int64"), V([[1], [0]], "int64"), 2)):  # fmt: skip
    sample("operator.getitem", A((3, 3, 4), "float64"), index)
    sample("operator.setitem", A((3, 3, 4), "float64"), index, 5.0)
for index in ((0, A((3, 4), "bool")), (slice(1, None), A((3,), "bool")), (A((3, 3), "bool"), None)):
    sample("operator.getitem", A((3, 3, 4), "float64", seed=3), index, capture=False)
    sample("operator.setitem", A((3, 3, 4), "float64", seed=3), index, 5.0, capture=False)
