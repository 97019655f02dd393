"""The graph: recording on and off, gradients of chosen tensors, operations of one's own."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import _C
from ._C import AutogradError, Tensor
from ._names import missing as _missing

__all__ = ["Function", "FunctionContext", "backward", "enable_grad", "grad", "gradcheck", "gradgradcheck",
           "inference_mode", "no_grad", "set_grad_enabled"]  # fmt: skip

_Call = TypeVar("_Call", bound=Callable[..., Any])


def _steps(made: Generator[Any, Any, Any], again: Callable[[], AbstractContextManager[Any]]) -> Generator[Any, Any, Any]:
    """The generator, each of whose steps runs within a context of its own; between them its caller's is in force."""
    step: Callable[[], Any] = functools.partial(next, made)
    while True:
        try:
            with again():
                found = step()
        except StopIteration as stop:
            return stop.value
        try:
            sent = yield found
        except GeneratorExit:
            with again():
                made.close()
            raise
        except BaseException as error:  # noqa: BLE001  the generator may catch it
            step = functools.partial(made.throw, error)
        else:
            step = functools.partial(made.send, sent)


def _within(function: _Call, again: Callable[[], AbstractContextManager[Any]]) -> _Call:
    """The function, whose calls run within a context; of a generator every step does."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with again():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def generated(*args: Any, **kwargs: Any) -> Any:
        return _steps(function(*args, **kwargs), again)

    return generated if inspect.isgeneratorfunction(function) else wrapped  # type: ignore[return-value]


class set_grad_enabled:
    """Turns recording on this thread on or off: at once, for a `with` block, or for every call of a function.

    >>> with luge.set_grad_enabled(False):
    ...     luge.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self._mode = mode
        self._previous = [_C._set_grad_enabled(mode)]

    def __enter__(self) -> None:
        _C._set_grad_enabled(self._mode)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        _C._set_grad_enabled(self._previous.pop())

    def __call__(self, function: _Call) -> _Call:
        _C._set_grad_enabled(self._previous.pop())  # it is meant for the calls
        return _within(function, functools.partial(set_grad_enabled, self._mode))


class _Recording:
    """A context manager, and a decorator, within which recording is on or off."""

    _mode: bool

    def __init__(self) -> None:
        self._previous: list[bool] = []

    def _again(self) -> _Recording:
        """Another one of this kind, for a call."""
        return type(self)()

    def __enter__(self) -> None:
        self._previous.append(_C._set_grad_enabled(self._mode))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        _C._set_grad_enabled(self._previous.pop())

    def __call__(self, function: _Call) -> _Call:
        return _within(function, self._again)


class no_grad(_Recording):
    """Operations within are not recorded, and parameters may be changed in place.

    >>> x = luge.ones(2, requires_grad=True)
    >>> with luge.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _mode = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else no_grad()(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__()


class enable_grad(_Recording):
    """Operations within are recorded again.

    >>> x = luge.ones(2, requires_grad=True)
    >>> with luge.no_grad(), luge.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    _mode = True


class inference_mode(_Recording):
    """The same as no_grad, or with `mode` False as enable_grad: what was made within may be used in a graph later, which PyTorch
    refuses.

    >>> x = luge.ones(2, requires_grad=True)
    >>> with luge.inference_mode():
    ...     (x * 2).requires_grad
    False
    """

    def __new__(cls, mode: bool | Callable[..., Any] = True) -> Any:
        return super().__new__(cls) if isinstance(mode, bool) else inference_mode()(mode)

    def __init__(self, mode: bool | Callable[..., Any] = True) -> None:
        super().__init__()
        self._mode = not mode

    def _again(self) -> _Recording:
        made: _Recording = inference_mode(not self._mode)
        return made


