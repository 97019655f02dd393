"""Activations."""

from agreement import FLOATING, A, V, error, sample

for name in ("relu", "sigmoid", "tanh"):
    sample(f"nn.functional.{name}", A((2, 3), "float64"))
    sample(f"nn.functional.{name}", A((7,), special=True), grad=False)
for dtype in (*FLOATING, "int8", "int16", "int32", "int64", "uint8"):
    sample("nn.functional.relu", A((2, 3), dtype))
    sample("nn.functional.relu", A((3, 4), dtype, "transposed"), inplace=True)
for layout in ("strided", "expanded"):
    sample("nn.functional.relu", A((3, 4), layout=layout))
for shape in ((), (0,), (2, 0, 3), (1,)):
    sample("nn.functional.relu", A(shape))
    sample("nn.functional.relu", A(shape), inplace=False)
sample("nn.functional.relu", V([0.0, -0.0, 1.0]))
sample("nn.functional.relu", input=A((3,)))
sample("nn.functional.relu", A((3,)), True)
for wrong in ((), ("text",), (None,), ([1.0],), (A((2,), "bool"),), (A((2,)), False, 1)):
    error("nn.functional.relu", *wrong)
error("nn.functional.relu", A((2,)), no_such=1)
#: Of floating tensors alone, with their parameters.
PARAMETERS = {
    "silu": [{}],
    "softplus": [{}, {"beta": 2}, {"beta": 0.5, "threshold": 1}, {"threshold": 0.5}],
    "leaky_relu": [{}, {"negative_slope": 0.2}, {"negative_slope": -0.5}, {"negative_slope": 0}],
    "hardshrink": [{}, {"lambd": 1.5}, {"lambd": 0}],
    "gelu": [{}, {"approximate": "none"}, {"approximate": "tanh"}],
}
for name, all_parameters in PARAMETERS.items():
    full = f"nn.functional.{name}"
    for parameters in all_parameters:
        for dtype in FLOATING:
            sample(full, A((3, 4), dtype, low=-6, high=6), **parameters)
        sample(full, A((2, 3), "float64", "transposed"), **parameters, sets=True)
        wrong = "gelu(inf) is inf; PyTorch's float32 vectors give NaN" if name == "gelu" else None
        sample(full, A((9,), special=True), **parameters, grad=False, differs=wrong)
    for layout in ("transposed", "strided", "expanded"):
        sample(full, A((3, 4), layout=layout))
        sample(full, A((4, 2), "float64", layout))
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(full, A(shape))
    sample(full, V([-100.0, -20.0, 20.0, 100.0], "float64"))
    sample(full, V([-100.0, -20.0, 20.0, 100.0], "float32"))
    sample(full, input=A((3,)))
    error(full, "text")
    error(full, None)
    error(full, A((2,)), A((2,)))
    error(full, A((2,)), no_such=1)
    error(full)
    error(full, [1.0])
error("nn.functional.gelu", A((2,)), approximate="other")
error("nn.functional.leaky_relu", A((2,)), "text")
error("nn.functional.softplus", A((2,)), beta="text")
sample("nn.functional.leaky_relu", A((2, 3)), 0.3)
sample("nn.functional.softplus", A((2, 3)), 2, 1)
sample("nn.functional.relu", A((2, 3)), inplace=True)
sample("nn.functional.silu", A((2, 3)), inplace=True)
sample("nn.functional.leaky_relu", A((2, 3)), 0.1, inplace=True)
for dtype in FLOATING:
    for lambd in (0.3, 0.5, 1, 0, 2.5):
        sample("hardshrink", A((2, 3), dtype), lambd)
        sample("hardshrink", A((2, 3), dtype, "transposed"), lambd=lambd)
error("hardshrink", A((2,)), "text")
error("hardshrink", A((2,)), 0.5, 0.5)
error("hardshrink", A((2,)), no_such=1)
error("hardshrink", A((2,)), A((2,)))
error("hardshrink", A((2,)), None)

