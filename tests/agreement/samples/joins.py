"""Joining tensors, windows and borders."""

from agreement import DTYPES, A, V, error, sample

PAIRS = (("float32", "float64"), ("int64", "float32"), ("bool", "int8"), ("uint8", "int8"), ("float16", "bfloat16"), ("int32", "int64"), ("int64", "float16"))

for name in ("cat", "concat", "concatenate", "stack", "hstack", "vstack", "row_stack", "dstack", "column_stack"):
    for dtype in DTYPES:
        sample(name, [A((2, 2), dtype), A((2, 2), dtype)])
    for first, second in PAIRS:
        sample(name, (A((2,), first), A((2,), second)))
    for layout in ("transposed", "strided", "expanded"):
        sample(name, [A((2, 2), "float64", layout=layout), A((2, 2), "float64")])
    sample(name, [A((2, 2), special=True), A((2, 2))])
    sample(name, [A((2, 3, 1)), A((2, 3, 1))])
    sample(name, [A((2, 0)), A((2, 0))])
    sample(name, [A((3,))])
    for wrong in ([], [A((2, 3)), A((3, 4))], [A((2, 2)), 1], 5, [A((2, 2)), None]):
        error(name, wrong)
for name in ("cat", "concat", "concatenate"):
    for dim in (0, 1, -1, -2):
        sample(name, [A((2, 3)), A((2, 3)), A((2, 3))], dim)
    sample(name, [A((2, 3)), A((2, 1)), A((2, 0))], dim=1)
    sample(name, [A((2, 3)), A((0,))])
    sample(name, [A((0,)), A((2, 3), "float64")], 1)
    sample(name, [A((0,)), A((0,), "int64")])
    error(name, [A((2, 3)), A((2, 3))], 2)
    error(name, [A(()), A(())])
for dim in (0, 1, 2, -1, -3):
    sample("stack", [A((2, 3)), A((2, 3))], dim)
    sample("stack", [A((2, 3), "int64"), A((2, 3))], dim=dim)
sample("stack", [A(()), A(())])
error("stack", [A((2, 3)), A((2, 3))], 3)
for name in ("hstack", "vstack", "row_stack", "dstack", "column_stack"):
    for shapes in (((), ()), ((2,), (2,)), ((2, 2), (2, 2), (2, 2)), ((1,), ())):
        sample(name, [A(shape) for shape in shapes])
for dtype in DTYPES:
    sample("block_diag", A((2, 2), dtype), A((1, 2), dtype))
for shapes in ((), ((),), ((3,),), ((2, 3), (), (2,)), ((0,), (2, 2)), ((0, 2), (1, 1)), ((2, 0), (1, 1)), ((1, 1), (2, 2), (1, 3))):
    # PyTorch 2.15 gives the tensors after one of shape (0,) the gradient of one row further up.
    sample("block_diag", *[A(shape) for shape in shapes], grad=(0,) not in shapes)
    sample("block_diag", *[A(shape, "float64") for shape in shapes], grad=(0,) not in shapes)
for first, second in PAIRS:
    sample("block_diag", A((2,), first), A((2, 1), second))
for wrong in ((A((1, 1, 1)),), (A((2,)), 1), (1,), ("a",), (A((2,)), A((2, 2, 2)))):
    error("block_diag", *wrong)
for dtype in DTYPES:
    sample("cartesian_prod", A((2,), dtype), A((3,), dtype))
    sample("combinations", A((4,), dtype))
for lengths in ((3,), (2, 2, 2), (0, 2), (1, 1), (1, 3, 2), (2, 1)):
    sample("cartesian_prod", *[A((length,), "float64") for length in lengths])
    sample("cartesian_prod", *[A((length,), layout="strided") for length in lengths])
for wrong in ((), (A(()), A((2,))), (A((2, 2)),), (1,), (A((2,)), A((2,), "int64"))):
    error("cartesian_prod", *wrong)
for length, r, again in ((4, 3, False), (3, 1, False), (3, 0, False), (2, 3, False), (3, 3, False), (3, 2, True), (2, 3, True), (0, 2, False), (0, 1, True), (1, 2, True)):
    sample("combinations", A((length,)), r, again)
    sample("combinations", A((length,), "float64"), r=r, with_replacement=again)
for wrong, r in ((A((2, 2)), 2), (A(()), 2), (A((3,)), -1), (A((3,)), 1.5), (1, 2)):
    error("combinations", wrong, r)

# ---- windows and borders

for dtype in DTYPES:
    sample("Tensor.unfold", A((5,), dtype), 0, 3, 1)
for shape, dim, size, step in (((5,), 0, 2, 2), ((6,), 0, 2, 3), ((3, 5), 1, 3, 1), ((5, 2), 0, 4, 1), ((2, 4, 2), -2, 2, 1), ((5,), 0, 5, 1), ((5,), 0, 1, 1), ((5,), 0, 0, 1), ((5,), 0, 0, 2), ((5,), -1, 2, 100), ((), 0, 1, 1), ((), 0, 0, 1)):
    sample("Tensor.unfold", A(shape), dim, size, step)
    sample("Tensor.unfold", A(shape, "float64"), dimension=dim, size=size, step=step)
for layout in ("transposed", "strided", "expanded"):
    sample("Tensor.unfold", A((3, 5), "float64", layout=layout), 1, 3, 2)
for dim, size, step in ((0, 6, 1), (0, 2, 0), (1, 2, 1), (0, -1, 1), (0, 2, -1), (-2, 1, 1)):
    error("Tensor.unfold", A((5,)), dim, size, step)

PAD = "nn.functional.pad"
for dtype in DTYPES:
    sample(PAD, A((2, 3), dtype), (1, 2))
    sample(PAD, A((2, 3), dtype), (1, 2), value=1)
    sample(PAD, A((2, 3), dtype), (1, 2), "circular")
