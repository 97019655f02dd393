"""Special functions."""

from agreement import A, V, error, sample  # noqa: F401

FLOATS = ("float16", "bfloat16", "float32", "float64")
INF, NAN = float("inf"), float("nan")
#: By name: what their arguments are drawn from.
ONE = {"sinc": (-4, 4), "logit": (0.05, 0.95), "special.entr": (0.1, 3), "special.ndtr": (-4, 4), "special.log_ndtr": (-4, 4),
       "special.logit": (0.05, 0.95), "special.sinc": (-4, 4), "special.expit": (-4, 4), "special.gammaln": (0.5, 4),
       "special.psi": (0.5, 4), "special.digamma": (0.5, 4), "special.erf": (-3, 3), "special.expm1": (-3, 3), "special.log1p": (-0.5, 3),
       "special.erfc": (-3, 3), "special.erfinv": (-0.9, 0.9), "special.exp2": (-3, 3), "special.round": (-9, 9)}  # fmt: skip
for name, (low, high) in ONE.items():
    rough = {"tol": 1e7} if name in ("special.psi", "special.digamma") else {}  # PyTorch's trigamma has ten digits
    for dtype in FLOATS if name != "special.log_ndtr" else ("float32", "float64"):
        sample(name, A((3, 4), dtype, low=low, high=high), check=name != "special.round", **(rough if dtype == "float64" else {}))
    for dtype in ("bool", "int32", "int64", "uint8") if name != "special.round" else ():
        sample(name, V([[0, 1], [1, 0]], dtype), grad=False)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout, low=low, high=high))
        sample(name, A((3, 4), "float64", layout, low=low, high=high), sets=True, check=name != "special.round", **rough)
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(name, A(shape, low=low, high=high))
    for dtype in ("float32", "float64"):
        sample(name, A((9,), dtype, special=True), grad=False)
        sample(name, V([-40.0, -10.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, 10.0, 40.0], dtype), grad=False, tol=64)
    sample(name, input=A((3,), low=low, high=high))
    error(name)
    error(name, "text")
    error(name, None)
    error(name, A((2,)), no_such=1)
    error(name, A((2,)), 1, 2, 3, 4)
    error(name, [1.0])
for name in ("logit", "special.logit"):
    for eps in (0.1, 1e-3):
        sample(name, A((3, 4), low=0.0, high=1.0), eps)
        sample(name, A((3, 4), "float64", low=0.05, high=0.95), eps=eps)
        sample(name, V([-1.0, 0.0, 0.5, 1.0, 2.0, NAN]), eps=eps)
    sample(name, A((2,), low=0.1, high=0.9), eps=None)
    error(name, A((2,)), "text")
    error(name, A((2,)), [0.1])
    error(name, A((2,)), eps=A((2,)))
    error(name, A((2,)), 0.1, 0.2)
for dtype in FLOATS:
    sample("special.xlog1py", A((2, 3), dtype), A((3,), dtype, low=0, seed=1))
    sample("special.xlog1py", A((2, 3), dtype), 1.5)
    sample("special.xlog1py", 2.0, A((2, 3), dtype, low=0))
for dtype in ("int32", "bool", "uint8"):
    sample("special.xlog1py", A((3,), dtype, low=0), A((3,), dtype, low=0, seed=1))
for layout in ("transposed", "strided", "expanded"):
    sample("special.xlog1py", A((3, 4), layout=layout), A((4,), low=0, seed=1))
for shape in ((), (0,), (1,)):
    sample("special.xlog1py", A(shape), A(shape, low=0, seed=1))
sample("special.xlog1py", V([0.0, 0.0, 0.0, 0.0, 1.0, NAN, 0.0]), V([-1.0, -2.0, INF, NAN, -1.0, 0.0, 5.0]), grad=False)
sample("special.xlog1py", V([0.0, 1.0, 2.0]), V([5.0, 0.0, -0.5]))
sample("special.xlog1py", input=A((2,)), other=A((2,), low=0))
error("special.xlog1py", A((2,)), A((3,)))
error("special.xlog1py", A((2,)))
error("special.xlog1py", A((2,)), "text")
error("special.xlog1py", A((2,)), None)
error("special.xlog1py", A((2,)), A((2,)), no_such=1)
for name in ("mvlgamma", "special.multigammaln"):
    for dtype in ("float32", "float64"):
        for p in (1, 2, 3):
            sample(name, A((3, 4), dtype, low=2, high=6), p)
            sample(name, A((3, 4), dtype, "transposed", low=2, high=6), p=p)
    sample(name, A((2,), "int32", low=3, high=6), 2, grad=False)
    for shape in ((), (0,), (1,)):
        sample(name, A(shape, low=2, high=6), 2)
    for layout in ("strided", "expanded"):
        sample(name, A((3, 4), layout=layout, low=2, high=6), 2)
        sample(name, A((3, 4), "float64", layout, low=2, high=6), 2)
    error(name, A((2,)), 0)
    error(name, A((2,)), -1)
    error(name, A((2,)))
    error(name, A((2,)), "text")
    error(name, A((2,)), 1.5)
    error(name, "text", 1)