for name in ("softmax", "log_softmax"):
    for dtype in FLOATING:
        sample(name, A((3, 4), dtype), 1)
        sample(name, A((3, 4), dtype), dim=-2)
        sample(name, A((2, 3), "float64"), dim=-1, dtype=f"dtype:{dtype}")
    for dtype in ("int32", "bool", "uint8"):
        sample(name, A((2, 3), dtype), 1, dtype="dtype:float32")
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), 1)
        sample(name, A((3, 4), layout=layout), 0)
    sample(name, A((2, 3, 4)), 0)
    sample(name, A((2, 3, 4)), 1)
    sample(name, A((2, 3, 4)), -1)
    sample(name, A(()), 0)
    sample(name, A(()), -1)
    sample(name, A((0, 3)), 1)
    sample(name, A((3, 0)), 1)
    sample(name, A((2, 5), "float64"), -1, sets=True)
    sample(name, A((2, 4), low=-1000, high=1000), 1)
    sample(name, V([[float("-inf"), 0.0, 1.0], [float("-inf"), 5.0, float("-inf")]]), 1)
    sample(name, A((2, 5), special=True), 1, grad=False)
    sample(name, input=A((2, 3)), dim=1)
    sample(f"nn.functional.{name}", A((2, 3)), dim=1)
    sample(f"nn.functional.{name}", A((2, 3)), dim=1, dtype="dtype:float64")
    error(name, A((2, 3)), 2)
    error(name, A((2, 3)), -3)
    error(name, A((2, 3), "int32"), 1)
    error(name, A((2, 3)), "text")
    error(name, "text", 0)
    error(name, A((2, 3)), 1, 2, 3, 4)

#: Activations that are composites: their parameters, and whether PyTorch's have `inplace`.
COMPOSITE = {
    "relu6": ([{}], True), "hardtanh": ([{}, {"min_val": -2.0, "max_val": 0.5}, {"min_val": 1.0, "max_val": 1.0}], True),
    "elu": ([{}, {"alpha": 0.5}, {"alpha": -1.5}], True), "selu": ([{}], True), "celu": ([{}, {"alpha": 0.5}, {"alpha": 2.0}], True),
    "hardsigmoid": ([{}], True), "hardswish": ([{}], True), "mish": ([{}], True), "softsign": ([{}], False),
    "tanhshrink": ([{}], False), "softshrink": ([{}, {"lambd": 1.5}, {"lambd": 0}], False), "logsigmoid": ([{}], False),
    "threshold": ([{"threshold": 0.5, "value": 9.0}, {"threshold": -1, "value": 0}], True),
    "rrelu": ([{}, {"lower": 0.2, "upper": 0.4}, {"training": False}], True),
}  # fmt: skip
for name, (all_parameters, inplace) in COMPOSITE.items():
    full = f"nn.functional.{name}"
    needed = all_parameters[0] if name == "threshold" else {}
    double = {"differs": "PyTorch's gradient has 1/6 rounded to float32"} if name == "hardsigmoid" else {}
    for parameters in all_parameters:
        for dtype in FLOATING:
            sample(full, A((3, 4), dtype, low=-6, high=6), **parameters, **(double if dtype == "float64" else {}))
        sample(full, A((2, 3), "float64", "transposed", low=-5, high=5), **parameters, sets=True, check=name != "threshold", **double)
        sample(full, A((9,), special=True), **parameters, grad=False)
        if inplace:
            sample(full, A((2, 3)), **parameters, inplace=True)
            sample(full, A((2, 3)), **parameters, inplace=False)
    for layout in ("transposed", "strided", "expanded"):
        sample(full, A((3, 4), layout=layout), **needed)
        sample(full, A((4, 2), "float64", layout), **needed, **double)
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(full, A(shape), **needed)
    sample(full, V([-100.0, -20.0, -6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0, 100.0], "float64"), **needed, **double)
    sample(full, V([-100.0, -20.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.5, 1.0, 3.0, 6.0, 20.0, 100.0], "float32"), **needed)
    sample(full, input=A((3,)), **needed)
    positional = tuple(needed.values())
    error(full, "text", *positional)
    error(full, None, *positional)
    error(full, A((2,)), *positional, no_such=1)
    error(full)
    error(full, [1.0], *positional)
    error(full, A((2,)), *positional, 1, 2, 3, 4, 5)
    error(full, A((2,), "bool"), *positional)
for shape in ((1, 1), (2, 1, 3), (37,), (0, 4)):
    sample("nn.functional.logsigmoid", A(shape, "float64", low=-9, high=9))
for name in ("relu6", "hardtanh"):
    for dtype in ("int8", "int16", "int32", "int64"):
        sample(f"nn.functional.{name}", A((2, 3), dtype, low=-9, high=9))
sample("nn.functional.relu6", A((2, 3), "uint8", low=0, high=9))
error("nn.functional.elu", A((2, 3), "uint8"))
for dtype in ("int32", "uint8"):
    sample("nn.functional.threshold", A((2, 3), dtype, low=0), 1, 5)
    sample("nn.functional.softsign", A((2, 3), dtype, low=0))
    sample("nn.functional.tanhshrink", A((2, 3), dtype, low=0))
for name in ("elu", "selu", "celu", "hardsigmoid", "hardswish", "mish", "logsigmoid", "softshrink"):
    error(f"nn.functional.{name}", A((2,), "int64"))
