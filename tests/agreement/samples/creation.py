"""New tensors."""

from agreement import DTYPES, A, error, sample

for name in ("zeros", "ones"):
    for shape in ((), (0,), (3,), (2, 3), (2, 0, 3)):
        sample(name, shape)
        if shape:
            sample(name, *shape)
        sample(name, [*shape], dtype="dtype:int32")
    for dtype in DTYPES:
        sample(name, (2, 3), dtype=f"dtype:{dtype}")
    sample(name, size=(2,))
    error(name, (-1,))
    error(name, "text")
    error(name, (1.5,))
    error(name, (2,), dtype="text")
    error(name, (2,), no_such=1)
    error(name)
for name in ("zeros_like", "ones_like"):
    for dtype in DTYPES:
        sample(name, A((2, 3), dtype))
        sample(name, A((2, 3)), dtype=f"dtype:{dtype}")
    for shape in ((), (0,), (2, 0)):
        sample(name, A(shape))
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout))
    sample(name, input=A((2,)))
    error(name, 1.0)
    error(name, (2, 3))
    error(name, A((2,)), dtype="text")
    error(name, A((2,)), no_such=1)
    error(name)

for dtype in DTYPES:
    sample("full", (2, 3), 1, dtype=f"dtype:{dtype}")
    sample("full_like", A((2, 3), dtype), 1)
    sample("full_like", A((2, 3)), 2, dtype=f"dtype:{dtype}")
for value in (True, 3, 2.5, -1, float("inf"), float("nan")):
    sample("full", (2,), value)
    sample("full_like", A((2,)), value)
for shape in ((), (0,), (2, 0), [2, 3]):
    sample("full", shape, 1.5)
    sample("full_like", A(tuple(shape)), 1.5)
sample("full", size=(2,), fill_value=1)
sample("full_like", input=A((2,)), fill_value=1)
error("full", (-1,), 1)
error("full", (2,), "text")
error("full", (2,))
error("full", (2,), 1, dtype="text")
error("full", (2,), 1, no_such=1)
error("full", "text", 1)
error("full_like", 1.0, 1)
error("full_like", A((2,)), "text")
error("full_like", A((2,)))
error("full_like", A((2,)), 1, dtype="text")
error("full_like", A((2,)), 1, no_such=1)

for args in ((5,), (0,), (2, 7), (2, 7, 2), (7, 2, -2), (0, 1, 0.25), (1.0, 4.0), (5.5,), (2, 2), (3, 0, -1), (1, 1.5, 0.1)):
    sample("arange", *args)
    for dtype in ("float32", "float64", "int32", "int64"):
        if not (dtype.startswith("int") and any(isinstance(arg, float) for arg in args)):
            sample("arange", *args, dtype=f"dtype:{dtype}")
sample("arange", start=1, end=4, step=2)
sample("arange", end=4)
for dtype in DTYPES[1:]:
    sample("arange", 5, dtype=f"dtype:{dtype}")
error("arange", 5, 2)
error("arange", 0, 5, 0)
error("arange", 0, 5, -1)
error("arange", "text")
error("arange")
error("arange", float("inf"))

for args in ((0, 1, 5), (3, -3, 7), (0, 1, 1), (0, 1, 0), (2.5, 2.5, 3), (-1.5, 8.25, 10), (0, 10, 11)):
    for dtype in (None, "float64", "float32", "float16", "bfloat16"):
        sample("linspace", *args, **({"dtype": f"dtype:{dtype}"} if dtype else {}))
for dtype in ("int32", "int64", "uint8"):
    sample("linspace", 0, 10, 5, dtype=f"dtype:{dtype}")
sample("linspace", start=0, end=1, steps=3)
error("linspace", 0, 1, -1)
error("linspace", 0, 1)
error("linspace", "text", 1, 3)
error("linspace", 0, 1, 2.5)
error("linspace", 0, 1, 3, no_such=1)

for args in ((0, 2, 5), (2, -2, 5), (0, 1, 1), (0, 1, 0), (0.5, 0.5, 3), (-1.5, 1.25, 7), (0, 3, 4, 2), (1, 4, 4, 0.5), (0, 2, 3, 1), (0, 2, 3, 0)):
    for dtype in (None, "float64", "float32", "float16", "bfloat16"):
        sample("logspace", *args, **({"dtype": f"dtype:{dtype}"} if dtype else {}))
for dtype in ("int16", "int32", "int64", "uint8"):
    sample("logspace", 0, 5, 6, 2, dtype=f"dtype:{dtype}")
sample("logspace", 0, 2, 3, base=-2)
sample("logspace", start=0, end=1, steps=3, base=2.5)
error("logspace", 0, 1, -1)
error("logspace", 0, 1)
error("logspace", "text", 1, 3)
error("logspace", 0, 1, 2.5)
error("logspace", 0, 1, 3, "text")
error("logspace", 0, 1, 3, no_such=1)
error("logspace", 0, 1, 3, dtype="dtype:bool")

