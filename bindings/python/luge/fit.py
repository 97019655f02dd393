"""Curve fits of many sets at once.

    model = luge.model("a * exp(-x / t) + c")
    result = luge.fit.curve_fit(model, x, y, p0=(1, 1, 1))     # y: (sets, points)
    result.parameters, result.standard_errors, result.status

One set is the ordinary case: `popt, pcov = luge.fit.curve_fit(model, x, y, p0)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Union, cast

from . import _C
from ._C import Tensor

__all__ = ["FitError", "FitResult", "Model", "curve_fit", "model"]

#: Numbers for each parameter: in order, or by name.
ByParameter = Union[Sequence[float], Tensor, Mapping[str, Any], Any]


class FitError(RuntimeError):
    """Fits that did not end at a minimum: FitResult.raise_for_status."""


class Model:
    """What is fitted: one or more functions of predictors and parameters, with their derivatives.

    >>> model = luge.model("a * exp(-x / t) + c")
    >>> model.parameters
    ('a', 't', 'c')
    >>> model(luge.tensor([0.0, 1.0]), a=2, t=1, c=0.5).shape
    (2,)
    """

    def __init__(self, compiled: _C._fit._Model) -> None:
        self._compiled = compiled

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of what is fitted, in order."""
        return self._compiled.parameters

    @property
    def predictors(self) -> tuple[str, ...]:
        """Names of what is given beside the parameters, in order."""
        return self._compiled.predictors

    @property
    def outputs(self) -> int:
        """How many functions it is."""
        return self._compiled.outputs

    @property
    def formulas(self) -> tuple[str, ...]:
        """As they were given; empty for a function."""
        return self._compiled.formulas

    def __call__(self, /, *x: Any, _output: int = 0, **parameters: Any) -> Tensor:
        """Values of the model: predictors in order, parameters by name; tensors and numbers broadcast, gradients are recorded.

        Integers count as float64. `_output` is the number of the function, where the model is several.
        """
        for name in parameters:
            if name not in self.parameters:
                raise TypeError(f"model: {name} is no parameter; those are {', '.join(self.parameters)}")
        missing = [name for name in self.parameters if name not in parameters]
        if missing:
            raise TypeError(f"model: the parameter {missing[0]} is missing")
        if len(x) != len(self.predictors):
            raise TypeError(f"model: {len(x)} predictors are given; the model has {len(self.predictors)} ({', '.join(self.predictors)})")
        xs = [_floating(_tensor("model", name, value)) for name, value in zip(self.predictors, x)]
        given = [_floating(_tensor("model", name, parameters[name])) for name in self.parameters]
        values: Tensor = self._compiled._evaluate(xs, given, _output)
        return values

    def __repr__(self) -> str:
        what = "; ".join(self.formulas) or "a function"
        return f"Model({what!r}, parameters={self.parameters}, predictors={self.predictors})"

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Any, ...]]:
        if not self.formulas:
            raise TypeError("model: a model of a function cannot be pickled; one of a formula can")
        return _rebuilt, (self.formulas, self.predictors, self.parameters)


def _rebuilt(formulas: tuple[str, ...], predictors: tuple[str, ...], parameters: tuple[str, ...]) -> Model:
    return Model(_C._fit._of_formulas(list(formulas), list(predictors), list(parameters)))


def model(
    formula: str | Sequence[str] | Callable[..., Any],
    *,
    predictors: str | Sequence[str] = ("x",),
    parameters: Sequence[str] | None = None,
) -> Model:
    """A model of a formula, of several (one for each output), or of a function f(x, a, b, ...) of tensors.

    A formula is written as in Python: + - * / **, comparisons, and, or, not, pi, the functions of one number that luge has, tan,
    sinh, cosh, log10, log2, maximum, minimum, pow, lerp, clamp, where(condition, a, b). What it names and `predictors` does not
    is a parameter, in the order of mention unless `parameters` says another. A function is called once, to see what it does;
    its first arguments are the predictors, the names of the others are those of the parameters.

    Raises ValueError that shows the place of a mistake in a formula.

    >>> luge.model("where(x < x0, a, a + b * (x - x0))").parameters
    ('x0', 'a', 'b')
    >>> luge.model(lambda x, a, t: a * luge.exp(-x / t)).parameters
    ('a', 't')
    """
    if isinstance(formula, Model):
        raise TypeError("model: formula is a luge.fit.Model already")
    for argument, given in (("predictors", predictors), ("parameters", parameters)):
        if given is not None and (not hasattr(given, "__iter__") or not all(isinstance(name, str) for name in given)):
            raise TypeError(f"model: {argument} is {given!r}; it must be names")
    names = [predictors] if isinstance(predictors, str) else list(predictors)
    if callable(formula):
        if parameters is None:
            parameters = _arguments(formula, len(names))
        try:
            return Model(_C._fit._of_function(formula, names, list(parameters)))
        except ValueError as error:
            # It comes through the operation that the function called, which has put its own name in front.
            called, colon, what = str(error).partition(": ")
            if colon and called.isidentifier() and called != "model":
                raise type(error)(f"model: {what}") from None
            raise
    if isinstance(formula, str):
        formula = [formula]
    elif not isinstance(formula, Sequence) or not all(isinstance(part, str) for part in formula):
        raise TypeError(f"model: formula is of type {type(formula).__name__}; it must be a str, a list of them, or a function")
    return Model(_C._fit._of_formulas(list(formula), names, list(parameters or ())))


