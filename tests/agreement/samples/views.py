"""Views, joins and copies."""

from agreement import DTYPES, A, error, sample

LAYOUTS = ("contiguous", "transposed", "strided", "expanded")


def everywhere(name, *args, **kwargs):
    for layout in LAYOUTS:
        sample(name, A((3, 4), layout=layout), *args, **kwargs)
    for dtype in DTYPES:
        sample(name, A((3, 4), dtype), *args, **kwargs)
    for dtype in ("float64",):
        sample(name, A((3, 4), dtype, "transposed"), *args, **kwargs)


def no_such(name, *args):
    error(name, A((3, 4)), *args, no_such=1)


everywhere("Tensor.permute", 1, 0)
for dims in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (-1, 0, 1), (-1, -3, -2)):
    sample("Tensor.permute", A((2, 3, 4)), *dims)
    sample("Tensor.permute", A((2, 0, 4)), dims)
    sample("Tensor.permute", A((2, 3, 4), layout="strided"), [*dims])
sample("Tensor.permute", A(()), ())
sample("Tensor.permute", A((3,)), 0)
sample("Tensor.permute", A((2, 3)), dims=(1, 0))
for dims in ((0, 0), (0,), (0, 2), (0, 1, 2), ("text", 0), (1.5, 0)):
    error("Tensor.permute", A((2, 3)), *dims)

everywhere("Tensor.transpose", 0, 1)
for dims in ((0, 2), (1, -1), (-1, -2), (1, 1)):
    sample("Tensor.transpose", A((2, 3, 4)), *dims)
    sample("Tensor.transpose", A((2, 0, 4)), *dims)
sample("Tensor.transpose", A(()), 0, -1)
sample("Tensor.transpose", A((2, 3)), dim0=0, dim1=-1)
for dims in ((0, 2), (-3, 0), (0,), ("text", 0), (0, 1, 2), (1.5, 0)):
    error("Tensor.transpose", A((2, 3)), *dims)

everywhere("Tensor.t")
for shape in ((), (3,), (0, 2), (1, 1), (5, 1)):
    sample("Tensor.t", A(shape))
    sample("Tensor.t", A(shape, "float64", "strided"))
error("Tensor.t", A((2, 3, 4)))
error("Tensor.t", A((1, 1, 1, 1)))
error("Tensor.t", A((2, 3)), 1)
error("Tensor.t", A((2, 3)), no_such=1)
error("Tensor.t", A((0, 3, 4)))

everywhere("Tensor.T")
everywhere("Tensor.mT")
for shape in ((2, 3, 4), (0, 2), (2, 0, 1), (1, 1), (2, 1, 3, 2)):
    sample("Tensor.mT", A(shape))
sample("Tensor.mT", A((2, 3, 4), layout="transposed"))
for shape in ((0, 2), (1, 1), (2, 3), (5, 2), (2, 0), (1, 3)):
    sample("Tensor.T", A(shape, "float64"))

for name, method in (("Tensor.reshape", "reshape"), ("Tensor.view", "view")):
    for dtype in DTYPES:
        sample(name, A((3, 4), dtype), 12)
    for shape in ((4, 3), (2, 6), (1, 12), (2, 2, 3), (12, 1), (-1,), (3, -1), (-1, 1, 4), (3, 4, 1)):
        sample(name, A((3, 4)), *shape)
        sample(name, A((3, 4), "float64"), shape)
        if method == "reshape":
            sample(name, A((3, 4), layout="transposed"), shape)
            sample(name, A((3, 4), layout="strided"), [*shape])
            sample(name, A((3, 4), layout="expanded"), *shape)
    sample(name, A(()), 1, 1)
    sample(name, A((1,)), ())
    sample(name, A((0, 3)), 3, 0)
    sample(name, A((0, 3)), -1, 3)
    sample(name, A((0,)), 0, 2, 3)
    for shape in ((5,), (-1, -1), (-1, 5), (3, 5), (-2, 6), (1.5,), ("text",)):
        error(name, A((3, 4)), *shape)
    error(name, A((0, 3)), -1, 0)
