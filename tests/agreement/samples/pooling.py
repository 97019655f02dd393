"""Pooling of nn.functional."""

from agreement import A, V, error, sample

FLOATS = ("float32", "float64", "bfloat16", "float16")
F = "nn.functional."
SIZES = {1: (9,), 2: (5, 4), 3: (3, 4, 2)}
SMALL = {1: (6,), 2: (4, 4), 3: (2, 2, 2)}
DOES_NOT = "PyTorch has no kernel for these dtypes on the CPU"
EQUALS = (2.0, 1.0, 2.0, 0.0, 2.0, 2.0, -1.0, 2.0, 2.0)

for dims in (1, 2, 3):
    shape, whole = (1, 2, *SIZES[dims]), (2, *SIZES[dims])
    small = (1, *SMALL[dims])
    fewer = A(SIZES[dims][1:])
    pool, mean = f"{F}max_pool{dims}d", f"{F}avg_pool{dims}d"
    most, parts, norm = f"{F}adaptive_max_pool{dims}d", f"{F}adaptive_avg_pool{dims}d", f"{F}lp_pool{dims}d"
    unpool = f"{F}max_unpool{dims}d"
    for dtype in FLOATS:
        for layout in ("contiguous", "transposed", "strided"):
            sample(pool, A(shape, dtype, layout), 2, check=False)
            unknown = {"differs": DOES_NOT} if dims == 3 and dtype in ("bfloat16", "float16") else {}
            sample(mean, A(shape, dtype, layout), 2, **unknown)
            sample(most, A(shape, dtype, layout), 2, check=False)
            sample(parts, A(shape, dtype, layout), 2)
            sample(norm, A(shape, dtype, layout, low=1, high=3), 2, 2, tol=256 if dtype.startswith("float3") else 8, **unknown)
    for options in (
        {"stride": 1},
        {"stride": 3},
        {"padding": 1},
        {"stride": 1, "padding": 1, "ceil_mode": True},
        {"stride": 2, "ceil_mode": True},
    ):
        kernel = 2
        sample(pool, A(whole), kernel, check=False, **options)
        sample(pool, A(whole), kernel, return_indices=True, check=False, **options)
        sample(mean, A(whole), kernel, **options)
        sample(mean, A(whole), kernel, count_include_pad=False, **options)
        if "padding" not in options:
            sample(norm, A(whole, low=1, high=2), 2.0, kernel, **options)
            sample(norm, A(whole, low=1, high=2), 3.0, kernel, **options)
    sample(pool, A(whole), 1, check=False)
    sample(pool, A(whole), (2,) * dims, (1,) * dims, (1,) * dims, (1,) * dims, True, True, check=False)
    sample(pool, A(whole, special=True), 2, check=False, return_indices=True)
    sample(pool, A((0, 2, *SIZES[dims])), 2, check=False)
    sample(mean, A(whole), (2,) * dims, (1,) * dims, (1,) * dims, True, False)
    sample(mean, A(whole, special=True), 2, check=False)
    sample(mean, A((0, 2, *SIZES[dims])), 2)
    if dims < 3:
        sample(pool, A(whole), 2, dilation=2, stride=1, check=False)
        sample(pool, A(whole), 3, dilation=2, stride=1, padding=1, check=False, return_indices=True)
        sample(mean, A(whole), 3, 2, 1, tol=128)
        sample(norm, A(whole, low=1, high=2), 4, 3, 1, tol=256)
    if dims > 1:
        sample(mean, A(whole), 2, divisor_override=3)
        sample(mean, A(whole), 2, 1, 1, divisor_override=-2)
    sample(norm, A((0, 2, *SIZES[dims])), 2, 2)
    sample(norm, A(whole, low=1, high=2), 1, 2)
    sample(norm, A(whole, low=1, high=2), -2.0, 2)
    sample(norm, A(whole), 2, 2)
    for size in (1, 2, 3, 4, (2,) * dims, 0):
        sample(parts, A(whole), size)
        sample(most, A(whole), size, check=False)
        sample(most, A(whole), size, return_indices=True, check=False)
    sample(parts, A(shape, special=True), 2, check=False)
    sample(parts, A((0, 2, *SIZES[dims])), 2)
    sample(most, A((0, 2, *SIZES[dims])), 2)
    sample(most, A(shape, special=True), 2, check=False, return_indices=True)
    if dims > 1:
        sample(parts, A(whole), (None,) + (2,) * (dims - 1))
        sample(most, A(whole), (None,) + (2,) * (dims - 1), check=False)

    for both in (f"{pool}_with_indices", f"{most}_with_indices"):
        for dtype in FLOATS:
            for layout in ("contiguous", "transposed", "strided"):
                sample(both, A(shape, dtype, layout), 2, check=False)
        for size in (1, (2,) * dims, (1,) * dims):
            for leading in ((), (0,), (1,), (2,)):
                sample(both, A((*leading, 2, *SIZES[dims])), size, check=False)
        for bad in ((fewer, 2), (A(whole), -1), (A(whole), (2, 2, 2, 2)), (A((2,) + (0,) * dims), 2), (A(whole), "2")):
            error(both, *bad)

    places = {1: [[[1, 2, 5]]], 2: [[[[0, 5], [10, 15]]]], 3: [[[[[0, 5], [17, 22]], [[34, 39], [50, 63]]]]]}[dims]
    values = {1: (1, 1, 3), 2: (1, 1, 2, 2), 3: (1, 1, 2, 2, 2)}[dims]
    for dtype in ("float32", "float64", "bfloat16", "float16"):
        unknown = {"differs": DOES_NOT} if dtype in ("bfloat16", "float16") else {}
        sample(unpool, A(values, dtype), V(places, "int64"), 2, check=False, **unknown)
        sample(unpool, A(values, dtype), V(places, "int64"), 2, 2, check=False, **unknown)
        sample(unpool, A(values[1:], dtype), V(places[0], "int64"), (2,) * dims, (2,) * dims, (0,) * dims, check=False, **unknown)
        sample(unpool, A(values, dtype), V(places, "int64"), 2, None, 0, (6, 4, 4)[dims - 1 :][:1] * dims, check=False, **unknown)
        sample(unpool, A(values, dtype), V(places, "int64"), 2, output_size=(1, 1) + (6, 4, 4)[dims - 1 :][:1] * dims, check=False, **unknown)
        sample(unpool, A(values, dtype), V(places, "int64"), 2, output_size=(7, 5, 5)[dims - 1 :][:1] * dims, check=False, **unknown)

    for bad in (
        (fewer, 2),
        (A(whole), 0),
        (A(whole), -1),
        (A(whole), 20),
        (A(whole), 2, 0),
        (A(whole), 2, 2, 2),
        (A(whole), 2, 2, -1),
        (A(whole), (2, 2, 2, 2)),
        (A((2,) + (0,) * dims), 2),
    ):
        error(pool, *bad)
        error(mean, *bad)
        if len(bad) < 4:
            error(norm, bad[0], 2, *bad[1:])
    error(pool, A(whole), 2, dilation=0)
    error(pool, A(whole, "bool"), 2)
    if dims > 1:
        error(mean, A(whole), 2, divisor_override=0)
    for bad in ((fewer, 2), (A(whole), -1), (A(whole), (2, 2, 2, 2)), (A((2,) + (0,) * dims), 2), (A(whole), "2"), (A(whole, "bool"), 2)):
        error(parts, *bad)
        error(most, *bad)
    for bad in (
        (A(values), V(places, "int32"), 2),
        (A(values), V(places[0], "int64"), 2),
        (A(values), A(values), 2),
        (A(values), V(places, "int64"), 2, None, 0, (30,) * dims),
        (A(values), V(places, "int64"), 2, None, 0, (4,) * (dims + 3)),
        (A(values), V(places, "int64"), (2, 2, 2, 2)),
    ):
        error(unpool, *bad)

