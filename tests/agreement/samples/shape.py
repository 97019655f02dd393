"""Views and rearrangements."""

from agreement import DTYPES, A, V, error, sample

MATRIX, CUBE = A((3, 4)), A((2, 3, 4))
LAYOUTS = ("contiguous", "transposed", "strided", "expanded")


def everywhere(name, shape, *args, layouts=LAYOUTS, **keywords):
    """The same arguments for every dtype, layout, and with NaN."""
    for dtype in DTYPES:
        sample(name, A(shape, dtype), *args, **keywords)
    for layout in layouts:
        sample(name, A(shape, "float64", layout=layout), *args, **keywords)
    sample(name, A(shape, special=True), *args, **keywords)


everywhere("Tensor.permute", (2, 3, 4), 2, 0, 1)
for dims in ((0, 1, 2), (-1, -2, -3), (1, 0, 2), (0, 2, 1), (2, -3, 1)):
    sample("Tensor.permute", CUBE, dims)
    sample("permute", A((3, 2, 4), "float64"), dims, forms=False)
    sample("permute", A((1, 0, 2), "int32"), dims, forms=False)
    sample("permute", A((2, 2, 2), layout="strided"), dims=dims, forms=False)
everywhere("permute", (2, 3), (1, 0), forms=False)
sample("permute", A(()), (), forms=False)
sample("permute", A((3,)), (-1,), forms=False)
for function, keywords in (("permute", {"forms": False}), ("Tensor.permute", {})):
    for dims in ((0, 0), (0,), (0, 1, 2), (0, 2), (-3, 0), (1, 1)):
        error(function, A((2, 3)), dims)

for name in ("transpose", "swapdims", "swapaxes"):
    everywhere(name, (2, 3, 4), 0, -1)
    for dims in ((0, 1), (1, 0), (1, 1), (-1, -2), (-3, 2)):
        sample(name, CUBE, *dims)
    sample(name, A(()), 0, -1)
    sample(name, A((0, 3)), 0, 1)
    for dims in ((0, 3), (-4, 0), (5, 5), (1, -7), (3, 0)):
        error(name, CUBE, *dims)
sample("transpose", MATRIX, dim0=0, dim1=1)
sample("swapaxes", MATRIX, axis0=0, axis1=1)
sample("swapdims", MATRIX, dim0=0, dim1=1)

for name in ("t", "adjoint", "Tensor.mT", "Tensor.mH", "Tensor.H", "Tensor.T"):
    everywhere(name, (2, 3))
    for shape in ((1, 1), (0, 3), (3, 0), (4, 1)):
        sample(name, A(shape))
        sample(name, A(shape, "int64"))
for name in ("adjoint", "Tensor.mT", "Tensor.mH"):
    sample(name, A((2, 3, 4)))
    for length in (0, 1, 2, 3, 4):
        error(name, A((length,)))
for shape in ((), (3,), (0,)):
    sample("t", A(shape))
for shape in ((2, 3, 4), (1, 1, 1), (0, 0, 0), (1, 2, 3, 4), (2, 1, 2)):
    error("t", A(shape))
    error("Tensor.H", A(shape))

for name in ("movedim", "moveaxis"):
    everywhere(name, (2, 3, 4), 0, -1)
    for source, destination in ((1, 0), ((0, 1), (1, 2)), ((0, 1, 2), (2, 1, 0)), ((-1,), (0,)), ((), ()), ((2, 0), (0, 1))):
        sample(name, CUBE, source, destination)
    sample(name, A(()), 0, 0)
    sample(name, MATRIX, source=0, destination=1)
    for source, destination in ((0, 3), (3, 0), ((0, 1), (0,)), ((0, 0), (0, 1)), ((0, 1), (1, 1)), (-4, 0)):
        error(name, CUBE, source, destination)

everywhere("reshape", (3, 4), (2, 6), forms=False)
for shape, target in (((3, 4), (12,)), ((3, 4), (-1,)), ((3, 4), (2, -1, 3)), ((), (1, 1)), ((1,), ()), ((0, 3), (3, 0)), ((0, 3), (0,)), ((4,), (2, 2))):
    sample("reshape", A(shape), target, forms=False)
    sample("Tensor.reshape", A(shape, "int16"), target)
    sample("Tensor.reshape", A(shape), target)
    sample("Tensor.view", A(shape), target)
everywhere("Tensor.reshape", (3, 4), 6, -1)
everywhere("Tensor.view", (3, 4), 6, -1, layouts=("contiguous",))
for target in ((5,), (-1, -1), (-1, 5), (-2, 6), (12, 2)):
    for name in ("reshape", "Tensor.reshape", "Tensor.view"):
        error(name, MATRIX, target)
