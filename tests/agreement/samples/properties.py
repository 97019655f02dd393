"""What a tensor is, and comparisons and logic in place."""

from agreement import DTYPES, A, V, error, sample

NAN = float("nan")

# ---- functions beside methods
for dtype in DTYPES:
    sample("fill", A((2, 3), dtype), 1)
    sample("fill", A((2, 3), dtype), V(1.0))
    sample("equal", A((2, 3), dtype), A((2, 3), dtype), capture=False)
    sample("equal", A((2, 3), dtype), A((2, 3), dtype, seed=1), capture=False)
    sample("numel", A((2, 3), dtype), capture=False)
    sample("is_floating_point", A((2, 3), dtype), capture=False)
    sample("is_complex", A((2, 3), dtype), capture=False)
    sample("Tensor.is_signed", A((2, 3), dtype), capture=False)
    sample("is_nonzero", V([1], dtype), capture=False)
    sample("is_nonzero", V(0, dtype), capture=False)
    sample("is_tensor", A((2, 3), dtype), capture=False)
    for other in DTYPES:
        sample("promote_types", f"dtype:{dtype}", f"dtype:{other}", capture=False, forms=False)
        sample("can_cast", f"dtype:{dtype}", f"dtype:{other}", capture=False, forms=False)
        sample("result_type", A((2,), dtype), A((), other), capture=False)
    for number in (True, 2, 2.5):
        sample("result_type", A((2,), dtype), number, capture=False)
        sample("result_type", number, A((), dtype), capture=False)
for value in (1, None, "text", [1.0], 2.5, (), {}):
    sample("is_tensor", value, capture=False, forms=False)
for shape in ((), (0,), (2, 0, 3), (1,), (5, 4)):
    for name in ("numel", "is_floating_point", "is_complex", "Tensor.is_signed", "is_tensor"):
        sample(name, A(shape), capture=False)
    sample("equal", A(shape), A(shape), capture=False)
    sample("fill", A(shape), 2.5)
for name in ("numel", "is_floating_point", "is_complex", "Tensor.is_signed", "is_tensor"):
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), "int32", layout), capture=False)
    sample(name, A((9,), special=True), capture=False)
    sample(name, V(1.5, "float16"), capture=False)
    sample(name, V(True, "bool"), capture=False)
for name in ("numel", "is_floating_point", "is_complex"):
    sample(name, input=A((2, 2)), capture=False)
sample("equal", A((2, 3)), A((3,)), capture=False)
sample("fill", A((2, 3), layout="transposed"), NAN, grad=False)
for name in ("numel", "is_floating_point", "is_complex", "is_nonzero"):
    error(name)
    error(name, "text")
    error(name, None)
    error(name, A((2,)), 1)
    error(name, A((2,)), no_such=1)
error("is_nonzero", A((2,)))
error("is_nonzero", A((0,)))
error("is_tensor")
error("is_tensor", 1, 2)
error("is_tensor", A((2,)), no_such=1)
error("is_tensor", no_such=1)
error("is_tensor", A((2,)), A((2,)))
error("Tensor.is_signed", A((2,)), 1, starts="is_signed: ")
error("Tensor.is_signed", A((2,)), no_such=1, starts="is_signed: ")
for name in ("promote_types", "can_cast"):
    error(name)
    error(name, "dtype:int32")
    error(name, "dtype:int32", "text")
    error(name, "dtype:int32", 1)
    error(name, A((2,)), "dtype:int32")
for args in ((), (1,), (A((2,)),), (A((2,)), "text"), (None, A((2,)))):
    error("result_type", *args)
for args in ((), (A((2,)),), (A((2,)), "text"), (A((2,)), 1.0), (None, A((2,)))):
    error("equal", *args)
for args in ((), (A((2,)),), (A((2,)), "text"), (A((2,)), V([1.0])), ("text", 1.0)):
    error("fill", *args)

# ---- comparisons and logic in place
for name in ("eq", "ne", "lt", "le", "gt", "ge", "greater", "less", "not_equal", "greater_equal", "less_equal"):
    for dtype in DTYPES:
        sample(f"Tensor.{name}_", A((2, 3), dtype), A((3,), dtype, seed=1), grad=False)
        sample(f"Tensor.{name}_", A((2, 3), dtype), 1, grad=False)
    error(f"Tensor.{name}_", A((2,)), A((3,)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), A((2, 2)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), "text", starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), None, starts=f"{name}_: ")
for name in ("logical_and", "logical_or", "logical_xor"):
    for dtype in DTYPES:
        sample(f"Tensor.{name}_", A((2, 3), dtype), A((3,), dtype, seed=1), grad=False)
        sample(f"Tensor.{name}_", A((2, 3), dtype), A((2, 3), "int32"), grad=False)
    error(f"Tensor.{name}_", A((2,)), A((3,)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), A((2, 2)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), "text", starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), None, starts=f"{name}_: ")
for dtype in DTYPES:
    sample("Tensor.logical_not_", A((2, 3), dtype), grad=False)
    sample("Tensor.logical_not_", A((2, 3), dtype, "transposed"), grad=False)
error("Tensor.logical_not_", A((2,)), 1, starts="logical_not_: ")
error("Tensor.logical_not_", A((2,)), no_such=1, starts="logical_not_: ")