for dims in (1, 2):
    sample(f"{F}max_pool{dims}d", V([EQUALS] if dims == 1 else [[EQUALS[:3], EQUALS[3:6], EQUALS[6:]]]), 2, 1, return_indices=True, check=False)
for dtype in ("uint8", "int8", "int16", "int32", "int64"):
    sample(F + "max_pool2d", A((1, 4, 4), dtype), 2, grad=False)
    sample(F + "max_pool1d", A((1, 6), dtype), 2, grad=False, differs=DOES_NOT)
sample(F + "max_pool2d", A((2, 4, 6)), (2, 3), (1, 2), (1, 0), check=False)
sample(F + "max_pool2d", A((1, 4, 5)), (4, 5), check=False)
sample(F + "avg_pool2d", A((2, 4, 6)), (2, 3), (1, 2), (1, 0))
sample(F + "avg_pool2d", A((1, 5, 5)), 5, tol=128)

for dims, shapes in ((2, ((2, 3, 6, 8), (3, 7, 5))), (3, ((2, 2, 5, 7, 6), (2, 6, 6, 7)))):
    f = f"nn.functional.fractional_max_pool{dims}d"
    for dtype in ("float32", "float64"):
        for shape in shapes:
            x, drawn = A(shape, dtype), A((*((1, *shape)[-dims - 2 : -dims]), dims), dtype, low=0, high=1, seed=1)
            for ending in ("", "_with_indices"):
                sample(f + ending, x, 2, 3, _random_samples=drawn, check=False)
                sample(f + ending, x, (2, 3, 1)[:dims], (2, 3, 4)[:dims], None, False, drawn, check=False)
                sample(f + ending, x, 2, output_ratio=(0.5,) * dims, _random_samples=drawn, check=False)
                sample(f + ending, x, 2, output_ratio=(0.5, 0.4, 0.7)[:dims], return_indices=True, _random_samples=drawn, check=False)
                sample(f + ending, x, kernel_size=3, output_size=1, return_indices=True, _random_samples=drawn, check=False)
        x = A(shapes[0], dtype, "transposed")
        for ending in ("", "_with_indices"):
            sample(f + ending, x, 2, 2, return_indices=True, _random_samples=A((2, shapes[0][1], dims), dtype, low=0, high=1), check=False)
    for ending in ("", "_with_indices"):
        x = A(shapes[0])
        error(f + ending, A((4, 4)), 2, 2)
        error(f + ending, x, 2)
        error(f + ending, x, 2, 2, no_such=0.5)
        error(f + ending, x, 2, output_ratio=(1.5,) * dims)
        error(f + ending, x, 2, 20)
        error(f + ending, x, (2,) * (dims + 1), 2)
        error(f + ending, x, 2, 2, _random_samples=A((1, 1, dims), low=0, high=1))