# ---- of a tensor's dtype
for name in ("new_zeros", "new_ones"):
    for dtype in DTYPES:
        sample(f"Tensor.{name}", A((2,), dtype), (2, 3))
        sample(f"Tensor.{name}", A((2,)), (3,), dtype=f"dtype:{dtype}")
    for shape in ((), (0,), (2, 0, 3), [2, 3]):
        sample(f"Tensor.{name}", A((2,), "int32"), shape)
    sample(f"Tensor.{name}", A(()), 2, 3)
    sample(f"Tensor.{name}", A((3, 4), layout="transposed"), 2, dtype="dtype:int64")
    sample(f"Tensor.{name}", A((0,)), 0)
    sample(f"Tensor.{name}", A((2,), special=True), size=(2,))
    sample(f"Tensor.{name}", A((2,)), (2,), dtype=None, device="cpu", requires_grad=True)
for dtype in DTYPES:  # without elements: any others may hold anything
    sample("Tensor.new_empty", A((2,), dtype), (0, 3))
    sample("Tensor.new_empty", A((2, 3)), 2, 0, dtype=f"dtype:{dtype}")
for shape in ((0,), [2, 0, 3], (0, 0)):
    sample("Tensor.new_empty", A((3, 4), layout="transposed"), shape)
sample("Tensor.new_empty", A(()), size=(0,))
for name in ("new_zeros", "new_ones", "new_empty"):
    for wrong in ((), (-1,), ((2, -1),), ("text",), (1.5,), ((1.5,),), (None,), (A((2,)),)):
        error(f"Tensor.{name}", A((2,)), *wrong)
    error(f"Tensor.{name}", A((2,)), (2,), dtype="text")
    error(f"Tensor.{name}", A((2,)), (2,), no_such=1)
    error(f"Tensor.{name}", A((2,), "int32"), (2,), requires_grad=True)
for dtype in DTYPES:
    sample("Tensor.new_full", A((2,), dtype), (2, 3), 1)
    sample("Tensor.new_full", A((2,)), (2, 3), 1.0, dtype=f"dtype:{dtype}")
    sample("Tensor.new_tensor", A((2,), dtype), [[0, 1], [1, 0]], capture=False)
    sample("Tensor.new_tensor", A((2,)), A((2, 3), dtype), dtype="dtype:float64", capture=False, grad=False)
    sample("Tensor.new_tensor", A((2,)), [0, 1, 1], dtype=f"dtype:{dtype}", capture=False)
for value in (True, 3, 2.5, -1, float("inf"), float("nan")):
    sample("Tensor.new_full", A((2,)), (2,), value)
    sample("Tensor.new_tensor", A((2,)), value, capture=False)
    sample("Tensor.new_tensor", A((2,), "float64"), [value, 0], capture=False)
for shape in ((), (0,), (2, 0), [2, 3]):
    sample("Tensor.new_full", A((3, 4), "int32", "transposed"), shape, 2)
sample("Tensor.new_full", A((2,), "int32"), (2,), 2.5)
sample("Tensor.new_full", A((2,), "bool"), (2,), 3)
sample("Tensor.new_full", A((2,)), size=(2,), fill_value=1)
for data in ([], [[]], (1, 2), [[1.0, 2], [3, 4]], [[[1]]]):
    sample("Tensor.new_tensor", A((2,), "float16"), data, capture=False)
sample("Tensor.new_tensor", A((2,), "int32"), [1.5, -2.5], capture=False)
sample("Tensor.new_tensor", A((2,)), data=[1, 2], capture=False)
for wrong in ((), ((2,),), ((-1,), 1), ((2,), "text"), ("text", 1), (2, 1), ((1.5,), 1), ((2,), None), ((2,), 1, 1)):
    error("Tensor.new_full", A((2,)), *wrong)
error("Tensor.new_full", A((2,)), (2,), 1, dtype="text")
error("Tensor.new_full", A((2,)), (2,), 1, no_such=1)
error("Tensor.new_full", A((2,), "uint8"), (2,), 300)
for wrong in ((), ("text",), ([[1, 2], [3]],), ([1, "text"],), ([None],), (None,), (1, 2)):
    error("Tensor.new_tensor", A((2,)), *wrong)
error("Tensor.new_tensor", A((2,)), [1], dtype="text")
error("Tensor.new_tensor", A((2,)), [1], no_such=1)

for args in ((3,), (2, 4), (4, 2), (0,), (1,), (3, 0)):
    sample("eye", *args)
    sample("eye", *args, dtype="dtype:float64")
    sample("eye", *args, dtype="dtype:int32")
for dtype in DTYPES:
    sample("eye", 2, dtype=f"dtype:{dtype}")
sample("eye", n=2, m=3)
error("eye", -1)
error("eye", 2, -1)
error("eye", "text")
error("eye", 1.5)
error("eye")

for data in (1, 1.5, True, [1, 2], [[1.0, 2], [3, 4]], [], [[]], [True, False], (1, 2), [1, 2.5], [True, 2], [float("nan"), float("inf")], [[[1]]]):
    sample("tensor", data, capture=False)
    sample("tensor", data, dtype="dtype:float64", capture=False)
    sample("as_tensor", data, capture=False)
    sample("as_tensor", data, dtype="dtype:float64", capture=False)
for dtype in DTYPES:
    sample("tensor", [[0, 1], [1, 0]], dtype=f"dtype:{dtype}", capture=False)
    sample("as_tensor", [[0, 1], [1, 0]], dtype=f"dtype:{dtype}", capture=False)
    sample("as_tensor", A((2, 3), dtype, "transposed"), capture=False)
for name in ("tensor", "as_tensor"):
    error(name, [[1, 2], [3]])
    error(name, "text")
    error(name, [1, "text"])
    error(name)
    error(name, [1], dtype="text")
    error(name, [None])
