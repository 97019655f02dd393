"""Curve fits of many sets at once.

    model = luge.model("a * exp(-x / t) + c")
    result = luge.fit.curve_fit(model, x, y, p0=(1, 1, 1))     # y: (sets, points)
    result.parameters, result.standard_errors, result.status

One set is the ordinary case: `popt, pcov = luge.fit.curve_fit(model, x, y, p0)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union, cast

from . import _C, _fit_model
from ._C import Tensor
from ._fit_model import Model, as_tensor, model
from ._fit_plan import FitPlan, FitReceipt
from ._fit_result import FitError, FitResult
from ._numbers import whole as _whole

__all__ = ["FitError", "FitPlan", "FitReceipt", "FitResult", "Model", "curve_fit", "model", "plan"]

#: Numbers for each parameter: in order, or by name.
ByParameter = Union[Sequence[float], Tensor, Mapping[str, Any], Any]

# Types are known by where users find them.
for _type in (FitError, FitPlan, FitReceipt, FitResult, Model):
    _type.__module__ = "luge.fit"


def _by_name(op: str, model: Model, argument: str, given: Mapping[str, Any], default: Any) -> list[Any]:
    for name in given:
        if name not in model.parameters:
            raise ValueError(f"{op}: {argument} names {name!r}; the parameters are {', '.join(model.parameters)}")
    missing = [name for name in model.parameters if name not in given]
    if missing and default is None:
        raise ValueError(f"{op}: {argument} says nothing of {missing[0]}")
    return [given.get(name, default) for name in model.parameters]


def _columns(op: str, values: list[Any]) -> Tensor:
    """(parameters) or (sets, parameters) of what each parameter has: numbers or one number for each set."""
    columns = [as_tensor(op, "a parameter", value) for value in values]
    if all(column.ndim == 0 for column in columns):
        return _C.stack(columns)
    sets = max(column.numel() for column in columns)
    return _C.stack([column.to(_C.float64).expand(sets) for column in columns], 1)


def _numbers(op: str, model: Model, argument: str, given: ByParameter) -> Tensor:
    if isinstance(given, Mapping):
        return _columns(op, _by_name(op, model, argument, given, None))
    return as_tensor(op, argument, given)


def _bounds(op: str, model: Model, given: Any) -> tuple[Tensor | None, Tensor | None]:
    """SciPy's (lower, upper), each a number or one for each parameter; or {name: (lower, upper)}."""
    if given is None:
        return None, None
    infinity = float("inf")
    if isinstance(given, Mapping):
        pairs = _by_name(op, model, "bounds", given, (-infinity, infinity))
        for name, pair in zip(model.parameters, pairs):
            if not hasattr(pair, "__len__") or len(pair) != 2:
                raise ValueError(f"{op}: the bounds of {name} are {pair!r}; they must be (lower, upper)")
        low, high = ([none if pair[i] is None else pair[i] for pair in pairs] for i, none in ((0, -infinity), (1, infinity)))
        return _columns(op, low), _columns(op, high)
    if hasattr(given, "lb") and hasattr(given, "ub"):  # scipy.optimize.Bounds
        given = (given.lb, given.ub)
    elif hasattr(given, "shape") and len(given.shape) == 2 and given.shape[0] == 2:
        given = (given[0], given[1])
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ValueError(f"{op}: bounds must be (lower, upper), or a dict of names and such pairs")
    result = []
    for name, side in zip(("lower bounds", "upper bounds"), given):
        bound = as_tensor(op, name, side)
        result.append(bound.expand(len(model.parameters)) if bound.ndim == 0 else bound)
    return result[0], result[1]


def _fixed(op: str, model: Model, given: Any) -> Tensor | None:
    """Names, or bools for each parameter."""
    if given is None:
        return None
    if isinstance(given, str):
        given = [given]
    if isinstance(given, (list, tuple, set, frozenset)) and all(isinstance(name, str) for name in given):
        held = _by_name(op, model, "fixed", dict.fromkeys(given, True), False)
        return _C.tensor(held)
    return as_tensor(op, "fixed", given, boolean=True)