sample("Tensor.view", A((2, 3, 4), layout="strided"), 6, 4)
sample("Tensor.view", A((2, 3, 4), layout="transposed"), 1, 2, 3, 4)
error("Tensor.view", A((3, 4), layout="transposed"), 12)
error("Tensor.view", A((3, 4), layout="strided"), 2, -1, 5)

everywhere("Tensor.flatten")
for dims in ((), (1,), (0, 1), (1, 2), (-2, -1), (0, 2), (1, 1)):
    sample("Tensor.flatten", A((2, 3, 4)), *dims)
    sample("Tensor.flatten", A((2, 3, 4), layout="transposed"), *dims)
    sample("Tensor.flatten", A((2, 0, 4)), *dims)
sample("Tensor.flatten", A(()))
sample("Tensor.flatten", A((3,)))
sample("Tensor.flatten", A((2, 3)), start_dim=0, end_dim=-1)
for dims in ((3,), (-4,), (2, 1), (0, 3), ("text",), (0.5,)):
    error("Tensor.flatten", A((2, 3, 4)), *dims)

everywhere("Tensor.squeeze")
for shape in ((), (1,), (2, 1), (1, 2, 1), (1, 0), (1, 1, 1)):
    sample("Tensor.squeeze", A(shape))
    sample("Tensor.squeeze", A(shape), -1)
    sample("Tensor.squeeze", A(shape), dim=0)
sample("Tensor.squeeze", A((1, 2, 1, 3, 1)), (0, 2))
sample("Tensor.squeeze", A((1, 2, 1, 3, 1)), (0, 1, -1))
sample("Tensor.squeeze", A((1, 2, 1, 3, 1)), ())
for dim in (3, -4, "text", 1.5, (0, 3), (0, 0)):
    error("Tensor.squeeze", A((2, 1, 3)), dim)

everywhere("Tensor.unsqueeze", 0)
everywhere("Tensor.unsqueeze", -1)
for dim in (0, 1, 2, -1, -2, -3):
    sample("Tensor.unsqueeze", A((2, 3)), dim)
sample("Tensor.unsqueeze", A(()), 0)
sample("Tensor.unsqueeze", A((0,)), dim=1)
for dim in (3, -4, "text", 1.5, None):
    error("Tensor.unsqueeze", A((2, 3)), dim)

for dtype in DTYPES:
    sample("Tensor.expand", A((3, 1), dtype), 3, 4)
    sample("Tensor.expand", A((1,), dtype), (2, 3))
for shape in ((2, 3), (-1, 3), (4, 2, 3), (4, -1, -1)):
    sample("Tensor.expand", A((2, 1), "float64"), *shape)
    sample("Tensor.expand", A((2, 1), layout="strided"), shape)
sample("Tensor.expand", A(()), 2, 3)
sample("Tensor.expand", A(()), ())
sample("Tensor.expand", A((1,)), 0)
sample("Tensor.expand", A((3, 4), layout="transposed"), 2, -1, 4)
for shape in ((3,), (2, 5), (-1, 3, 4), (3, 2), ("text", 4)):
    error("Tensor.expand", A((3, 4)), *shape)
for dtype in DTYPES:
    sample("Tensor.expand_as", A((1, 3), dtype), A((2, 3), dtype))
    sample("Tensor.expand_as", A((3,), dtype), A((2, 3), "float32"))
sample("Tensor.expand_as", A(()), A((2, 3)))
sample("Tensor.expand_as", A((2, 1), layout="strided"), A((2, 3)))
error("Tensor.expand_as", A((2,)), A((3,)))
error("Tensor.expand_as", A((2, 3)), A((3,)))
error("Tensor.expand_as", A((2,)), 3)
error("Tensor.expand_as", A((2,)))
error("Tensor.expand_as", A((2, 2)), A((2, 3)))