def _arguments(function: Callable[..., Any], predictors: int) -> list[str]:
    """Names of a function's arguments behind the predictors."""
    found = []
    for name, argument in inspect.signature(function).parameters.items():
        if argument.kind not in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD):
            raise ValueError(f"model: the function takes {argument}; name the parameters by parameters=[...]")
        found.append(name)
    if len(found) <= predictors:
        raise ValueError(f"model: the function takes {len(found)} arguments; it must take {predictors} predictors and the parameters")
    return found[predictors:]


def _tensor(op: str, argument: str, value: Any, boolean: bool = False) -> Tensor:
    """What is given as a tensor: float32 and float64 as they are, other numbers in float64; a copy of an array."""
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array_interface__"):
        return _C.as_tensor(value)  # of a library of its own, maybe of a GPU
    try:
        import numpy
    except ImportError:
        return _C.tensor(value, dtype=_C.bool_ if boolean else _C.float64)
    if isinstance(value, numpy.ma.MaskedArray) and numpy.any(value.mask):
        raise ValueError(f"{op}: {argument} is a masked array; give its mask by mask=~numpy.ma.getmaskarray(y), and its data")
    try:
        array = numpy.asarray(value)
        if boolean and array.dtype.kind != "b":
            raise TypeError(f"{op}: {argument} holds {array.dtype}; it must hold bools")
        if not boolean and array.dtype not in (numpy.float32, numpy.float64):
            array = array.astype(numpy.float64)
        elif not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
    except (ValueError, TypeError) as error:
        if str(error).startswith(f"{op}: "):
            raise
        raise TypeError(f"{op}: {argument} is of type {type(value).__name__}; it must be numbers of one shape ({error})") from None
    return _C.tensor(numpy.ascontiguousarray(array).reshape(array.shape))


def _numbers_of(tensor: Tensor) -> list[Any]:
    """Its numbers, row by row."""
    return cast("list[Any]", tensor.tolist())