def _start(model: Model, lower: Tensor | None, upper: Tensor | None) -> Tensor:
    """1 for every parameter, or what is nearest to it within the bounds."""
    start = _C.ones(len(model.parameters), dtype=_C.float64)
    if lower is None or upper is None:
        return start
    return start.maximum(lower.to(_C.float64)).minimum(upper.to(_C.float64))


class _Problem:
    """The arguments of a fit or a plan, as tensors on the device of y."""

    def __init__(
        self, op: str, given: Any, x: Any, y: Any, p0: ByParameter, sigma: Any, mask: Any, bounds: Any, fixed: Any, settings: dict[str, Any]
    ) -> None:
        if isinstance(given, (str, list, tuple)) or (callable(given) and not isinstance(given, (Model, type))):
            given = _fit_model.model(given)
        if not isinstance(given, Model):
            raise TypeError(f"{op}: model is of type {type(given).__name__}; it must be a luge.model, a formula or a function")
        self.model = given
        self.y = as_tensor(op, "y", y)

        def here(tensor: Tensor | None, original: Any) -> Tensor | None:
            """What was no tensor goes to where y is."""
            return tensor if tensor is None or isinstance(original, Tensor) else tensor.to(self.y.device)

        self.x = None if x is None else as_tensor(op, "x", x)
        self.sigma = None if sigma is None else as_tensor(op, "sigma", sigma)
        self.mask = None if mask is None else as_tensor(op, "mask", mask, boolean=True)
        lower, upper = _bounds(op, given, bounds)
        start = _numbers(op, given, "p0", p0) if p0 is not None else _start(given, lower, upper)
        steps = settings.pop("max_steps")
        self.options: dict[str, Any] = {
            "sigma": here(self.sigma, sigma),
            "mask": here(self.mask, mask),
            "lower": here(lower, None),
            "upper": here(upper, None),
            "fixed": here(_fixed(op, given, fixed), fixed),
            "starts": _whole(op, "starts", settings.pop("starts"), 1),
            "seed": _whole(op, "seed", settings.pop("seed"), 0, 2**64 - 1),
            "chunk": _whole(op, "chunk", settings.pop("chunk"), 0),
            "max_steps": None if steps is None else _whole(op, "max_steps", steps, 1),
            **settings,
        }
        for name in ("loss", "method"):
            if not isinstance(self.options[name], str):
                raise TypeError(f"{op}: {name} is of type {type(self.options[name]).__name__}; it must be a str")
        for name in ("f_scale", "ftol", "xtol", "gtol"):
            if not isinstance(self.options[name], (int, float)) and not hasattr(self.options[name], "__float__"):
                raise TypeError(f"{op}: {name} is of type {type(self.options[name]).__name__}; it must be a number")
            self.options[name] = float(self.options[name])
        self.placed = (given._compiled, here(self.x, x), self.y, cast(Tensor, here(start, p0)))


