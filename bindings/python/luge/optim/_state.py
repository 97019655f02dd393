"""What an optimizer keeps with each parameter, and state_dict in torch.optim's format."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, cast

from .. import _C
from .._C import Tensor
from .._C._optim import Optimizer
from ..autograd import no_grad
from ._groups import ParamGroup, param_groups

#: Of PyTorch's names those that are one number for a parameter; the engine has it with each element.
_ONE_NUMBER = ("mu_product", "eta")


class TensorDict(MutableMapping[Any, Any]):
    """A dict of tensors by what they are, not by their values; a missing one has an empty dict, as in torch.optim."""

    def __init__(self) -> None:
        self._entries: dict[Any, tuple[Any, Any]] = {}

    @staticmethod
    def _key(key: Any) -> Any:
        return hash(key) if isinstance(key, Tensor) else ("other", key)

    def __getitem__(self, key: Any) -> Any:
        return self._entries.setdefault(self._key(key), (key, {}))[1]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._entries[self._key(key)] = (key, value)

    def __delitem__(self, key: Any) -> None:
        del self._entries[self._key(key)]

    def __contains__(self, key: object) -> bool:
        return self._key(key) in self._entries

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self._entries.values()])

    def __len__(self) -> int:
        return len(self._entries)


class RuleState(Mapping[Any, dict[str, Any]]):
    """The state of an optimizer that steps by a rule of the engine: a dict of tensors for each parameter that has been
    stepped. Its tensors are those that the steps work on, apart from "step" and numbers, which are copies."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer

    def _places(self) -> dict[int, tuple[int, int, Tensor]]:
        groups = param_groups(self._optimizer)
        return {hash(leaf): (g, i, leaf) for g, group in enumerate(groups) for i, leaf in enumerate(group["params"])}

    def __getitem__(self, key: Tensor) -> dict[str, Any]:
        group, i, _ = self._places()[hash(key)]
        return state_of(self._optimizer, group, i)

    def __contains__(self, key: object) -> bool:
        place = self._places().get(hash(key))
        return place is not None and bool(state_of(self._optimizer, place[0], place[1]))

    def __iter__(self) -> Iterator[Tensor]:
        return iter([leaf for g, i, leaf in self._places().values() if state_of(self._optimizer, g, i)])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def state_of(optimizer: Optimizer, group: int, i: int) -> dict[str, Any]:
    """PyTorch's state of parameter i of a group; empty before its first step."""
    steps = int(optimizer._steps(group).item())
    kind, own = type(optimizer).__name__, dict(optimizer._state_of(group, i))
    if (steps == 0 and kind != "Adagrad") or (kind == "SGD" and not own):
        return {}
    result: dict[str, Any] = {}
    if kind != "SGD":
        result["step"] = _C.tensor(float(steps))
    sets = optimizer.parameters.sets if optimizer.parameters.batched else None
    for name, value in own.items():
        if name in _ONE_NUMBER and value.numel() > 0:
            value = value.reshape(-1 if sets is None else (sets, -1))
            value = (value[0] if sets is None else value[:, 0]).clone()
        result[name] = value
        if name == "eta":
            t0 = optimizer._value("t0", group).to(_C.float64)
            past = steps - t0
            result["mu"] = 1 / past.maximum(_C.ones((), dtype=_C.float64, device=past.device))
    return result


def state(self: Optimizer) -> Any:
    """A mapping from each parameter to a dict of what is kept with it, by PyTorch's names."""
    own = self.__dict__.get("_composite_state")
    return RuleState(self) if own is None else own


def state_dict(self: Optimizer) -> dict[str, Any]:
    """A copy of everything that later steps depend on, in torch.optim's format."""
    groups, index = [], 0
    states: dict[int, dict[str, Any]] = {}
    kept = state(self)
    for group in param_groups(self):
        packed = {key: _copied(value) for key, value in group.items() if key != "params"}
        packed["params"] = list(range(index, index + len(group["params"])))
        for i, leaf in enumerate(group["params"]):
            one = kept[leaf] if leaf in kept else {}
            if one:
                states[index + i] = {name: _copied(value) for name, value in one.items()}
        index += len(group["params"])
        groups.append(packed)
    return {"state": states, "param_groups": groups}


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    return copy.deepcopy(value)


