"""Hooks of modules: beside forward(), on the way back, and where the state is saved and loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .. import _C
from .._C import Tensor
from ._hooks import RemovableHandle, add_hook


class _Recorded(threading.local):
    """The modules that this thread calls while it records a captured step; None: it records none."""

    modules: list[Any] | None = None


recorded = _Recorded()


def _joint(tensors: list[Tensor], visit: Callable[[list[Tensor]], list[Tensor]]) -> list[Tensor]:
    """The tensors as results of one node, on whose way back `visit` gets the gradients of all and gives others."""
    if len(tensors) == 1:
        return [_C._recorded(tensors[0].detach(), tensors, lambda gradient, _: visit([gradient]))]
    wide = tensors[0].dtype
    for tensor in tensors[1:]:
        wide = _C.promote_types(wide, tensor.dtype)
    sizes = [tensor.numel() for tensor in tensors]

    def parts(packed: Tensor) -> list[Tensor]:
        pieces = packed.split(sizes)
        return [piece.reshape(tensor.shape).to(tensor.dtype) for piece, tensor in zip(pieces, tensors)]

    packed = _C.cat([tensor.detach().reshape(-1).to(wide) for tensor in tensors])
    return parts(_C._recorded(packed, tensors, lambda gradient, _: visit(parts(gradient))))


def _replaced(kind: str, found: Any, before: tuple[Any, ...]) -> tuple[Any, ...]:
    if found is None:
        return before
    after = found if isinstance(found, tuple) else (found,)
    if len(after) != len(before):
        raise ValueError(f"{kind}: a backward hook returned {len(after)} gradients; there are {len(before)}")
    return after


class Hooked:
    """What modules know of hooks. A captured step runs them once, when it is captured."""

    forward: Callable[..., Any]

    def _hooks_of(self, kind: str) -> dict[int, Any]:
        hooks: dict[int, Any] = self.__dict__.setdefault(kind, {})
        return hooks

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        own = self.__dict__  # without hooks before __init__
        if recorded.modules is not None:
            recorded.modules.append(self)
        if own.get("_backward_hooks") or own.get("_backward_pre_hooks"):
            return self._called_back(args, kwargs)
        if own.get("_forward_hooks") or own.get("_forward_pre_hooks"):
            return self._forwarded(args, kwargs)
        return self.forward(*args, **kwargs)

    def _forwarded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in list(self._hooks_of("_forward_pre_hooks").values()):
            found = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if found is not None and with_kwargs:
                args, kwargs = found
            elif found is not None:
                args = found if isinstance(found, tuple) else (found,)
        hooks = list(self._hooks_of("_forward_hooks").values())
        try:
            result = self.forward(*args, **kwargs)
        except Exception:
            for hook, with_kwargs, always in hooks:
                if always:
                    hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
            raise
        for hook, with_kwargs, _ in hooks:
            found = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            result = result if found is None else found
        return result

    def _called_back(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind = type(self).__name__
        wanted = [place for place, value in enumerate(args) if isinstance(value, Tensor) and value.requires_grad]
        came: list[tuple[Any, ...]] = [()]

        def run(grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
            for hook in list(self._hooks_of("_backward_hooks").values()):
                grad_input = _replaced(kind, hook(self, grad_input, came[0]), grad_input)
            return grad_input

        def leaving(gradients: list[Tensor]) -> list[Tensor]:
            full: list[Any] = [None] * len(args)
            for place, gradient in zip(wanted, gradients):
                full[place] = gradient
            found = run(tuple(full))
            return [found[place] for place in wanted]

        if wanted and _C.is_grad_enabled():
            given = list(args)
            for place, tensor in zip(wanted, _joint([args[place] for place in wanted], leaving)):
                given[place] = tensor
            args = tuple(given)
        result = self._forwarded(args, kwargs)
        several = isinstance(result, (tuple, list))
        outputs: list[Any] = list(result) if several else [result]
        places = [place for place, value in enumerate(outputs) if isinstance(value, Tensor) and value.requires_grad]

        def entering(gradients: list[Tensor]) -> list[Tensor]:
            full: list[Any] = [None] * len(outputs)
            for place, gradient in zip(places, gradients):
                full[place] = gradient
            came[0] = tuple(full)
            for hook in list(self._hooks_of("_backward_pre_hooks").values()):
                came[0] = _replaced(kind, hook(self, came[0]), came[0])
            if not wanted:
                run((None,) * len(args))
            return [came[0][place] for place in places]

        if not places:
            return result
        for place, tensor in zip(places, _joint([outputs[place] for place in places], entering)):
            outputs[place] = tensor
        if not several:
            return outputs[0]
        return type(result)(*outputs) if hasattr(result, "_fields") else type(result)(outputs)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls hook(module, args) before each forward(); what it returns, unless it is None, replaces the arguments. With
        `with_kwargs` it is hook(module, args, kwargs), and returns both."""
        return add_hook(self._hooks_of("_forward_pre_hooks"), (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Calls hook(module, args, result) after each forward(); what it returns, unless it is None, replaces the result. With
        `with_kwargs` it is hook(module, args, kwargs, result). With `always_call` it is also called, without a result, where
        forward() raises."""
        return add_hook(self._hooks_of("_forward_hooks"), (hook, with_kwargs, always_call), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls hook(module, grad_input, grad_output) on the way back, with the gradients of the positional arguments and of the
        results; what it returns, unless it is None, replaces those of the arguments. None stands for what has no gradient."""
        return add_hook(self._hooks_of("_backward_hooks"), hook, prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls hook(module, grad_output) on the way back, before the module; what it returns, unless it is None, replaces the
        gradients of the results."""
        return add_hook(self._hooks_of("_backward_pre_hooks"), hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, prefix, keep_vars) before state_dict() looks at the module."""
        return add_hook(self._hooks_of("_state_dict_pre_hooks"), hook, False)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, state_dict, prefix, {}) when state_dict() is made; it may change the dict."""
        return add_hook(self._hooks_of("_state_dict_hooks"), hook, False)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, state_dict, prefix, {}, strict, [], [], []) before load_state_dict() looks at a copy of the dict,
        which it may change."""
        return add_hook(self._hooks_of("_load_state_dict_pre_hooks"), hook, False)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, incompatible_keys) when load_state_dict() has written, before missing and unexpected names are
        errors; it may take names from both lists."""
        return add_hook(self._hooks_of("_load_state_dict_post_hooks"), hook, False)


def run_hooks(modules: Sequence[tuple[str, Any]], kind: str, *arguments: Any, prefix: str | None = None) -> None:
    """Calls the modules' hooks of this kind with the arguments; `prefix` is put before the modules' names, and PREFIX among the
    arguments stands for it."""
    for name, module in modules:
        for hook in list(module.__dict__.get(kind, {}).values()):
            place = f"{prefix or ''}{name}." if name else prefix or ""
            hook(module, *(place if argument is PREFIX else argument for argument in arguments))


PREFIX = object()