def _tensors(value: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Calls backward() of each tensor.

    >>> x = luge.tensor(3.0, requires_grad=True)
    >>> luge.autograd.backward(x * x)
    >>> x.grad
    tensor(6.)
    """
    all_tensors = _tensors(tensors)
    given: list[Tensor | None]
    if grad_tensors is None:
        given = [None] * len(all_tensors)
    else:
        given = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors)
    if len(given) != len(all_tensors):
        raise ValueError(f"backward: there are {len(all_tensors)} tensors and {len(given)} gradients")
    for number, (tensor, gradient) in enumerate(zip(all_tensors, given)):
        last = number + 1 == len(all_tensors)
        tensor.backward(gradient, retain_graph if last else True, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    *,
    only_inputs: bool = True,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The sum of the gradients of `outputs` with respect to each of `inputs`; no .grad changes.

    Raises AutogradError for an input that the outputs do not depend on, unless `allow_unused`: then None, or zeros where
    `materialize_grads`. `only_inputs` is PyTorch's and must be True. With
    `create_graph` the gradients are recorded operations and can be differentiated in turn. The graph is freed unless
    `retain_graph`, which is `create_graph` where it is None.

    >>> x = luge.tensor(3.0, requires_grad=True)
    >>> luge.autograd.grad(x * x, x)
    (tensor(6.),)
    >>> slope, = luge.autograd.grad(x * x * x, x, create_graph=True)
    >>> luge.autograd.grad(slope, x)
    (tensor(18.),)
    """
    given: list[Tensor | None]
    if grad_outputs is None:
        given = []
    else:
        given = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if not only_inputs:
        raise ValueError("grad: only_inputs is False; it must be True: use backward() for the gradients of all leaves")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads is True and allow_unused False; zeros stand for the gradients of unused inputs")
    unused = materialize_grads if allow_unused is None else allow_unused
    asked = _tensors(inputs)
    found = cast("tuple[Tensor | None, ...]", _C._grad(_tensors(outputs), asked, given, retain_graph, create_graph, unused))
    if not materialize_grads:
        return found
    return tuple(_C.zeros_like(x) if gradient is None else gradient for x, gradient in zip(asked, found))


def _checked(
    func: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    tolerances: tuple[float, float, float],
    raise_exception: bool,
    second: bool,
) -> bool:
    passed, message = _C._gradcheck(func, _tensors(inputs), *tolerances, second)
    if not passed and raise_exception:
        raise AutogradError(message)
    return bool(passed)


def gradcheck(
    func: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether backward() agrees with central differences; float64 inputs.

    Raises AutogradError naming the element that does not, or returns False where `raise_exception` is False.

    >>> x = luge.tensor([0.5, 1.5], dtype=luge.float64, requires_grad=True)
    >>> luge.autograd.gradcheck(luge.sin, x)
    True
    """
    return _checked(func, inputs, (eps, atol, rtol), raise_exception, second=False)


def gradgradcheck(
    func: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients that grad() with `create_graph` gives have right gradients themselves; float64 inputs.

    By central differences of the gradients, with respect to the inputs and to the gradient of the output. Raises
    AutogradError as gradcheck() does.

    >>> x = luge.tensor([0.5, 1.5], dtype=luge.float64, requires_grad=True)
    >>> luge.autograd.gradgradcheck(luge.sin, x)
    True
    """
    return _checked(func, inputs, (eps, atol, rtol), raise_exception, second=True)


class FunctionContext:
    """What forward() leaves for backward(): tensors by save_for_backward(), anything else as attributes."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        #: For each argument whether it is a tensor that requires a gradient.
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[tuple[Tensor, int, int | None], ...] = ()
        self._arguments: list[Tensor] = []
        self._constants: tuple[Tensor, ...] = ()
        self._given: tuple[tuple[Tensor, int], ...] = ()
        self._in_graph: Callable[[Tensor, int], Tensor] | None = None

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keeps tensors for backward()."""
        self._given = tuple((tensor, tensor._version) for tensor in tensors)

    def set_materialize_grads(self, value: bool) -> None:
        """Changes nothing: the one result always has a gradient where backward() runs."""

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says that the result, if it is one of these, has no gradient."""
        self._constants = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Raises AutogradError: forward() may not change its arguments."""
        raise AutogradError("Function: mark_dirty says that forward() changes an argument in place; return a new tensor")

    def _keep(self, result: Tensor) -> None:
        """Turns what was given into what may outlive the call: memory without a graph, and its place in this one."""

        def place(tensor: Tensor) -> int | None:
            numbers = [number for number, argument in enumerate(self._arguments) if argument is tensor]
            return numbers[0] if numbers else -1 if tensor is result else None

        self._saved = tuple((tensor.detach(), version, place(tensor)) for tensor, version in self._given)
        self._given, self._arguments = (), []

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]:
        """Those tensors. Raises AutogradError if one of them has been changed in place since.

        Where backward() is recorded (`create_graph`), those that are arguments of forward() or its result have their
        place in the graph; any other one is a constant.
        """
        found = []
        for number, (tensor, version, place) in enumerate(self._saved):
            if tensor._version != version:
                raise AutogradError(f"Function: saved tensor {number} has been changed in place since forward()")
            found.append(tensor if place is None or self._in_graph is None else self._in_graph(tensor, place))
        return tuple(found)


class Function:
    """An operation with a forward() and a backward() of one's own, called by `apply`.

    forward(ctx, *args) returns one tensor; operations within are not recorded. Where setup_context(ctx, inputs, output) is defined,
    forward takes the arguments alone. backward(ctx, grad) returns, for each
    argument of forward, a gradient of its shape, or None; a single one need not be a tuple. With `create_graph` its
    operations are recorded, so that it has a derivative if it is made of luge's operations.

    >>> class Cube(luge.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         x, = ctx.saved_tensors
    ...         return grad * 3 * x * x
    >>> x = luge.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        """The result: one tensor. To be defined."""
        raise NotImplementedError("a luge.autograd.Function must define forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keeps for backward() what it needs of the arguments and the result, if it is defined."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """The gradients of the arguments, from that of the result. To be defined."""
        raise NotImplementedError("a luge.autograd.Function must define backward(ctx, grad)")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """forward(ctx, *args), recorded where an argument requires a gradient."""
        needs = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        ctx = FunctionContext(needs)
        ctx._arguments = [arg for arg in args if isinstance(arg, Tensor)]
        apart = cls.setup_context is not Function.setup_context
        with no_grad():
            result = cls.forward(*args) if apart else cls.forward(ctx, *args)
            if not isinstance(result, Tensor):
                raise TypeError(f"{cls.__name__}.forward returned a {type(result).__name__}; it must return one tensor")
            if apart:
                cls.setup_context(ctx, args, result)
        if not any(needs) or not _C.is_grad_enabled() or any(tensor is result for tensor in ctx._constants):
            return result
        places = [number for number, arg in enumerate(args) if isinstance(arg, Tensor)]
        ctx._keep(result)

        def gradients(
            gradient: Tensor, in_graph: Callable[[Tensor, int], Tensor] | None
        ) -> list[Tensor | None]:
            ctx._in_graph = in_graph
            try:
                with enable_grad() if in_graph else no_grad():
                    found = cls.backward(ctx, gradient)
            finally:
                ctx._in_graph = None
            found = found if isinstance(found, (tuple, list)) else (found,)
            if len(found) != len(args):
                raise AutogradError(
                    f"{cls.__name__}.backward returned {len(found)} gradients; forward has {len(args)} arguments"
                )
            return [found[place] for place in places]

        recorded: Tensor = _C._recorded(result, [args[place] for place in places], gradients)
        return recorded


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