error("Tensor.view", A((3, 4), layout="transposed"), 12)
for name in ("flatten", "ravel"):
    everywhere(name, (3, 4))
    for shape in ((), (1,), (0, 2), (2, 3, 4), (2, 1, 2, 1)):
        sample(name, A(shape))
        sample(name, A(shape, "int64"))
for first, last in ((0, 1), (1, 2), (1, -1), (-2, -1), (2, 2)):
    sample("flatten", CUBE, first, last)
    sample("flatten", CUBE, start_dim=first, end_dim=last)
for first, last in ((0, 3), (2, 1), (-4, 0), (5, 6), (-1, 0)):
    error("flatten", CUBE, first, last)
everywhere("unflatten", (2, 6), 1, (2, -1), layouts=("contiguous", "transposed"))
for shape, dim, sizes in (((6,), 0, (2, 3)), ((6,), -1, (-1, 3)), ((0, 2), 0, (0, 3)), ((2, 0), 0, (2, 1)), ((4, 2), 0, (2, 2)), ((1,), 0, (1, 1, 1)), ((6,), 0, (-1,))):
    sample("unflatten", A(shape), dim, sizes)
    sample("unflatten", A(shape, "int32"), dim=dim, sizes=sizes)
for dim, sizes in ((1, (2, 2)), (1, ()), (2, (2, 3)), (1, (-1, 4)), (0, (-1, -1))):
    error("unflatten", A((2, 6)), dim, sizes)
everywhere("squeeze", (1, 3, 1))
for dim in (0, 1, -1, (0, 2), (0, 1), (), (2,)):
    sample("squeeze", A((1, 3, 1)), dim)
    sample("squeeze", A((1, 3, 1), "int64"), dim=dim)
sample("squeeze", A(()), 0)
for dim in (3, -4, (0, 0), (0, 5), (2, -1)):
    error("squeeze", A((1, 3, 1)), dim)
everywhere("unsqueeze", (2, 3), 1)
for dim in (0, 2, -1, -3):
    sample("unsqueeze", MATRIX, dim)
    sample("unsqueeze", MATRIX, dim=dim)
sample("unsqueeze", A(()), 0)
for dim in (3, -4, 7, -9, 100):
    error("unsqueeze", MATRIX, dim)
everywhere("select", (3, 4), 1, 2)
for dim, index in ((0, 0), (1, -1), (-1, 3), (-2, -3), (0, 2)):
    sample("select", MATRIX, dim, index)
    sample("select", MATRIX, dim=dim, index=index)
for dim, index in ((0, 3), (2, 0), (1, 4), (0, -4), (-3, 0)):
    error("select", MATRIX, dim, index)
error("select", A(()), 0, 0)
everywhere("narrow", (3, 4), 1, 1, 2)
for dim, start, length in ((0, 0, 3), (0, -1, 1), (-1, 4, 0), (1, 0, 0), (0, 1, 2)):
    sample("narrow", MATRIX, dim, start, length)
    sample("narrow", MATRIX, dim=dim, start=start, length=length)
sample("narrow", MATRIX, 0, V(1, "int64"), 2, capture=False)
for dim, start, length in ((0, 0, 4), (0, 4, 0), (2, 0, 1), (0, 0, -1), (0, -4, 1)):
    error("narrow", MATRIX, dim, start, length)
for name, other in (("Tensor.view_as", (2, 6)), ("Tensor.reshape_as", (2, 6)), ("Tensor.expand_as", (2, 3, 4))):
    everywhere(name, (3, 4), A(other, "int8"), layouts=("contiguous",))
for shape, other in (((3, 1), (2, 3, 4)), ((), (2,)), ((1,), (0,)), ((1, 4), (3, 4)), ((2,), (2,)), ((1, 1), (2, 3)), ((4,), (2, 4)), ((1, 3), (1, 3))):
    sample("Tensor.expand_as", A(shape), A(other))
for shape, other in (((3, 4), (12,)), ((), (1, 1)), ((0, 2), (2, 0)), ((4,), (2, 2)), ((2, 2), (4,)), ((1, 3), (3,)), ((6, 2), (3, 4)), ((2,), (2,)), ((5, 2), (10,)), ((2, 3, 2), (3, 4))):
    sample("Tensor.view_as", A(shape), A(other))
    sample("Tensor.reshape_as", A(shape), A(other))