error("nn.functional.hardtanh", A((2,)), 1.0, 0.0)
error("nn.functional.celu", A((2,)), 0.0)
error("nn.functional.softshrink", A((2,)), -1.0)

for name, parameters in (("relu_", ()), ("elu_", (0.5,)), ("selu_", ()), ("celu_", (2.0,)), ("leaky_relu_", (0.3,)),
                         ("hardtanh_", (-2.0, 1.5)), ("threshold_", (0.5, 3.0)), ("rrelu_", (0.1, 0.3))):  # fmt: skip
    full = f"nn.functional.{name}"
    for dtype in FLOATING:
        for shape in ((2, 3), (), (0,), (4, 2)):
            sample(full, A(shape, dtype), *parameters)
    for layout in ("transposed", "strided"):
        sample(full, A((3, 4), layout=layout), *parameters)
        sample(full, A((3, 4), "float64", layout), *parameters)
    error(full)
    error(full, "text", *parameters)
    error(full, None, *parameters)
    error(full, A((2,)), *parameters, no_such=1)
    error(full, A((2,), "bool"), *parameters)
    if name != "hardtanh_":
        for top in ("relu_", "selu_", "celu_", "threshold_", "rrelu_"):
            if name == top:
                for dtype in FLOATING:
                    sample(name, A((3, 3), dtype), *parameters)
for name, parameters in (("selu", ()), ("celu", (2.0,)), ("threshold", (0.5, 3.0)), ("rrelu", (0.1, 0.3))):
    for dtype in FLOATING:
        sample(name, A((3, 3), dtype), *parameters)

for name in ("prelu", "nn.functional.prelu"):
    for dtype in FLOATING:
        sample(name, A((2, 3), dtype), A((3,), dtype, seed=1))
        sample(name, A((2, 3), dtype), A((1,), dtype, seed=1))
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), A((4,), seed=1))
    for shape in ((), (0,), (1,), (5,)):
        sample(name, A(shape), A((1,), seed=1))
    sample(name, A((2, 3)), V(0.25))
    sample(name, A((2, 1)), V([0.5]))
    sample(name, A((0, 3)), A((3,), seed=1))
    sample(name, A((2, 3), "float64", "transposed"), A((3,), "float64", "strided", seed=1))
    sample(name, V([[float("nan"), 0.0, -0.0]]), V([0.5, 0.25, 0.125]), grad=False)
    sample(name, input=A((2, 3)), weight=A((3,), seed=1))
    sample(name, A((2, 3, 4), "float64"), A((3,), "float64", seed=1))
    sample(name, A((2, 3, 2, 2)), A((3,), seed=1))
    sample(name, V([[float("inf"), float("-inf"), 0.0]]), V([0.5, 0.25, 0.125]))
    error(name, A((2, 3)), A((2,)))
    error(name, A((2, 3)), A((3,), "float64"))
    error(name, A((2, 3)), A((1, 3)))
    error(name, A((2, 3)))
    error(name, A((2, 3)), "text")
    error(name, A((2, 3)), 0.5)

for dtype in FLOATING:
    for dim in (0, 1, -1, -2):
        sample("nn.functional.glu", A((4, 6), dtype), dim)
for layout in ("transposed", "strided", "expanded"):
    sample("nn.functional.glu", A((4, 6), layout=layout))
sample("nn.functional.glu", A((2,)))
sample("nn.functional.glu", A((3, 0)))
sample("nn.functional.glu", A((0, 4)))
sample("nn.functional.glu", input=A((2, 3, 4), "float64"), dim=-1)
error("nn.functional.glu", A((3,)))
error("nn.functional.glu", A(()))
error("nn.functional.glu", A((4,)), 1)
error("nn.functional.glu", A((4,)), -2)
error("nn.functional.glu", A((4,)), "text")
error("nn.functional.glu", A((4,), "int32"))
for dtype in FLOATING:
    for dim in (0, 1, -1):
        sample("nn.functional.softmin", A((3, 4), dtype), dim)
    sample("nn.functional.softmin", A((3, 4)), 1, dtype=f"dtype:{dtype}")
for shape in ((0, 3), (2, 3, 4), (1, 1)):
    sample("nn.functional.softmin", A(shape), 1)
for layout in ("transposed", "strided", "expanded"):
    sample("nn.functional.softmin", A((3, 4), layout=layout), dim=0)
error("nn.functional.softmin", A((2, 3)), 2)
error("nn.functional.softmin", A((2, 3)), -3)
error("nn.functional.softmin", A((2, 3)), "text")
error("nn.functional.softmin", "text", 0)
error("nn.functional.softmin", A((2, 3)), 0, no_such=1)
