"""What a tensor says of itself, and how it is converted and filled."""

from agreement import DTYPES, FLOATING, A, V, error, sample

SHAPES = ((), (0,), (3,), (2, 3), (2, 0, 4), (2, 3, 4))
LAYOUTS = ("contiguous", "transposed", "strided", "expanded")

for name in ("shape", "ndim", "dtype", "nbytes", "itemsize", "requires_grad", "is_leaf", "is_cuda", "grad"):
    for dtype in DTYPES:
        sample(f"Tensor.{name}", A((2, 3), dtype), grad=False, capture=False)
    for shape in SHAPES:
        for layout in LAYOUTS:
            sample(f"Tensor.{name}", A(shape, layout=layout), grad=False, capture=False)
for name in ("dim", "numel", "nelement", "element_size", "is_floating_point", "size", "stride", "storage_offset", "is_contiguous"):
    for dtype in DTYPES:
        sample(f"Tensor.{name}", A((2, 3), dtype), capture=False)
    for shape in SHAPES:
        for layout in LAYOUTS:
            if 0 not in shape or name not in ("stride", "storage_offset", "is_contiguous"):  # which are anybody's choice
                sample(f"Tensor.{name}", A(shape, layout=layout), capture=False)
    error(f"Tensor.{name}", A((2,)), no_such=1)
    error(f"Tensor.{name}", A((2,)), "text", 2)
for dim in (0, 1, -1, -2):
    sample("Tensor.size", A((2, 3)), dim, capture=False)
    sample("Tensor.stride", A((2, 3), layout="transposed"), dim, capture=False)
sample("Tensor.size", A((2, 3)), dim=1, capture=False)
for dim in (2, -3, "text", 1.5):
    error("Tensor.size", A((2, 3)), dim)
    error("Tensor.stride", A((2, 3)), dim)

CASTS = {"bool": "bool", "byte": "uint8", "char": "int8", "short": "int16", "int": "int32", "long": "int64", "half": "float16",
         "bfloat16": "bfloat16", "float": "float32", "double": "float64"}  # fmt: skip
for name, target in CASTS.items():
    for dtype in DTYPES:
        sample(f"Tensor.{name}", A((3, 4), dtype, low=0, high=100))
        sample(f"Tensor.{name}", A((3, 4), dtype, low=0, high=100, layout="transposed"))
        sample("Tensor.to", A((3, 4), dtype, low=0, high=100), f"dtype:{target}")
        sample("Tensor.to", A((2,), dtype, low=0, high=100), dtype=f"dtype:{target}", copy=True)
        sample("Tensor.type_as", A((2, 3), dtype, low=0, high=100), A((), target))
    for shape in ((), (0,), (2, 0)):
        sample(f"Tensor.{name}", A(shape))
    error(f"Tensor.{name}", A((2,)), no_such=1)
    error(f"Tensor.{name}", A((2,)), "text", 3)
sample("Tensor.to", A((2,)), "cpu")
sample("Tensor.to", A((2,)), "cpu", "dtype:float64")
sample("Tensor.to", A((2,)), device="cpu", dtype="dtype:int32")
sample("Tensor.to", A((2,)), A((3,), "float64"))
sample("Tensor.to", A((2, 3), layout="transposed"), "dtype:float64", False, True)
sample("Tensor.cpu", A((2, 3)))
for dtype in DTYPES:
    for layout in LAYOUTS:
        sample("Tensor.cpu", A((3, 4), dtype, layout))
error("Tensor.cpu", A((2,)), 1)
error("Tensor.cpu", A((2,)), no_such=1)
error("Tensor.to", A((2,)), "text")
error("Tensor.to", A((2,)), "dtype:float64", "dtype:float64")
error("Tensor.to", A((2,)), "nowhere")
error("Tensor.to", A((2,)), no_such=1)
error("Tensor.to", A((2,)), dtype="text")
error("Tensor.type_as", A((2,)))
error("Tensor.type_as", A((2,)), 1.0)
error("Tensor.type_as", A((2,)), "text")
error("Tensor.type_as", A((2,)), None)
error("Tensor.type_as", A((2,)), A((2,)), A((2,)))

