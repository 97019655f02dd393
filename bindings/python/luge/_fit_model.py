"""Models of fits, and what is given as tensors: parts of luge.fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from . import _C
from ._C import Tensor


def as_tensor(op: str, argument: str, value: Any, boolean: bool = False) -> Tensor:
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
        if array.dtype.kind == "c":
            raise TypeError(f"{op}: {argument} holds {array.dtype}; it must hold real numbers")
        if not boolean and array.dtype not in (numpy.float32, numpy.float64):
            array = array.astype(numpy.float64)
        elif not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
    except (ValueError, TypeError) as error:
        if str(error).startswith(f"{op}: "):
            raise
        raise TypeError(f"{op}: {argument} is of type {type(value).__name__}; it must be numbers of one shape ({error})") from None
    return _C.tensor(numpy.ascontiguousarray(array).reshape(array.shape))


def _floating(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_floating_point() else tensor.to(_C.float64)


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
        xs = [_floating(as_tensor("model", name, value)) for name, value in zip(self.predictors, x)]
        given = [_floating(as_tensor("model", name, parameters[name])) for name in self.parameters]
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

    A formula is written as in Python: + - * / **, comparisons, and, or, not, pi, the functions of one number that luge has, NumPy's
    of angles, hyperbolic and to other bases, erfc, sinc, arctan2, hypot, maximum, minimum, pow, lerp, clip, where(condition, a, b).
    What it names and `predictors` does not is a parameter, in the order of mention unless `parameters` says another; one that only
    decides conditions can only be fixed. A function is called twice, to see what it does; its first arguments are the predictors,
    the names of the others are those of the parameters.

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