def _given(value: Any) -> Tensor:
    return _C.as_tensor(value) if not isinstance(value, Tensor) else value


def _number(value: Any) -> float:
    return float(value.item()) if hasattr(value, "item") else float(value)


def _write(own: Tensor, value: Any, name: str, index: Any) -> None:
    given = _given(value).detach().to(own.device)
    if name in _ONE_NUMBER and given.ndim <= 1 and own.ndim >= given.ndim:
        given = given.reshape(tuple(given.shape) + (1,) * (own.ndim - given.ndim)).expand(own.shape)
    if tuple(given.shape) != tuple(own.shape):
        raise ValueError(
            f"load_state_dict: {name} of parameter {index} has shape {tuple(given.shape)}; the parameter has {tuple(own.shape)}"
        )
    if own.numel() > 0:
        own.copy_(given)


def _steps_of(group: int, kind: str, given: list[tuple[Any, Mapping[str, Any]]]) -> int:
    """How many steps the parameters of a group have taken: all of them the same number."""
    counts = set()
    for _, one in given:
        if "step" in one:
            counts.add(int(_number(one["step"])))
        elif kind == "SGD":
            counts.add(1 if one.get("momentum_buffer") is not None else 0)
    if len(counts) > 1:
        raise ValueError(
            f"load_state_dict: parameters of group {group} have taken {' and '.join(map(str, sorted(counts)))} steps; steps are "
            "counted for all parameters of a group alike, so give those of each count a group of their own"
        )
    return counts.pop() if counts else 0


def load_state_dict(self: Optimizer, state_dict: Mapping[str, Any]) -> None:
    """Takes what state_dict() gave; ValueError, and nothing has changed, for other groups or shapes."""
    groups, saved = param_groups(self), state_dict["param_groups"]
    if len(groups) != len(saved):
        raise ValueError(f"load_state_dict: there are {len(saved)} parameter groups; this optimizer has {len(groups)}")
    for i, (group, one) in enumerate(zip(groups, saved)):
        if len(group["params"]) != len(one["params"]):
            raise ValueError(
                f"load_state_dict: group {i} has {len(one['params'])} parameters; that of this optimizer has {len(group['params'])}"
            )
    states = state_dict["state"]
    with no_grad():
        if "_composite_state" in self.__dict__:
            _load_composite(self, groups, saved, states)
        else:
            _load_rule(self, groups, saved, states)


def _set_options(group: ParamGroup, saved: Mapping[str, Any]) -> None:
    for key, value in saved.items():
        if key == "params" or value is None and key in group and key not in group._options:
            continue
        if hasattr(value, "__dlpack__") and not isinstance(value, Tensor):
            value = _C.as_tensor(value)
        if isinstance(value, Tensor) and value.numel() == 1 and value.ndim == 0:
            value = value.item()
        if key == "betas":
            value = tuple(_number(one) if getattr(one, "ndim", 0) == 0 else one for one in value)
        if isinstance(value, list) and key in ("betas", "etas", "step_sizes"):
            value = tuple(value)
        group[key] = value


def _load_rule(self: Optimizer, groups: list[ParamGroup], saved: Any, states: Mapping[Any, Any]) -> None:
    kind = type(self).__name__
    plans: list[tuple[int, list[tuple[Any, Mapping[str, Any]]], int]] = []
    for g, one in enumerate(saved):
        given = [(index, states[index]) for index in one["params"] if index in states and states[index]]
        plans.append((g, given, _steps_of(g, kind, given)))
        for i, index in enumerate(one["params"]):
            for name, value in states.get(index, {}).items():
                shape = tuple(groups[g]["params"][i].shape)
                if name in ("step", "mu", *_ONE_NUMBER) or value is None:
                    continue
                if tuple(_given(value).shape) != shape:
                    raise ValueError(
                        f"load_state_dict: {name} of parameter {index} has shape {tuple(_given(value).shape)}; the parameter "
                        f"has {shape}"
                    )
    for g, given, steps in plans:
        _set_options(groups[g], saved[g])
        self._set_steps(g, steps)
        for i, index in enumerate(saved[g]["params"]):
            one = states.get(index, {})
            for name, own in self._state_of(g, i):
                value = one.get(name)
                if value is not None:
                    _write(own, value, name, index)
                elif kind != "Adagrad":
                    own.zero_()