for other in ((5,), (3, 5), (2, 4), (13, 1), (0,)):
    for name in ("Tensor.view_as", "Tensor.reshape_as", "Tensor.expand_as"):
        error(name, MATRIX, A(other))

# ---- repeated

everywhere("Tensor.repeat", (2, 3), 2, 1)
for repeats in ((1, 1), (2, 3), (2, 1, 2), (0, 1), (1, 2), (3, 2, 1, 1)):
    sample("Tensor.repeat", A((2, 2)), *repeats)
    sample("Tensor.repeat", A((1, 2), "int64"), repeats)
sample("Tensor.repeat", A(()), 3)
for repeats in ((2,), (-1, 1), (1, 1, -1), ("a", 1), ()):
    error("Tensor.repeat", MATRIX, *repeats)
everywhere("tile", (2, 3), (2, 1), forms=False)
for repeats in ((), (2,), (2, 2), (2, 1, 2), (0,), (1, 3)):
    sample("tile", A((2, 2)), repeats, forms=False)
    sample("tile", A((1, 2)), dims=repeats, forms=False)
    sample("Tensor.tile", A((2, 2), "float64"), repeats)
    sample("Tensor.tile", A((2, 2), "int32"), repeats)
    sample("Tensor.tile", A((1, 2), "int64"), repeats)
sample("tile", A(()), (3,), forms=False)
everywhere("Tensor.tile", (2, 2), 2, 1)
for repeats in ((-1,), (1, -1), ("a",), (1.5,), (2, -2, 1)):
    error("tile", MATRIX, repeats)
    error("Tensor.tile", MATRIX, repeats)
everywhere("repeat_interleave", (2, 3), 2, dim=1)
for repeats, dim in ((2, None), (0, 0), (1, -1), (3, 0)):
    sample("repeat_interleave", A((2, 3)), repeats, dim)
for repeats, dim in (([1, 2], 0), ([2, 0, 1], 1), ([3], -1), (2, 0), ([0, 0], 0)):
    sample("repeat_interleave", A((2, 3)), V(repeats, "int64"), dim, capture=False)
    sample("repeat_interleave", A((2, 3), "int16"), repeats=V(repeats, "int32"), dim=dim, capture=False)
sample("repeat_interleave", A((2,)), V([1, 2], "int64"), dim=0, output_size=3, capture=False)
sample("repeat_interleave", A((2,)), 3, dim=0, output_size=6)
sample("repeat_interleave", V([1, 0, 2], "int64"), capture=False)
sample("repeat_interleave", V([1, 0, 2], "int32"), capture=False)
sample("repeat_interleave", A(()), 2)
for repeats, dim in ((V([1, 2, 3], "int64"), 0), (-1, 0), (2, 2), (V([1, -1], "int64"), 0), (V([1.0, 2.0]), 0), (V([[1, 2]], "int64"), 0)):
    error("repeat_interleave", A((2, 3)), repeats, dim)
error("repeat_interleave", A((2,)), 3, dim=0, output_size=7)

# ---- in another order

everywhere("flip", (3, 4), (0,), forms=False)
for dims in ((), (1,), (-1,), (0, 1), (1, 0), (-2, 1)):
    sample("flip", A((3, 2)), dims, forms=False)
    sample("flip", A((0, 2), "int64"), dims=dims, forms=False)
    sample("Tensor.flip", A((3, 2), "int16"), dims)
    sample("Tensor.flip", A((3, 2), "float64"), dims)
    sample("Tensor.flip", A((3, 1), "int8"), dims)
sample("flip", A(()), (0,), forms=False)
everywhere("Tensor.flip", (2, 3), 0, 1)
for dims in ((2,), (-3,), (0, 0), (1, -1), (0, 7)):
    error("flip", MATRIX, dims)
    error("Tensor.flip", MATRIX, *dims)
for name, shape in (("fliplr", (2, 3)), ("flipud", (2, 3))):
    everywhere(name, shape)
    for other in ((1, 1), (0, 2), (2, 2, 2), (3, 1), (1, 3)):
        sample(name, A(other))
sample("flipud", A((3,)))
sample("fliplr", A((4, 3), "int64"))
for wrong in (1, "a", None, [1], 2.5):
    error("ravel", wrong)
    error("Tensor.ravel", A((2,)), wrong)
for length in (0, 1, 2, 3, 4):
    error("fliplr", A((length,)))
error("flipud", A(()))
for dtype in ("int64", "bool", "float64", "int8"):
    error("flipud", A((), dtype))