def _floating(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_floating_point() else tensor.to(_C.float64)


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
    columns = [_tensor("curve_fit", "a parameter", value) for value in values]
    if all(column.ndim == 0 for column in columns):
        return _C.stack(columns)
    sets = max(column.numel() for column in columns)
    return _C.stack([column.to(_C.float64).expand(sets) for column in columns], 1)


def _numbers(model: Model, argument: str, given: ByParameter) -> Tensor:
    if isinstance(given, Mapping):
        return _columns(_by_name(model, argument, given, None))
    return _tensor("curve_fit", argument, given)


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
        bound = _tensor("curve_fit", name, side)
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
    return _tensor("curve_fit", "fixed", given, boolean=True)


class FitResult:
    """What fits have found; without sets (one fit) there is no first dimension. It unpacks as SciPy's: popt, pcov = result.

    The attributes are tensors:
        parameters       (sets, parameters), float64
        covariance       (sets, parameters, parameters): NaN for a parameter at a bound, infinite for one that the observations
                         do not determine, or for all where there are no more observations than parameters
        standard_errors  (sets, parameters)
        status           (sets), int32: 1, 2, 3 converged (gradient, cost, parameters), 5 as far as rounding lets it be seen,
                         0 most steps taken, -1 stalled, -2 not finite at the start, -3 singular, -4 bad data,
                         -5 too ill-conditioned for float64
        steps            (sets), int32: evaluations of the model
        cost, chi2       (sets): half of the sum of losses; the sum of squares of weighted residuals
        reduced_chi2, r2, aic, condition, optimality, observations  (sets)
        active           (sets, parameters), int32: -1 at the lower bound, 1 at the upper
    """

    parameters: Tensor
    covariance: Tensor
    standard_errors: Tensor
    status: Tensor
    steps: Tensor
    cost: Tensor
    optimality: Tensor
    chi2: Tensor
    reduced_chi2: Tensor
    r2: Tensor
    aic: Tensor
    condition: Tensor
    active: Tensor
    observations: Tensor

    def __init__(
        self, model: Model, x: Tensor | None, y: Tensor, sigma: Tensor | None, mask: Tensor | None, found: dict[str, Tensor]
    ) -> None:
        self.model = model
        self._x, self._y, self._sigma, self._mask = x, y, sigma, mask
        self.__dict__.update(found)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.model.parameters

    @property
    def has_sets(self) -> bool:
        """Whether it is of many fits: the first dimension of everything."""
        return self.status.ndim == 1

    @property
    def converged(self) -> Tensor:
        """bool: whether a fit has ended at a minimum by its tolerances."""
        return (self.status >= 1).logical_and(self.status <= 3)

    @property
    def success(self) -> Tensor:
        """bool: converged, or as near to a minimum as rounding lets it be seen."""
        return self.status >= 1

    @property
    def message(self) -> str:
        """What the status of one fit says."""
        if self.has_sets:
            raise ValueError("FitResult.message: there are many fits; messages(set) is of one, summary() of all")
        return self.messages()

    def messages(self, index: int | None = None) -> str:
        """What the status of a set says; of one fit without an index."""
        if self.has_sets == (index is None):
            raise ValueError(f"FitResult.messages: index is {index}; {'there are many fits' if self.has_sets else 'there is one fit'}")
        if index is not None and not -len(self.status) <= index < len(self.status):
            raise IndexError(f"FitResult.messages: index is {index}; there are {len(self.status)} sets")
        return _C._fit._text_of(int(self._row(self.status, index)))

    def _row(self, tensor: Tensor, index: int | None) -> Any:
        return (tensor if index is None else tensor[index]).tolist()

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.parameters, self.covariance))

    def __getitem__(self, name: str) -> Tensor:
        """A parameter by its name: (sets), or one number."""
        if name not in self.names:
            raise KeyError(f"{name!r} is no parameter; those are {', '.join(self.names)}")
        return self.parameters[..., self.names.index(name)]

    def raise_for_status(self) -> FitResult:
        """Raises FitError that names the fits that did not succeed; else returns the result."""
        status = self._list(self.status)
        failed = [i for i, code in enumerate(status) if code < 1]
        if not failed:
            return self
        what = f"{len(failed)} of {len(status)} fits failed: " if self.has_sets else ""
        shown = [f"set {i}: {_C._fit._text_of(status[i])}" if self.has_sets else _C._fit._text_of(status[i]) for i in failed[:5]]
        raise FitError("curve_fit: " + what + "; ".join(shown) + ("; ..." if len(failed) > 5 else ""))

    def _list(self, tensor: Tensor) -> list[Any]:
        return _numbers_of(tensor) if self.has_sets else [tensor.tolist()]

    def summary(self) -> str:
        """A table: of one fit each parameter with its standard error; of many how they ended and where parameters lie."""
        if not self.has_sets:
            values, errors, active = (_numbers_of(tensor) for tensor in (self.parameters, self.standard_errors, self.active))
            place = {-1: "  at its lower bound", 1: "  at its upper bound", 0: ""}
            width = max(len(name) for name in self.names)
            lines = [f"{name:<{width}}  {value:>14.7g} +- {error:<11.4g}{place[at]}" for name, value, error, at in zip(self.names, values, errors, active)]
            lines.append(f"{self.message}, {int(self.steps.item())} steps")
            lines.append(f"chi2 {self.chi2.item():.6g}, reduced {self.reduced_chi2.item():.6g}, R2 {self.r2.item():.6g}, "
                         f"{int(self.observations.item())} observations")
            return "\n".join(lines)
        status = _numbers_of(self.status)
        lines = [f"{len(status)} fits of {len(self.names)} parameters"]
        for code in sorted(set(status), reverse=True):
            count = status.count(code)
            lines.append(f"  {count:>{len(str(len(status)))}}  {_C._fit._text_of(code)}")
        good = [i for i, code in enumerate(status) if code >= 1]
        if good:
            lines.append(f"of the {len(good)} that succeeded (5 %, median, 95 %):")
            width = max(len(name) for name in self.names)
            for name in self.names:
                column = _numbers_of(self[name])
                values = sorted(column[i] for i in good)
                low, middle, high = (values[round(share * (len(values) - 1))] for share in (0.05, 0.5, 0.95))
                lines.append(f"  {name:<{width}}  {low:>12.5g}  {middle:>12.5g}  {high:>12.5g}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<FitResult\n{self.summary()}\n>"

    def predict(self, x: Any = None) -> Tensor:
        """The model at the parameters found: (sets, points), of several outputs (sets, outputs, points). `x` as curve_fit takes it; None: that of the fit."""
        given = self._x if x is None else _tensor("FitResult.predict", "x", x)
        several = len(self.model.predictors) > 1
        xs = [] if given is None else [given[k] for k in range(len(self.model.predictors))] if several else [given]
        columns = [self.parameters[..., p].unsqueeze(-1) for p in range(len(self.names))]
        if not xs:
            columns[0] = columns[0].expand((*columns[0].shape[:-1], self._y.shape[-1]))
        for column in xs:
            if self.has_sets and column.ndim == 2 and column.shape[0] not in (1, len(self.status)):
                raise ValueError(f"FitResult.predict: x has {column.shape[0]} sets; there are {len(self.status)}")
        outputs = [self.model._compiled._evaluate([column.to(_C.float64) for column in xs], columns, o) for o in range(self.model.outputs)]
        return outputs[0] if len(outputs) == 1 else _C.stack(outputs, -2)

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each set: parameters, their standard errors (name_error), status and measures. Needs pandas."""
        try:
            import pandas  # type: ignore[import-untyped, unused-ignore]
        except ImportError as error:
            raise ImportError("FitResult.to_dataframe needs pandas, which is not installed") from error
        measures = ("status", "steps", "chi2", "reduced_chi2", "r2", "aic", "condition", "observations")
        taken = {*measures, *(f"{name}_error" for name in self.names)}
        for name in self.names:
            if name in taken:
                raise ValueError(f"FitResult.to_dataframe: the parameter {name} has the name of another column; take the attributes instead")
        columns: dict[str, list[Any]] = {name: self._list(self[name]) for name in self.names}
        for p, name in enumerate(self.names):
            columns[f"{name}_error"] = self._list(self.standard_errors[..., p])
        for name in measures:
            columns[name] = self._list(getattr(self, name))
        frame = pandas.DataFrame(columns)
        frame.index.name = "set"
        return frame

    def plot(self, index: int = 0, *, ax: Any = None) -> Any:
        """Observations and the curve found, of one set. Needs matplotlib; returns the axes."""
        if len(self.model.predictors) != 1 or self.model.outputs != 1:
            raise ValueError("FitResult.plot: the model must have one predictor and one output")
        sets = len(self.status) if self.has_sets else 1
        if not 0 <= index < sets:
            raise IndexError(f"FitResult.plot: index is {index}; there {'is one set' if sets == 1 else f'are {sets} sets'}")
        try:
            import matplotlib.pyplot as pyplot
        except ImportError as error:
            raise ImportError("FitResult.plot needs matplotlib, which is not installed") from error

        def of_set(tensor: Tensor) -> list[Any]:
            """Of one set, as long as its observations."""
            row = tensor[index if tensor.shape[0] > 1 else 0] if tensor.ndim == 2 else tensor
            return _numbers_of(row.expand(self._y.shape[-1]))

        x, y = of_set(cast(Tensor, self._x)), of_set(self._y)
        seen = [True] * len(y) if self._mask is None else of_set(self._mask)
        sigma = None if self._sigma is None else of_set(self._sigma)
        values = self.parameters[index] if self.has_sets else self.parameters
        there = [i for i, is_seen in enumerate(seen) if is_seen]
        ends = [x[i] for i in there]
        grid = _C.linspace(min(ends), max(ends), 400, dtype=_C.float64)
        curve = self.model._compiled._evaluate([grid], [values[p].cpu() for p in range(len(self.names))], 0)
        ax = pyplot.gca() if ax is None else ax
        bars = None if sigma is None else [sigma[i] for i in there]
        ax.errorbar(ends, [y[i] for i in there], bars, fmt="o", markersize=4, label="observed")
        label = ", ".join(f"{name} = {value:.4g}" for name, value in zip(self.names, _numbers_of(values)))
        ax.plot(grid.tolist(), curve.tolist(), label=label)
        ax.set_xlabel(self.model.predictors[0])
        ax.legend()
        return ax


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
    max_steps: int = 2000,
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
        max_steps, ftol, xtol, gtol: most evaluations; converged where the step that is left is less than ftol of the standard errors
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
        model = globals()["model"](model)
    if not isinstance(model, Model):
        raise TypeError(f"curve_fit: model is of type {type(model).__name__}; it must be a luge.model, a formula or a function")
    observed = _tensor("curve_fit", "y", y)
    predictors = None if x is None else _tensor("curve_fit", "x", x)
    device = observed.device
    lower, upper = _bounds(model, bounds)
    start = _numbers(model, "p0", p0) if p0 is not None else _start(model, lower, upper)
    deviations = None if sigma is None else _tensor("curve_fit", "sigma", sigma)
    given = None if mask is None else _tensor("curve_fit", "mask", mask, boolean=True)

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
