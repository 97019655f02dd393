"""Activations."""

from agreement import FLOATING, A, V, error, sample

for name in ("relu", "sigmoid", "tanh"):
    sample(f"nn.functional.{name}", A((2, 3), "float64"))
    sample(f"nn.functional.{name}", A((7,), special=True), grad=False)
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
