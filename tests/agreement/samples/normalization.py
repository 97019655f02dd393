"""Normalizations of nn.functional."""

from agreement import A, V, error, sample

FLOATS = ("float32", "float64", "bfloat16", "float16")
F = "nn.functional."


def tolerance(dtype):
    return {"tol": 16} if dtype in ("bfloat16", "float16") else {"tol": 256}


for dtype in FLOATS:
    last = tolerance(dtype)
    halves = {} if dtype in ("float32", "float64") else {"grad": False}  # PyTorch's gradients go through rounded moments
    for layout in ("contiguous", "transposed", "strided", "expanded"):
        if layout == "expanded" and halves:
            continue
        sample(F + "layer_norm", A((3, 8), dtype, layout), (8,), **last, **halves)
        sample(F + "rms_norm", A((3, 8), dtype, layout), (8,), **last, **halves)
        sample(F + "group_norm", A((2, 6, 4), dtype, layout), 2, **last, **halves)
        sample(F + "instance_norm", A((2, 3, 8), dtype, layout), **last, **halves)
        if layout != "expanded":
            sample(F + "batch_norm", A((6, 3), dtype, layout), None, None, training=True, **last, **halves)
        sample(F + "local_response_norm", A((2, 5, 3), dtype, layout), 3, alpha=0.5, **last, **halves)
    sample(F + "layer_norm", A((2, 3, 4), dtype), (3, 4), A((3, 4), dtype), A((3, 4), dtype), **last, **halves)
    sample(F + "rms_norm", A((2, 3, 4), dtype), (3, 4), A((3, 4), dtype), **last, **halves)
    sample(F + "group_norm", A((2, 6, 4), dtype), 3, A((6,), dtype), A((6,), dtype), **last, **halves)
    sample(F + "instance_norm", A((2, 3, 8), dtype), None, None, A((3,), dtype), A((3,), dtype), **last, **halves)
    sample(F + "batch_norm", A((4, 3, 2), dtype), None, None, A((3,), dtype), A((3,), dtype), True, **last, **halves)
    sample(F + "batch_norm", A((4, 3, 2), dtype), A((3,), dtype), A((3,), dtype, low=1), A((3,), dtype), A((3,), dtype), **last)
    sample(F + "local_response_norm", A((2, 5, 3), dtype), 2, 0.5, 0.6, 2.0, **last, **halves)

for shape, over in (((8,), (8,)), ((0, 4), (4,)), ((2, 3, 4), (4,)), ((2, 3, 4), (2, 3, 4)), ((2, 0, 4), (0, 4))):
    sample(F + "layer_norm", A(shape), over, eps=0.1)
    sample(F + "rms_norm", A(shape), over, eps=0.1)
sample(F + "layer_norm", A((3, 4)), [4], weight=A((4,)))
sample(F + "layer_norm", A((3, 4)), [4], bias=A((4,)))
sample(F + "layer_norm", A((3, 4)), normalized_shape=[4], weight=None, bias=None, eps=0)
sample(F + "layer_norm", A((3, 8), special=True), (8,), check=False)
sample(F + "layer_norm", A((3, 8), low=1000, high=1001), (8,), tol=1 << 16)
sample(F + "layer_norm", A((2, 8), "bfloat16"), (8,), A((8,)), A((8,)), tol=16, grad=False)
sample(F + "rms_norm", A((3, 8), special=True), (8,), check=False)
sample(F + "rms_norm", A((3, 8), low=-1e-4, high=1e-4), (8,))
sample(F + "rms_norm", A((3, 8), "float64", low=-1e-8, high=1e-8), (8,), check=False)
sample(F + "rms_norm", A((3, 4)), normalized_shape=[4], weight=None, eps=None)

for shape, groups in (((2, 6), 2), ((0, 6, 2), 3), ((2, 6, 2, 3), 6), ((2, 6, 2, 3), 1), ((1, 4, 2, 2, 2), 2)):
    sample(F + "group_norm", A(shape), groups, eps=0.1)
    sample(F + "group_norm", A(shape), num_groups=groups, weight=A((shape[1],)))
