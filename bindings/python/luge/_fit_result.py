"""What fits have found: a part of luge.fit."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, cast, overload

from . import _C
from ._C import Tensor
from ._fit_model import Model, as_tensor
from ._fit_plan import FitReceipt


class FitError(RuntimeError):
    """Fits that did not end at a minimum: FitResult.raise_for_status."""


def _numbers_of(tensor: Tensor) -> list[Any]:
    """Its numbers, row by row."""
    return cast("list[Any]", tensor.tolist())


class FitResult:
    """What fits have found; without sets (one fit) there is no first dimension. It unpacks as SciPy's: popt, pcov = result.

    Of many sets result[i] is what was found of one, len(result) says how many there are, and iter_sets() goes through them.

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
        start, agreement (sets), int32: which start the result is from (0: p0), and how many ended at the same cost
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
    start: Tensor
    agreement: Tensor
    _evaluations: Tensor
    _taken: dict[str, Any]

    def __init__(
        self, model: Model, x: Tensor | None, y: Tensor, sigma: Tensor | None, mask: Tensor | None, found: dict[str, Any]
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

    @overload
    def __getitem__(self, key: str) -> Tensor: ...
    @overload
    def __getitem__(self, key: int) -> FitResult: ...
    def __getitem__(self, key: str | int) -> Tensor | FitResult:
        """A parameter by its name: (sets), or one number. Of many sets what was found of one, by its number."""
        if not isinstance(key, str):
            return self._of_set(key)
        if key not in self.names:
            raise KeyError(f"{key!r} is no parameter; those are {', '.join(self.names)}")
        return self.parameters[..., self.names.index(key)]

    def _of_set(self, key: int) -> FitResult:
        try:
            index = operator.index(key)
        except TypeError:
            raise TypeError(f"FitResult: the key is of type {type(key).__name__}; it must be a parameter's name or a set's number") from None
        if not self.has_sets:
            raise IndexError(f"FitResult: there is one fit, without sets; its parameters are {', '.join(self.names)}")
        sets = len(self)
        if not -sets <= index < sets:
            raise IndexError(f"FitResult: index is {index}; there are {sets} sets")
        index %= sets

        def own(tensor: Tensor | None, ndim: int, dim: int = 0) -> Tensor | None:
            """The part of a set, of what has `ndim` dimensions if it has sets."""
            if tensor is None or tensor.ndim < ndim:
                return tensor
            return tensor.select(dim, index if tensor.shape[dim] > 1 else 0)

        outputs, predictors = (3 if self.model.outputs > 1 else 2), len(self.model.predictors)
        found = {name: value[index] for name, value in self.__dict__.items() if name in FitResult.__annotations__ and not name.startswith("_")}
        found.update(_evaluations=self._evaluations, _taken=self._taken)
        x = own(self._x, 3, 1) if predictors > 1 else own(self._x, 2)
        y = cast(Tensor, own(self._y, outputs))
        return FitResult(self.model, x, y, own(self._sigma, outputs), own(self._mask, outputs), found)

    def __len__(self) -> int:
        """How many sets there are."""
        if not self.has_sets:
            raise TypeError("FitResult: there is one fit, which has no length; popt, pcov = result unpacks it")
        return int(self.status.shape[0])

    def __bool__(self) -> bool:
        return True

    def iter_sets(self) -> Iterator[FitResult]:
        """What was found of each set, one after the other. (A result itself unpacks into parameters and covariance.)"""
        return (self._of_set(index) for index in range(len(self)))

    def receipt(self) -> FitReceipt:
        """What the fit took, of all its sets: evaluations, seconds, bytes, chunks."""
        return FitReceipt(evaluations=int(self._evaluations.item()), **self._taken)

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
            if self._taken["starts"] > 1:
                lines.append(f"start {int(self.start.item())} of {self._taken['starts']} is the best; {int(self.agreement.item())} ended there")
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
        given = self._x if x is None else as_tensor("FitResult.predict", "x", x)
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
        measures = ["status", "steps", "chi2", "reduced_chi2", "r2", "aic", "condition", "observations"]
        if self._taken["starts"] > 1:
            measures += ["start", "agreement"]
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
