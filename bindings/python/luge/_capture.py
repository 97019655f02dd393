"""luge.capture."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, overload

from ._C import Step


@overload
def capture(function: Callable[..., Any], *, keep_gradients: bool = True) -> Step: ...
@overload
def capture(function: None = None, *, keep_gradients: bool = True) -> Callable[[Callable[..., Any]], Step]: ...
def capture(function: Callable[..., Any] | None = None, *, keep_gradients: bool = True) -> Any:
    """Captures a training step: a function, or with @ the definition of one.

    The first call of what is returned runs the function, records it, and is a step like any other; later calls replay it,
    fused, at the speed of memory. The function takes tensors, or nothing, and returns None, a tensor, or a tuple, list or dict
    of tensors. Arguments are copied into tensors that stand for them in the function, and so is a step fed; other tensors that
    it works on are refilled in place (copy_). With `keep_gradients=False` gradients that only the step itself uses need not
    reach memory.

    Raises CaptureError, with everything as it was, where the function reads values on the host.

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
    return Step(function, keep_gradients, caller.f_code.co_filename, caller.f_lineno)