everywhere("roll", (3, 4), 1, 0)
for shifts, dims in ((1, None), (-1, None), (5, 0), ((1, 2), (0, 1)), ((1, 1), (0, 0)), (-7, -1), (0, 0), ((2,), (1,)), (12, None)):
    sample("roll", MATRIX, shifts, dims)
    sample("roll", A((2, 3), "int64"), shifts=shifts, dims=dims)
sample("roll", A(()), 1)
sample("roll", A((0, 3)), 1, 0)
for shifts, dims in ((1, 2), ((1, 2), 0), ((1, 2), None), (1, (0, 1)), ((), None), (1, -3)):
    error("roll", MATRIX, shifts, dims)
error("roll", A(()), 1, 0)
everywhere("rot90", (2, 3))
for k in (-1, 0, 1, 2, 3, 4, 7):
    sample("rot90", A((2, 3)), k)
    sample("rot90", A((2, 3, 2)), k, (1, 2))
    sample("rot90", A((2, 3, 2), "int64"), k=k, dims=(0, -1))
for shape, k, dims in (((2, 3), 1, (0, 0)), ((3,), 1, (0, 1)), ((2, 3), 1, (0,)), ((2, 3), 1, (0, 2)), ((2, 3), 1, (0, 1, 1)), ((2, 3), 1, (1, -1))):
    error("rot90", A(shape), k, dims)

# ---- brought together

everywhere("broadcast_to", (1, 3), (2, 3))
for shape, target in (((), (2, 2)), ((3,), (2, 3)), ((2, 1), (2, 0)), ((1,), ()[:0] + (1,)), ((2, 1, 1), (2, 3, 2)), ((2,), (2,))):
    sample("broadcast_to", A(shape), target)
    sample("broadcast_to", A(shape, "int64"), size=target)
for target in ((2,), (3, 4), (2, 2, 2), (), (-5, 3)):
    error("broadcast_to", A((2, 3)), target)
for dtype in DTYPES:
    sample("broadcast_tensors", A((3,), dtype), A((2, 1), dtype))
for shapes in (((3,),), ((), (2,)), ((1, 1), (2, 3)), ((2, 1), (1, 3), (3,)), ((0,), (1,)), ((2, 2), (2, 2))):
    sample("broadcast_tensors", *[A(shape) for shape in shapes])
    sample("broadcast_tensors", *[A(shape, "float64") for shape in shapes])
for shapes in (((2,), (3,)), ((2, 3), (2, 2)), ((0,), (2,)), ((2, 1), (3, 1)), ((4,), (4, 3))):
    error("broadcast_tensors", *[A(shape) for shape in shapes])
    error("broadcast_shapes", *shapes)
error("broadcast_shapes", (2,), (-1,))
for shapes in ((), ((),), ((2,),), ((2,), (1,)), ((2, 1), (3,)), (3, (2, 1)), (1, 1), ((0,), (1,)), ((0, 1), (1, 5)), ((1,), (), (4,)), ((8, 1, 6, 1), (7, 1, 5)),
               ((5, 4), (1,)), ((15, 3, 5), (15, 1, 5)), ((15, 3, 5), (3, 5)), ((15, 3, 5), (3, 1)), ((2,), (2,), (2,)), (4, 4), ([2, 1], [1, 3]), ((1, 1, 1), ()), ((3, 1), 1)):
    sample("broadcast_shapes", *shapes, capture=False)
for indexing in ("ij", "xy"):
    for dtype in DTYPES:
        sample("meshgrid", A((2,), dtype), A((3,), dtype), indexing=indexing)
    for shapes in (((2,),), ((), (2,)), ((2,), (3,), (2,)), ((0,), (2,)), ((1,), (1,), (1,), (2,))):
        sample("meshgrid", *[A(shape, "float64") for shape in shapes], indexing=indexing)
        sample("meshgrid", [A(shape) for shape in shapes], indexing=indexing)
error("meshgrid", A((2,)), A((2, 2)))
error("meshgrid", A((2,)), A((2,), "int64"))
error("meshgrid", A((2,)), A((2,)), indexing="ab")
error("meshgrid", A((2, 2)))
error("meshgrid")
for ndim in (1, 2, 3):
    name = f"atleast_{ndim}d"
    for dtype in DTYPES:
        sample(name, A((2,), dtype))
    for shape in ((), (3,), (2, 3), (2, 1, 2), (0,), (2, 2, 2, 1)):
        sample(name, A(shape, "float64"))
        sample(name, A(shape), A((2,)))
    sample(name, [A(()), A((2,), "int64")])
    for wrong in (1, "a", None, 2.5, {}):
        error(name, wrong)