def _load_composite(self: Optimizer, groups: list[ParamGroup], saved: Any, states: Mapping[Any, Any]) -> None:
    kept: TensorDict = self.__dict__["_composite_state"]
    for group, one in zip(groups, saved):
        _set_options(group, one)
        for leaf, index in zip(group["params"], one["params"]):
            if index not in states:
                if leaf in kept:
                    del kept[leaf]
                continue
            old = kept[leaf] if leaf in kept else {}
            fresh: dict[str, Any] = {}
            for name, value in states[index].items():
                if isinstance(value, Tensor) or hasattr(value, "__dlpack__"):
                    value = _given(value).detach()
                    if name != "step" and value.is_floating_point():
                        value = value.to(leaf.dtype)
                    value = value.to(leaf.device)
                    if isinstance(old.get(name), Tensor) and old[name].shape == value.shape:
                        value = old[name].copy_(value)  # a captured step goes on at that address
                    else:
                        value = value.clone()
                else:
                    value = _foreign(value)
                fresh[name] = value
            kept[leaf] = fresh


def _foreign(value: Any) -> Any:
    """Copies of lists of tensors too, as LBFGS keeps them."""
    if isinstance(value, (list, tuple)):
        return type(value)(_given(one).detach().clone() if hasattr(one, "__dlpack__") else copy.deepcopy(one) for one in value)
    return copy.deepcopy(value)


# ---- hooks of a step


class Handle:
    """Takes a hook away again."""

    def __init__(self, hooks: dict[int, Callable[..., Any]], key: int) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """From the next step on the hook is not called any more."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def _hooked(self: Optimizer) -> tuple[dict[int, Callable[..., Any]], dict[int, Callable[..., Any]]]:
    """The hooks before and after a step; from the first call on `step` of this optimizer calls them."""
    hooks = self.__dict__.get("_step_hooks")
    if hooks is not None:
        found: tuple[dict[int, Callable[..., Any]], dict[int, Callable[..., Any]]] = hooks
        return found
    before: dict[int, Callable[..., Any]] = {}
    after: dict[int, Callable[..., Any]] = {}
    import weakref

    owner = weakref.ref(self)

    def step(*args: Any, **kwargs: Any) -> Any:
        optimizer = cast(Optimizer, owner())
        for hook in list(before.values()):
            changed = hook(optimizer, (optimizer, *args), kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError("step: a hook before it must return None or a tuple of args and kwargs")
                args, kwargs = changed[0][1:], changed[1]
        result = type(optimizer).step(optimizer, *args, **kwargs)
        for hook in list(after.values()):
            hook(optimizer, (optimizer, *args), kwargs)
        return result

    self.__dict__["step"] = step
    self.__dict__["_step_hooks"] = (before, after)
    return before, after


def register_step_pre_hook(self: Optimizer, hook: Callable[..., Any]) -> Handle:
    """Calls hook(optimizer, args, kwargs) before each step; it may return other args and kwargs."""
    before, _ = _hooked(self)
    key = max(before, default=-1) + 1
    before[key] = hook
    return Handle(before, key)


def register_step_post_hook(self: Optimizer, hook: Callable[..., Any]) -> Handle:
    """Calls hook(optimizer, args, kwargs) after each step."""
    _, after = _hooked(self)
    key = max(after, default=-1) + 1
    after[key] = hook
    return Handle(after, key)


def shown(self: Optimizer) -> str:
    """As torch.optim shows it."""
    lines = [f"{type(self).__name__} ("]
    for i, group in enumerate(param_groups(self)):
        lines.append(f"Parameter Group {i}")
        lines.extend(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
    return "\n".join([*lines, ")"])
