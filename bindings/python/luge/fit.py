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
from ._fit_result import FitError, FitResult

__all__ = ["FitError", "FitResult", "Model", "curve_fit", "model"]

#: Numbers for each parameter: in order, or by name.
ByParameter = Union[Sequence[float], Tensor, Mapping[str, Any], Any]

# Types are known by where users find them.
for _type in (FitError, FitResult, Model):
    _type.__module__ = "luge.fit"


def _by_name(model: Model, argument: str, given: Mapping[str, Any], default: Any) -> list[Any]:
    for name in given:
        if name not in model.parameters:
            raise ValueError(f"curve_fit: {argument} names {name!r}; the parameters are {', '.join(model.parameters)}")
    missing = [name for name in model.parameters if name not in given]
    if missing and default is None:
        raise ValueError(f"curve_fit: {argument} says nothing of {missing[0]}")
    return [given.get(name, default) for name in model.parameters]


def _columns(values: list[Any]) -> Tensor:
    """(parameters) or (sets, parameters) of what each parameter has: numbers or one number for each set."""
    columns = [as_tensor("curve_fit", "a parameter", value) for value in values]
    if all(column.ndim == 0 for column in columns):
        return _C.stack(columns)
    sets = max(column.numel() for column in columns)
    return _C.stack([column.to(_C.float64).expand(sets) for column in columns], 1)


def _numbers(model: Model, argument: str, given: ByParameter) -> Tensor:
    if isinstance(given, Mapping):
        return _columns(_by_name(model, argument, given, None))
    return as_tensor("curve_fit", argument, given)


def _bounds(model: Model, given: Any) -> tuple[Tensor | None, Tensor | None]:
    """SciPy's (lower, upper), each a number or one for each parameter; or {name: (lower, upper)}."""
    if given is None:
        return None, None
    infinity = float("inf")
    if isinstance(given, Mapping):
        pairs = _by_name(model, "bounds", given, (-infinity, infinity))
        for name, pair in zip(model.parameters, pairs):
            if not hasattr(pair, "__len__") or len(pair) != 2:
                raise ValueError(f"curve_fit: the bounds of {name} are {pair!r}; they must be (lower, upper)")
        low, high = ([none if pair[i] is None else pair[i] for pair in pairs] for i, none in ((0, -infinity), (1, infinity)))
        return _columns(low), _columns(high)
    if hasattr(given, "lb") and hasattr(given, "ub"):  # scipy.optimize.Bounds
        given = (given.lb, given.ub)
    elif hasattr(given, "shape") and len(given.shape) == 2 and given.shape[0] == 2:
        given = (given[0], given[1])
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ValueError("curve_fit: bounds must be (lower, upper), or a dict of names and such pairs")
    result = []
    for name, side in zip(("lower bounds", "upper bounds"), given):
        bound = as_tensor("curve_fit", name, side)
        result.append(bound.expand(len(model.parameters)) if bound.ndim == 0 else bound)
    return result[0], result[1]


def _fixed(model: Model, given: Any) -> Tensor | None:
    """Names, or bools for each parameter."""
    if given is None:
        return None
    if isinstance(given, str):
        given = [given]
    if isinstance(given, (list, tuple, set, frozenset)) and all(isinstance(name, str) for name in given):
        held = _by_name(model, "fixed", dict.fromkeys(given, True), False)
        return _C.tensor(held)
    return as_tensor("curve_fit", "fixed", given, boolean=True)


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

    Gradients do not flow through a fit. A set that cannot be fitted says so in its status; raise_for_status() makes that an error. float32 where x and y are, else float64.

    >>> x = luge.linspace(0, 5, 40, dtype=luge.float64)
    >>> y = luge.stack([2 * luge.exp(-x / 1.5) + 0.5, luge.exp(-x / 0.5) + 0.1])
    >>> result = luge.fit.curve_fit("a * exp(-x / t) + c", x, y, p0=(1, 1, 1))
    >>> [round(t, 6) for t in result["t"].tolist()]
    [1.5, 0.5]
    """
    if isinstance(model, (str, list, tuple)) or (callable(model) and not isinstance(model, (Model, type))):
        model = _fit_model.model(model)
    if not isinstance(model, Model):
        raise TypeError(f"curve_fit: model is of type {type(model).__name__}; it must be a luge.model, a formula or a function")
    observed = as_tensor("curve_fit", "y", y)
    predictors = None if x is None else as_tensor("curve_fit", "x", x)
    device = observed.device
    lower, upper = _bounds(model, bounds)
    start = _numbers(model, "p0", p0) if p0 is not None else _start(model, lower, upper)
    deviations = None if sigma is None else as_tensor("curve_fit", "sigma", sigma)
    given = None if mask is None else as_tensor("curve_fit", "mask", mask, boolean=True)

    def here(tensor: Tensor | None, original: Any) -> Tensor | None:
        """What was no tensor goes to where y is."""
        return tensor if tensor is None or isinstance(original, Tensor) else tensor.to(device)

    found = _C._fit._curve_fit(
        model._compiled, here(predictors, x), observed, cast(Tensor, here(start, p0)), here(deviations, sigma), here(given, mask),
        here(lower, None), here(upper, None), here(_fixed(model, fixed), fixed), loss, f_scale, method, max_steps, ftol, xtol,
        gtol, absolute_sigma,
    )  # fmt: skip
    return FitResult(model, predictors, observed, deviations, given, found)


def _start(model: Model, lower: Tensor | None, upper: Tensor | None) -> Tensor:
    """1 for every parameter, or what is nearest to it within the bounds."""
    start = _C.ones(len(model.parameters), dtype=_C.float64)
    if lower is None or upper is None:
        return start
    return start.maximum(lower.to(_C.float64)).minimum(upper.to(_C.float64))