sample(F + "group_norm", A((2, 4, 3)), 2, None, A((4,)))
sample(F + "group_norm", A((2, 4, 3), special=True), 2, check=False)

for shape in ((2, 3, 4), (0, 3, 4), (2, 3, 2, 3), (1, 2, 2, 2, 2), (2, 3, 7)):
    channels = shape[1]
    sample(F + "instance_norm", A(shape), eps=0.1)
    if shape[0] > 0:  # else PyTorch raises with a weight
        sample(F + "instance_norm", A(shape), weight=A((channels,)), bias=A((channels,)))
    sample(
        F + "instance_norm",
        A(shape),
        V([0.1 * i for i in range(channels)]),
        V([1.0 + i for i in range(channels)]),
        use_input_stats=False,
        momentum=0.3,
    )
    sample(F + "batch_norm", A(shape), None, None, None, None, True, 0.1, 0.1)
    sample(F + "batch_norm", A(shape), None, None, A((channels,)), A((channels,)), training=True)
    sample(F + "batch_norm", A(shape), V([0.1 * i for i in range(channels)]), V([1.0 + i for i in range(channels)]), eps=0.1)
sample(F + "instance_norm", A((2, 3, 4), special=True), check=False)
sample(F + "batch_norm", A((1, 3)), V([1.0, 2.0, 3.0]), V([1.0, 0.0, 3.0]))
sample(F + "batch_norm", A((2, 3), special=True), V([1.0, 2.0, 3.0]), V([1.0, 2.0, 3.0]), check=False)
sample(F + "batch_norm", A((4, 3), "bfloat16"), V([1.0, 2.0, 3.0]), V([1.0, 2.0, 3.0]), A((3,)), A((3,)), tol=16)

for size in (1, 2, 3, 4, 7):
    sample(F + "local_response_norm", A((2, 4, 3)), size, alpha=0.5)
    sample(F + "local_response_norm", A((1, 4, 2, 3)), size, alpha=0.5, beta=0.5, k=3.0)
sample(F + "local_response_norm", A((0, 4, 3)), 2)
sample(F + "local_response_norm", A((2, 4, 3), special=True), 3, alpha=0.5, check=False)

for bad in (
    (A((3, 4)), (5,)),
    (A((3, 4)), ()),
    (A((4,)), (3, 4)),
    (A((3, 4), "int64"), (4,)),
    (A((3, 4)), (4,), A((5,))),
    (A((3, 4)), (4,), A((4,), "float64")),
):
    error(F + "layer_norm", *bad)
    if len(bad) < 3 or bad[2].dtype == "float32":
        error(F + "rms_norm", *bad)
for bad in ((A((2, 4)), 3), (A((2, 4)), 0), (A((4,)), 2), (A((2, 4)), 2, A((3,))), (A((2, 4), "int64"), 2), (A((2, 4)), 2, A((4,), "float64"))):
    error(F + "group_norm", *bad)
for bad in (
    (A((2, 3, 1)),),
    (A((2, 3, 4)), None, None, None, None, False),
    (A((2, 3, 4)), None, None, A((4,))),
    (A((2, 3, 4)), None, None, None, A((4,))),
    (A((2, 3, 4), "int64"),),
):
    error(F + "instance_norm", *bad)
for bad in (
    (A((1, 3)), None, None, None, None, True),
    (A((4, 3)), None, None),
    (A((4, 3)), A((4,)), A((3,))),
    (A((4, 3)), A((3,)), A((3,)), A((4,))),
    (A((4, 3), "int64"), A((3,)), A((3,))),
    (A((3,)), A((3,)), A((3,))),
):
    error(F + "batch_norm", *bad)
for bad in ((A((2, 3)), 2), (A((3,)), 2), (A((2, 3, 4)), 0), (A((2, 3, 4)), -1), (A((2, 3, 4)), "2")):
    error(F + "local_response_norm", *bad)