for dtype in DTYPES[1:]:
    sample(PAD, A((2, 3), dtype), (1, 2), mode="reflect")
    sample(PAD, A((2, 3), dtype), (1, 2), mode="replicate")
for layout in ("transposed", "strided", "expanded"):
    for mode in ("constant", "reflect", "replicate", "circular"):
        sample(PAD, A((2, 4), "float64", layout=layout), (2, 1), mode)
for pads in ((), (0, 0), (-1, 0), (0, -2), (-1, 1), (2, -1), (-2, -1), (1, 0, 0, 1), (0, 0, 1, 1), (-1, 2, 2, -1)):
    sample(PAD, A((2, 3)), pads)
    sample(PAD, A((2, 3), "float64"), pads, "constant", 2.5)
sample(PAD, A((2, 3)), [1, 1], value=float("nan"))
sample(PAD, A((2, 3)), [1, 1], value=float("-inf"))
sample(PAD, A((2, 3), "int32"), [1, 1], value=1.7)
sample(PAD, A((2, 0)), [1, 1])
sample(PAD, A((2,)), (1, 1))
for mode in ("reflect", "replicate", "circular"):
    for shape, pads in (((2, 4), (2, 0)), ((2, 4), (-1, 1)), ((2, 4), (1, -2)), ((2, 2, 4), (3, 1)), ((2, 3, 4), (1, 2, 2, 1)), ((1, 2, 3, 2), (1, 1, 0, 2)), ((1, 2, 2, 2), (1, 1, 1, 1, 1, 0)), ((1, 1, 2, 2, 2), (1, 0, 0, 1, 1, 1)), ((2, 4), (0, 0))):
        sample(PAD, A(shape), pads, mode)
        sample(PAD, A(shape, "float64"), pads, mode=mode) if len(shape) < 4 else None
    for shape, pads in (((4,), (1, 1)), ((2, 4), (1, 1, 1, 1)), ((1, 2, 3, 4), (1, 1)), ((2, 4), (1,)), ((2, 4), (-3, -3))):
        error(PAD, A(shape), pads, mode)
for pads, mode in (((4, 0), "reflect"), ((0, 5), "circular"), ((1, 1), "nothing"), ((1,), "constant"), ((1,) * 6, "constant"), ((-3, -3), "constant"), ((-5, 2), "constant"), (("a", 1), "constant")):
    error(PAD, A((2, 4)), pads, mode)
error(PAD, A((2, 4)), (1, 1), "reflect", 1.0)
error(PAD, A((2, 0)), (1, 1), "replicate")

HOT = "nn.functional.one_hot"
for labels in ([0, 1, 2], [[1], [0]], [2], 1, [[[0]]], [2, 2, 2]):
    sample(HOT, V(labels, "int64"), capture=False)
    for classes in (3, 4, 7):
        sample(HOT, V(labels, "int64"), classes)
        sample(HOT, V(labels, "int64"), num_classes=classes)
sample(HOT, A((0,), "int64"), 3)
for labels, classes in ((V([3], "int64"), 3), (V([-1], "int64"), 3), (V([-1], "int64"), -1), (V([1], "int32"), 3), (V([1.0]), 3), (A((0,), "int64"), -1), (V([0], "int64"), 0), (V([0], "int64"), -2)):
    error(HOT, labels, classes)
for dtype in DTYPES:
    sample("pixel_shuffle", A((1, 4, 2, 3), dtype), 2)
    sample("pixel_unshuffle", A((1, 1, 4, 2), dtype), 2)
for shape, factor in (((4, 2, 2), 2), ((2, 1, 4, 1, 2), 2), ((9, 1, 2), 3), ((2, 3, 2), 1), ((0, 4, 2, 2), 2), ((8, 2, 1), 2)):
    sample("pixel_shuffle", A(shape, "float64"), factor)
    sample("pixel_shuffle", A(shape), upscale_factor=factor)
for shape, factor in (((1, 4, 4), 2), ((2, 1, 1, 2, 4), 2), ((1, 3, 6), 3), ((2, 3, 2), 1), ((0, 1, 2, 2), 2), ((2, 4, 2), 2)):
    differs = "PyTorch 2.15 returns a tensor without elements as it is" if 0 in shape else None
    sample("pixel_unshuffle", A(shape, "float64"), factor, differs=differs)
    sample("pixel_unshuffle", A(shape), downscale_factor=factor, differs=differs)
for shape, factor in (((3, 2, 2), 2), ((2, 2), 2), ((4, 2, 2), 0), ((4, 2, 2), -1), ((4, 2, 2), 1.5)):
    error("pixel_shuffle", A(shape), factor)
for shape, factor in (((1, 3, 2), 2), ((2, 2), 2), ((1, 2, 2), 0), ((1, 2, 2), -1), ((1, 2, 3), 2)):
    error("pixel_unshuffle", A(shape), factor)
for dtype in DTYPES:
    sample("channel_shuffle", A((1, 4, 2), dtype), 2)
for shape, groups in (((1, 4, 2, 2), 2), ((2, 6, 1), 3), ((1, 6, 2), 2), ((2, 3, 2), 1), ((2, 3, 1), 3), ((1, 8, 1, 1), 4), ((1, 8, 1), 2), ((1, 8, 1), 8)):
    sample("channel_shuffle", A(shape, "float64"), groups)
    sample("channel_shuffle", A(shape), groups=groups)
for shape, groups in (((1, 4, 2), 3), ((4, 2), 2), ((1, 4, 2), 0), ((1, 4, 2), -2), ((4,), 2)):
    error("channel_shuffle", A(shape), groups)
