"""Convolutions, transposed ones, and windows of images as columns: every option, dtype and layout."""

from agreement import A, error, sample

SPACE = {1: (7,), 2: (5, 6), 3: (3, 4, 3)}
TAPS = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}


def convolutions(dims):
    name, space, taps = f"conv{dims}d", SPACE[dims], TAPS[dims]
    x, w, b = A((2, 2, *space), "float64"), A((3, 2, *taps), "float64"), A((3,), "float64")
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        sample(name, A((2, 2, *space), dtype), A((3, 2, *taps), dtype), A((3,), dtype))
    sample(name, x, w)
    sample(name, A((2, *space)), A((3, 2, *taps)), A((3,)))
    sample(name, A((2, *space)), A((3, 2, *taps)), padding="same")
    sample(name, A((0, 2, *space)), A((3, 2, *taps)), A((3,)))
    sample(name, x, w, b, 2)
    sample(name, x, w, b, stride=(2,) * dims, padding=1)
    sample(name, x, w, b, stride=tuple(range(1, dims + 1)), padding=tuple(range(dims)))
    sample(name, x, w, b, 1, 2)
    sample(name, x, w, b, padding="same")
    sample(name, x, w, b, padding="valid", stride=2)
    sample(name, x, w, b, padding=2, dilation=2)
    sample(name, x, w, padding="same", dilation=2)
    sample(name, x, w, b, stride=3, padding=3, dilation=(2,) * dims)
    sample(name, A((2, 4, *space)), A((6, 2, *taps)), A((6,)), groups=2, padding=1)
    sample(name, A((2, 3, *space)), A((3, 1, *taps)), A((3,)), groups=3)
    sample(name, A((2, 3, *space)), A((6, 1, *taps)), padding=1, groups=3, stride=2)
    sample(name, A((2, 3, *space)), A((3, 1, *taps)), None, 1, "same", 1, 3)
    sample(name, A((2, 2, *space)), A((3, 2, *((1,) * dims))), stride=2)
    sample(name, A((1, 2, *space), layout="transposed"), A((3, 2, *taps), layout="strided"), A((3,), layout="strided"))
    sample(name, A((2, 2, *space), layout="expanded"), A((3, 2, *taps), layout="transposed"), A((3,)))
    sample(name, A((1, 1, *((2,) * dims)), "float64"), A((2, 1, *((2,) * dims)), "float64"), A((2,), "float64"), padding=1)
    error(name, A((2, 3, *space)), A((3, 2, *taps)))
    error(name, A((2, 2, *space)), A((3, 2, *taps)), A((2,)))
    error(name, A((2, *space[1:])), A((3, 2, *taps)))
    error(name, x, A((3, 2, *taps), "float32"))
    error(name, x, w, stride=0)
    error(name, x, w, padding=-1)
    error(name, x, w, dilation=0)
    error(name, x, w, padding="some")
    error(name, x, w, padding="same", stride=2)
    error(name, x, w, groups=2)
    error(name, x, w, groups=0)
    error(name, x, w, dilation=9)
    error(name, x, w, stride=(1,) * (dims + 1))


def transposed(dims):
    name, space, taps = f"conv_transpose{dims}d", tuple(size - 1 for size in SPACE[dims]), TAPS[dims]
    x, w, b = A((2, 2, *space), "float64"), A((2, 3, *taps), "float64"), A((3,), "float64")
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        sample(name, A((1, 2, *space), dtype), A((2, 2, *taps), dtype), A((2,), dtype))
    sample(name, x, w)
    sample(name, A((2, *space)), A((2, 3, *taps)), A((3,)))
    sample(name, A((0, 2, *space)), A((2, 3, *taps)), A((3,)))
    sample(name, x, w, b, 2)
    sample(name, x, w, b, stride=2, padding=1)
    sample(name, x, w, b, 2, 1, 1)
    sample(name, x, w, b, stride=(3,) * dims, output_padding=tuple(range(dims)))
    sample(name, x, w, b, padding=tuple(d % 2 for d in range(dims)))
    sample(name, x, w, b, dilation=2)
    sample(name, x, w, b, dilation=2, output_padding=1)
    sample(name, x, w, stride=2, dilation=3, padding=1, output_padding=1)
    sample(name, A((1, 4, *space)), A((4, 2, *taps)), A((4,)), groups=2)
    sample(name, A((1, 3, *space)), A((3, 1, *taps)), A((3,)), 2, 0, 1, 3)
    sample(name, A((1, 3, *space)), A((3, 2, *taps)), groups=3, stride=2)
    sample(name, A((1, 2, *space)), A((2, 2, *((1,) * dims))), A((2,)), stride=2)
    sample(name, A((1, 2, *space), layout="transposed"), A((2, 2, *taps), layout="strided"), A((2,), layout="strided"))
    sample(name, A((2, 2, *space), layout="expanded"), A((2, 2, *taps), layout="transposed"))
    sample(name, A((1, 1, *((2,) * dims)), "float64"), A((1, 2, *((2,) * dims)), "float64"), A((2,), "float64"), stride=2)
    error(name, A((2, 3, *space)), w)
    error(name, x, w, A((2,), "float64"))
    error(name, x, A((2, 3, *taps), "float32"))
    error(name, x, w, stride=0)
    error(name, x, w, padding=-1)
    error(name, x, w, output_padding=1)
    error(name, x, w, groups=0)
    error(name, x, w, padding=9)
    error(name, x, w, stride=(1,) * (dims + 1))


