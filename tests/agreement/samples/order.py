"""Sorting and choosing."""

from agreement import DTYPES, A, V, error, sample

for name in ("sort", "argsort"):
    for dtype in DTYPES:
        sample(name, A((2, 7), dtype), stable=True)
        sample(name, A((2, 7), dtype), descending=True, stable=True)
        sample(name, A((5, 2), dtype), dim=0, stable=True)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), dim=1, stable=True)
        sample(name, A((3, 4), layout=layout), dim=0, stable=True)
    for shape in ((), (0,), (2, 0), (0, 2), (1,)):
        sample(name, A(shape))
    sample(name, A((2, 3, 4)), 1)
    sample(name, A((2, 3, 4)), -3, True)
    sample(name, A((2, 5), "float64"), -1, sets=True)
    sample(name, A((12,), special=True), stable=True)
    sample(name, A((12,), "float16", special=True), descending=True, stable=True)
    sample(name, V([2.0, 1.0, 2.0, 1.0, 2.0]), stable=True)
    sample(name, input=A((4,)), dim=0, descending=False)
    error(name, A((2, 3)), 2)
    error(name, A((2, 3)), -3)
    error(name, A((2, 3)), "text")
    error(name, "text")
    error(name, A((2, 3)), no_such=1)
    error(name, A((2, 3)), 1.5)

for dtype in DTYPES[1:]:
    sample("topk", A((2, 7), dtype, low=-90 if dtype[0] != "u" else 0, high=90), 3)
    sample("topk", A((2, 7), dtype, low=-90 if dtype[0] != "u" else 0, high=90), 2, largest=False)
for layout in ("transposed", "strided", "expanded"):
    sample("topk", A((3, 4), layout=layout), 2, dim=1)
    if layout != "expanded":
        sample("topk", A((3, 4), layout=layout), 2, dim=0)
sample("topk", A((5,)), 0)
sample("topk", A((5,)), 5)
sample("topk", A(()), 1)
sample("topk", A((2, 0)), 0)
sample("topk", A((0, 3)), 2)
sample("topk", A((2, 3, 4)), 2, 1)
sample("topk", A((2, 3, 4)), 2, dim=-2, largest=False, sorted=True)
sample("topk", A((2, 5), "float64"), 2, -1, sets=True)
sample("topk", V([1.0, float("nan"), 3.0, float("inf"), float("-inf")]), 3)
sample("topk", V([1.0, float("nan"), 3.0, float("inf"), float("-inf")]), 4, largest=False)
sample("topk", input=A((4,)), k=2)
error("topk", A((5,)), 6)
error("topk", A((5,)), -1)
error("topk", A((2, 3)), 1, 2)
error("topk", A((2, 3)), "text")
error("topk", A((2, 3)))
error("topk", A((2, 3)), 1.5)