def curve_fit(
    model: Model | str | Callable[..., Any],
    x: Any,
    y: Any,
    p0: ByParameter = None,
    *,
    sigma: Any = None,
    mask: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    loss: str = "linear",
    f_scale: float = 1.0,
    method: str = "lm",
    max_steps: int | None = None,
    ftol: float = 3e-8,
    xtol: float = 1e-12,
    gtol: float = 1e-14,
    absolute_sigma: bool = False,
    starts: int = 1,
    seed: int = 0,
    chunk: int = 0,
    progress: Callable[[int, int], Any] | bool | None = None,
) -> FitResult:
    """Nonlinear least squares of many sets at once: for each set the parameters that make the sum of loss(((model - y) / sigma)^2) smallest.

    Arguments:
        model: a luge.model, a formula, or a function f(x, a, b, ...) of tensors.
        x: the predictor, (points) or (sets, points); of several (predictors, points) or (predictors, sets, points); None of none.
        y: (points) or (sets, points); of several outputs (outputs, points) or (sets, outputs, points).
        p0: where to start: (parameters), (sets, parameters), or {name: number or (sets)}. None: 1, moved into the bounds.
            x, y and p0 say how many sets there are.
        sigma: standard deviations of y, broadcast to it; infinite: not observed. No covariance matrix of y.
        mask: bool, broadcast to y: False where nothing was observed (ragged data), whatever x and y hold there.
        bounds: (lower, upper) as in SciPy, or {name: (lower, upper)} with None for none.
        fixed: names of parameters that stay at p0, or bools.
        loss, f_scale: "linear", "soft_l1", "huber", "cauchy", "tukey" with residuals larger than f_scale as outliers; "poisson": counts.
        method: "lm", the best for smooth models; "lbfgs", "nelder-mead", "adam".
        max_steps: most evaluations; None: 2,000, by "nelder-mead" and "adam" 20,000.
        ftol, xtol, gtol: converged where the step that is left is less than ftol of the standard errors
            or xtol of the parameters, or the greatest cosine between residuals and a column of the Jacobian is less than gtol.
        absolute_sigma: as in SciPy: sigma are the true deviations, and the covariance is not scaled by reduced chi2. Robust losses and
            counts have no such scale.

        starts, seed: searches for each set, of which the least minimum counts: from p0, and from starts - 1 places between the bounds,
            which must be finite, unless a parameter is fixed. Bounds of one sign, a factor of 100 or more apart, are drawn between by
            magnitude. The places depend on seed and bounds alone: a set has the same ones in every batch.
        chunk: sets at a time, with the same bits whatever it is; 0: what fits into half of the free memory.
        progress: called as progress(sets done, sets) several times a second, unless single fits take longer; True: a line on the
            terminal. Ctrl-C ends a fit as often.

    Gradients do not flow through a fit. A set that cannot be fitted says so in its status; raise_for_status() makes that an error. float32 where x and y are, else float64.

    >>> x = luge.linspace(0, 5, 40, dtype=luge.float64)
    >>> y = luge.stack([2 * luge.exp(-x / 1.5) + 0.5, luge.exp(-x / 0.5) + 0.1])
    >>> result = luge.fit.curve_fit("a * exp(-x / t) + c", x, y, p0=(1, 1, 1))
    >>> [round(t, 6) for t in result["t"].tolist()]
    [1.5, 0.5]
    """
    settings = {
        "loss": loss, "f_scale": f_scale, "method": method, "max_steps": max_steps, "ftol": ftol, "xtol": xtol, "gtol": gtol,
        "absolute_sigma": bool(absolute_sigma), "starts": starts, "seed": seed, "chunk": chunk,
    }  # fmt: skip
    problem = _Problem("curve_fit", model, x, y, p0, sigma, mask, bounds, fixed, settings)
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"curve_fit: progress is of type {type(progress).__name__}; it must be a function of two numbers, or True")
    found = cast("dict[str, Any]", _C._fit._curve_fit(*problem.placed, problem.options, progress))
    return FitResult(problem.model, problem.x, problem.y, problem.sigma, problem.mask, found)


def plan(
    model: Model | str | Callable[..., Any],
    x: Any,
    y: Any,
    p0: ByParameter = None,
    *,
    sigma: Any = None,
    mask: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    loss: str = "linear",
    starts: int = 1,
    chunk: int = 0,
    memory: int = 0,
) -> FitPlan:
    """What curve_fit would take with these arguments, without fitting: bytes, calls, and how many sets at a time.

    memory: bytes that it may take, which the chunk is chosen for unless `chunk` says it. 0: half of what is free, on a CPU of
    luge.memory_limit(), on a GPU of its memory.

    >>> y = luge.zeros(1000, 50, dtype=luge.float64)
    >>> plan = luge.fit.plan("a * exp(-x / t) + c", luge.linspace(0, 5, 50, dtype=luge.float64), y, memory=500_000)
    >>> plan.sets, plan.chunk < 1000, plan.bytes <= 500_000
    (1000, True, True)
    """
    settings = {
        "loss": loss, "f_scale": 1.0, "method": "lm", "max_steps": 1, "ftol": 0.0, "xtol": 0.0, "gtol": 0.0,
        "absolute_sigma": False, "starts": starts, "seed": 0, "chunk": chunk,
    }  # fmt: skip
    problem = _Problem("plan", model, x, y, p0, sigma, mask, bounds, fixed, settings)
    return FitPlan(**_C._fit._plan(*problem.placed, problem.options, _whole("plan", "memory", memory, 0)))