for dtype in DTYPES:
    for other in ("float32", "int32", "bool", "float16"):
        sample("Tensor.copy_", A((2, 3), dtype, low=0), A((2, 3), other, low=0))
    sample("Tensor.fill_", A((2, 3), dtype), 1)
    sample("Tensor.fill_", A((2, 3), dtype), V(1, dtype))
    sample("Tensor.zero_", A((2, 3), dtype))
    sample("Tensor.equal", A((2, 3), dtype), A((2, 3), dtype), capture=False)
    sample("Tensor.equal", V([1, 0], dtype), V([1, 0], dtype), capture=False)
    sample("Tensor.tolist", A((2, 3), dtype), capture=False)
    sample("Tensor.item", A((), dtype), capture=False)
    sample("Tensor.item", A((1, 1), dtype), capture=False)
for layout in ("transposed", "strided"):
    sample("Tensor.copy_", A((3, 4), layout=layout), A((4,)))
    sample("Tensor.fill_", A((3, 4), layout=layout), 2.5)
    sample("Tensor.zero_", A((3, 4), layout=layout))
    sample("Tensor.equal", A((3, 4), layout=layout), A((3, 4), layout=layout), capture=False)
    sample("Tensor.tolist", A((3, 4), layout=layout), capture=False)
for shape in ((), (0,), (2, 0), (1,), (4,), (2, 2, 2), (3, 1), (1, 0, 2)):
    sample("Tensor.copy_", A(shape), A(shape))
    sample("Tensor.fill_", A(shape), -1)
    sample("Tensor.zero_", A(shape))
    sample("Tensor.equal", A(shape), A(shape), capture=False)
    sample("Tensor.tolist", A(shape), capture=False)
for value in (True, 2, 2.5, float("inf"), float("nan")):
    sample("Tensor.fill_", A((2,)), value)
sample("Tensor.copy_", A((2, 3)), A((), "int64"))
sample("Tensor.copy_", A((2, 3)), A((2, 3)), True)
sample("Tensor.equal", A((2,)), A((3,)), capture=False)
sample("Tensor.equal", V([float("nan")]), V([float("nan")]), capture=False)
sample("Tensor.tolist", A((6,), special=True), capture=False)
error("Tensor.copy_", A((2,)), A((3,)))
error("Tensor.copy_", A((3,)), A((2, 3)))
error("Tensor.copy_", A((3,)), "text")
error("Tensor.copy_", A((3,)))
error("Tensor.copy_", A((3, 2), layout="expanded"), A((3, 2)))
error("Tensor.fill_", A((3,)), "text")
error("Tensor.fill_", A((3,)))
error("Tensor.fill_", A((3,)), A((3,)))
error("Tensor.fill_", A((3,)), None)
error("Tensor.fill_", A((3,), "int32"), no_such=1)
error("Tensor.zero_", A((3,)), 1)
error("Tensor.zero_", A((3,)), no_such=1)
error("Tensor.equal", A((3,)), 1.0)
error("Tensor.equal", A((3,)), "text")
error("Tensor.equal", A((3,)))
error("Tensor.equal", A((3,)), None)
error("Tensor.equal", A((3,)), A((3,)), 1)
error("Tensor.item", A((3,)))
error("Tensor.item", A((0,)))
error("Tensor.item", A((2, 1)))
error("Tensor.item", A(()), 1)
error("Tensor.item", A(()), no_such=1)
error("Tensor.tolist", A((3,)), 1)
error("Tensor.tolist", A((3,)), no_such=1)

for value in (True, False):
    for dtype in FLOATING:
        sample("Tensor.requires_grad_", A((2, 3), dtype), value, grad=False, capture=False)
        sample("Tensor.requires_grad_", A((2, 3), dtype), requires_grad=value, grad=False, capture=False)
for layout in LAYOUTS:
    sample("Tensor.requires_grad_", A((3, 4), layout=layout), grad=False, capture=False)
sample("Tensor.requires_grad_", A((3,), "int32"), False, grad=False, capture=False)
error("Tensor.requires_grad_", A((3,), "int32"))
error("Tensor.requires_grad_", A((3,), "bool"), True)
error("Tensor.requires_grad_", A((3,)), "text")
error("Tensor.requires_grad_", A((3,)), no_such=1)
error("Tensor.requires_grad_", A((3,)), True, True)