for dims in (1, 2, 3):
    convolutions(dims)
    transposed(dims)

unfold, fold = "nn.functional.unfold", "nn.functional.fold"
for dtype in ("float16", "bfloat16", "float32", "float64"):
    sample(unfold, A((2, 2, 4, 3), dtype), 2)
    sample(fold, A((1, 8, 6), dtype), (4, 3), 2)
for layout in ("transposed", "strided", "expanded"):
    sample(unfold, A((2, 2, 4, 3), layout=layout), (2, 3))
    sample(fold, A((2, 8, 6), layout=layout), (4, 3), 2)
image, columns = A((1, 2, 5, 4), "float64"), A((1, 8, 12), "float64")
for options in (
    {"kernel_size": 1},
    {"kernel_size": (3, 1)},
    {"kernel_size": 2, "dilation": 2},
    {"kernel_size": 2, "dilation": (1, 3)},
    {"kernel_size": 2, "padding": 1},
    {"kernel_size": (2, 2), "padding": (2, 0)},
    {"kernel_size": 2, "stride": 2},
    {"kernel_size": 2, "stride": (1, 3)},
    {"kernel_size": 2, "dilation": 2, "padding": 1, "stride": 2},
    {"kernel_size": (2, 1), "dilation": (4, 1), "padding": (0, 1), "stride": (3, 2)},
    {"kernel_size": 1, "padding": 3, "stride": 4},
):
    sample(unfold, image, **options)
sample(unfold, A((2, 4, 3)), 2)
sample(unfold, A((0, 2, 4, 3)), 2)
sample(unfold, A((1, 1, 3, 3), special=True), 2, padding=1)
sample(fold, columns, (5, 4), 2)
sample(fold, columns, (5, 4), (2, 2), 1, 0, 1)
sample(fold, A((8, 12), "float64"), (5, 4), 2)
sample(fold, A((0, 8, 12)), (5, 4), 2)
sample(fold, A((1, 4, 9), special=True), (4, 4), 2)
sample(fold, A((1, 4, 9)), 4, 2)
sample(fold, A((1, 4, 12), "float64"), (3, 2), 2, padding=1)
sample(fold, A((1, 4, 4), "float64"), (4, 4), 2, stride=2)
sample(fold, A((1, 4, 4), "float64"), (5, 5), 2, stride=2)
sample(fold, A((1, 4, 4), "float64"), (4, 4), 2, dilation=2)
sample(fold, A((1, 4, 6), "float64"), (5, 4), (2, 2), dilation=(2, 1), stride=(1, 2))
sample(fold, A((1, 6, 4), "float64"), (4, 3), (3, 2), 1, 0, 1)
sample(fold, A((2, 2, 12), "float64"), (3, 4), 1)
error(unfold, A((4, 3)), 2)
error(unfold, image, 0)
error(unfold, image, 7)
error(unfold, image, 2, dilation=0)
error(unfold, image, 2, padding=-1)
error(unfold, image, 2, stride=0)
error(unfold, image, (2, 2, 2))
error(fold, A((12,)), (5, 4), 2)
error(fold, columns, (5, 5), 2)
error(fold, A((1, 7, 12)), (5, 4), 2)
error(fold, columns, (5, 4), 0)
error(fold, columns, (1, 1), 2)
error(fold, columns, (5, 4), 2, stride=0)
error(fold, columns, (5, 4), 2, padding=-1)
error(fold, columns, (5, 4, 3), 2)
error(fold, A((1, 8, 12), "int64"), (5, 4), 2)