everywhere("Tensor.narrow", 0, 1, 2)
for args in ((0, 0, 2), (1, 2, 1), (-1, 0, 4), (1, 4, 0), (0, -1, 1), (1, -3, 2)):
    sample("Tensor.narrow", A((3, 4)), *args)
sample("Tensor.narrow", A((0, 3)), 0, 0, 0)
sample("Tensor.narrow", A((3,)), dim=0, start=1, length=1)
for args in ((2, 0, 1), (0, 0, 4), (0, 3, 1), (0, -4, 1), (0, 0, -1), ("text", 0, 1), (0, 0)):
    error("Tensor.narrow", A((3, 4)), *args)
error("Tensor.narrow", A(()), 0, 0, 1)

everywhere("Tensor.select", 0, 1)
for args in ((0, 0), (1, 3), (-1, -1), (1, -4), (-2, 2)):
    sample("Tensor.select", A((3, 4)), *args)
sample("Tensor.select", A((2, 3, 4), layout="transposed"), dim=1, index=2)
for args in ((2, 0), (0, 3), (0, -4), ("text", 0), (0,), (0, 1.5)):
    error("Tensor.select", A((3, 4)), *args)
error("Tensor.select", A(()), 0, 0)

for name in ("cat", "concat"):
    for dtype in DTYPES:
        sample(name, (A((2, 3), dtype), A((1, 3), dtype)))
        sample(name, [A((2, 3), dtype), A((2, 1), dtype)], dim=1)
    for a, b in (("int32", "float32"), ("uint8", "int8"), ("bool", "int64"), ("float16", "bfloat16"), ("float32", "float64")):
        sample(name, (A((2,), a), A((3,), b)))
    for layout in LAYOUTS[1:]:
        sample(name, (A((3, 4), layout=layout), A((3, 4)), A((3, 4), layout=layout)), -1)
    sample(name, (A((2, 3)),))
    sample(name, (A((0, 3)), A((2, 3))))
    sample(name, (A((0,)), A((2, 3))))
    sample(name, (A((2, 3), "float64"), A((2, 2), "float64")), -1, sets=True)
    sample(name, tensors=(A((2,)), A((2,))), dim=0)
    error(name, (A((2, 3)), A((2, 4))))
    error(name, (A((2, 3)), A((2, 3))), 2)
    error(name, (A((2, 3)), A((2, 3, 1))))
    error(name, ())
    error(name, (A(()), A(())))
    error(name, (A((2,)), 1.0))
    error(name, A((2, 3)))
for dtype in DTYPES:
    sample("stack", (A((2, 3), dtype), A((2, 3), dtype)))
    sample("stack", [A((2, 3), dtype), A((2, 3), dtype)], dim=1)
for dim in (0, 1, 2, -1, -2, -3):
    sample("stack", (A((2, 3)), A((2, 3), layout="transposed"), A((2, 3), layout="strided")), dim)
sample("stack", (A(()), A(())))
sample("stack", (A((0,)), A((0,))), 1)
sample("stack", (A((2,)),))
sample("stack", (A((2,), "int32"), A((2,), "float32")))
sample("stack", (A((2, 3), "float64"), A((2, 3), "float64")), -1, sets=True)
sample("stack", tensors=(A((2,)), A((2,))), dim=0)
error("stack", (A((2,)), A((3,))))
error("stack", (A((2,)), A((2,))), 2)
error("stack", (A((2,)), A((2,))), -3)
error("stack", ())
error("stack", (A((2,)), 1.0))
error("stack", 1.0)

for name in ("Tensor.contiguous", "Tensor.clone", "Tensor.detach"):
    everywhere(name)
    for shape in ((), (0,), (2, 0, 3), (1,), (5,), (2, 2, 2)):
        sample(name, A(shape))
    error(name, A((2,)), no_such=1)
    error(name, A((2,)), 1, 2, 3)
