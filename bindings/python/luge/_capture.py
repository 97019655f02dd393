"""luge.capture."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any, cast, overload

from ._C import Step


class _Bound:
    """A step and the object whose method it is, which lives as long as this."""

    def __init__(self, step: Step, instance: Any) -> None:
        self._step, self._instance = step, instance
        self.__doc__ = step.__wrapped__.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._step(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._step, name)


class _Method:
    """A step that is defined in a class: each object has one of its own, which lives as long as it."""

    def __init__(self, function: Callable[..., Any], make: Callable[[Callable[..., Any]], Step]) -> None:
        self._make = make
        self._steps: dict[int, tuple[weakref.ref[Any], Step]] = {}
        functools.update_wrapper(self, function)
        self._plain: Step | None = None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        key = id(instance)
        if key not in self._steps:
            steps, function = self._steps, cast(Any, self).__wrapped__
            # Neither the step nor its function keeps the object alive.
            known = weakref.ref(instance, lambda _: steps.pop(key, None))

            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                return function(known(), *args, **kwargs)

            steps[key] = known, self._make(call)
        return _Bound(self._steps[key][1], instance)

    def _step(self) -> Step:
        """That of the plain function, for Class.step(object, ...) and static methods."""
        if self._plain is None:
            self._plain = self._make(cast(Any, self).__wrapped__)
        return self._plain

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._step()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._step(), name)


@overload
def capture(function: Callable[..., Any], *, keep_gradients: bool = True) -> Step: ...
@overload
def capture(function: None = None, *, keep_gradients: bool = True) -> Callable[[Callable[..., Any]], Step]: ...
def capture(function: Callable[..., Any] | None = None, *, keep_gradients: bool = True) -> Any:
    """Captures a training step: a function, or with @ the definition of one.

    The first call of what is returned runs the function, records it, and is a step like any other; later calls replay it,
    fused, at the speed of memory. The function takes tensors, or nothing, and returns None, a tensor, or a tuple, list or dict
    of tensors. Arguments are copied into tensors that stand for them in the function, and so is a step fed; what the function
    changes in place in an argument is copied back. Other tensors that it works on are refilled in place (copy_). With
    `keep_gradients=False` gradients that only the step itself uses need not reach memory.

    In a class it captures a method: each object has a step of its own.

    Raises CaptureError, with everything as it was, where the function reads values on the host or changes an argument that is
    expanded or shares memory with another tensor of the step.

    >>> x = luge.zeros(2)
    >>> step = luge.capture(lambda: x.add_(1))
    >>> step.run(3)
    tensor([3., 3.])
    >>> @luge.capture
    ... def add(y): return x.add_(y)
    >>> add(luge.tensor([1., 2.]))
    tensor([4., 5.])
    """
    if function is None:
        return functools.partial(capture, keep_gradients=keep_gradients)
    caller = sys._getframe(1)
    file, line = caller.f_code.co_filename, caller.f_lineno
    in_class = "__qualname__" in caller.f_locals and caller.f_locals is not caller.f_globals
    if in_class and callable(function):
        return _Method(function, lambda call: Step(call, keep_gradients, file, line))
    return Step(function, keep_gradients, file, line)
