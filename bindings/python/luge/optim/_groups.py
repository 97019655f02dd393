"""Parameter groups as torch.optim has them: dict-like, to read and to write.

The hyperparameters of a group live in device memory, where steps read them, those of captured steps too.
"""

from __future__ import annotations

import struct
import weakref
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

from .. import _C
from .._C import Parameters, Tensor
from .._C._optim import Optimizer

#: Options of torch.optim that are several hyperparameters, or have another name in the engine.
PARTS = {
    "betas": ("beta1", "beta2"),
    "eps": ("epsilon",),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("step_min", "step_max"),
}
#: Options of torch.optim that say how a step is computed, not what.
IGNORED = ("foreach", "fused", "capturable", "differentiable")
_FLAGS = ("nesterov", "maximize", "amsgrad", "centered", "decoupled_weight_decay")


class Parsed(NamedTuple):
    """A parameter group before it is made."""

    leaves: list[Tensor]
    names: list[str] | None
    values: list[tuple[str, str, Any]]  # the engine's name, what errors call it, the value
    flags: list[tuple[str, bool]]
    options: dict[str, Any]  # as torch.optim has them, in its order, and whatever else the group has


def _leaves(op: str, params: Any) -> tuple[list[Tensor], list[str] | None]:
    """The tensors of a group, and their names if it has (name, tensor)."""
    if isinstance(params, Parameters):
        return params.tensors(), None
    if isinstance(params, Tensor):
        return [params], None
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{op}: params is a set, which has no order; give a list")
    if not isinstance(params, Iterable):
        raise TypeError(f"{op}: params must be a luge.Parameters or an iterable of tensors")
    given = list(params)
    named = [isinstance(one, tuple) for one in given]
    if any(named) and not all(named):
        raise ValueError(f"{op}: all params of a group must have names, or none of them")
    if any(named):
        for one in given:
            if len(one) != 2 or not isinstance(one[0], str):
                raise TypeError(f"{op}: named params must be pairs of a name and a tensor")
        names = [one[0] for one in given]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{op}: the name '{name}' is given twice")
        return [one[1] for one in given], names
    return given, None


def _split(op: str, options: Mapping[str, Any], on_device: Iterable[str] | None) -> tuple[list[Any], list[Any]]:
    """The engine's hyperparameters and flags of a group's options."""
    values: list[tuple[str, str, Any]] = []
    flags: list[tuple[str, bool]] = []
    for key, value in options.items():
        if key == "differentiable" and value:
            raise ValueError(f"{op}: differentiable=True is not there: a step is not recorded; use luge.func for it")
        if on_device is not None:
            if key in on_device:
                values.append((key, key, value))
        elif key in IGNORED:
            continue
        elif key in _FLAGS:
            flags.append((key, bool(value)))
        elif key in PARTS:
            parts = PARTS[key]
            if len(parts) == 1:
                values.append((parts[0], key, value))
                continue
            if not isinstance(value, (tuple, list)) or len(value) != len(parts):
                raise TypeError(f"{op}: {key} must be a tuple of {len(parts)} numbers or tensors")
            values.extend((part, f"{key}[{i}]", value[i]) for i, part in enumerate(parts))
        else:
            values.append((key, key, value))
    return values, flags


def parsed(op: str, params: Any, defaults: Mapping[str, Any], on_device: list[str]) -> list[Parsed]:
    """Reads what an optimizer is given. `on_device` is empty for one that steps by a rule of the engine."""
    groups: list[Any]
    if isinstance(params, Tensor):
        raise TypeError(f"{op}: params must be a luge.Parameters or an iterable of tensors")
    if isinstance(params, Mapping):
        raise TypeError(f"{op}: params is a dict; give a list of dicts, one for each parameter group")
    if isinstance(params, Iterable) and not isinstance(params, (Parameters, set, frozenset)):
        params = list(params)
        if params and any(isinstance(one, Mapping) for one in params):
            groups = params
        else:
            groups = [{"params": params}]
    else:
        groups = [{"params": params}]
    result = []
    for group in groups:
        if not isinstance(group, Mapping):
            raise TypeError(f"{op}: a parameter group is of type {type(group).__name__}; it must be a dict")
        if "params" not in group:
            raise ValueError(f"{op}: a parameter group has no 'params'")
        leaves, names = _leaves(op, group["params"])
        options = {key: group.get(key, standard) for key, standard in defaults.items()}
        known = list(options)
        for key, value in group.items():
            if key not in ("params", "param_names"):
                options[key] = value
        if names is None:
            names = group.get("param_names")
        own = {key: options[key] for key in known}
        values, flags = _split(op, own, on_device or None)
        result.append(Parsed(leaves, names, values, flags, options))
    with_names = [one.names is not None for one in result]
    if any(with_names) and not all(with_names):
        raise ValueError(f"{op}: all parameter groups must have named params, or none of them")
    return result


def _as_held(value: float, dtype: Any) -> float:
    """A number as the device holds it."""
    return value if dtype is _C.float64 else float(struct.unpack("f", struct.pack("f", value))[0])


class ParamGroup(MutableMapping[str, Any]):
    """One of `optimizer.param_groups`: options by PyTorch's names, "params" and whatever else is put there.

    Reading a hyperparameter waits for the device: the number in force, or a copy of the tensor with one for each set.
    """

    def __init__(self, optimizer: Optimizer, number: int, given: Parsed) -> None:
        self._optimizer = weakref.ref(optimizer)
        self._number = number
        self._options = dict(given.options)
        self._names = None if given.names is None else list(given.names)
        seen: dict[int, Tensor] = {hash(leaf): leaf for leaf in reversed(given.leaves)}
        self._params = [seen.get(hash(leaf), leaf) for leaf in optimizer._params(number)]
        self._engine_values = frozenset(optimizer._value_names())
        self._engine_flags = frozenset(optimizer._flag_names())

    def _owner(self) -> Optimizer:
        optimizer = self._optimizer()
        if optimizer is None:
            raise ReferenceError("param_groups: the optimizer of this group is gone")
        return optimizer

    def _parts(self, key: str) -> tuple[str, ...]:
        """The engine's hyperparameters that stand for an option."""
        parts = PARTS.get(key, (key,))
        return parts if all(part in self._engine_values for part in parts) else ()

    def tensor(self, key: str) -> Tensor:
        """A hyperparameter as a tensor of shape () or (sets), a copy; nothing waits for the device."""
        parts = self._parts(key)
        if len(parts) != 1:
            raise KeyError(key)
        return self._owner()._value(parts[0], self._number)

    def _read(self, part: str, shown: Any) -> Any:
        value = self._owner()._value(part, self._number)
        if value.ndim > 0:
            return value
        number = value.item()
        if isinstance(shown, (int, float)) and _as_held(float(shown), value.dtype) == number:
            return shown
        return number

    def __getitem__(self, key: str) -> Any:
        if key == "params":
            return self._params
        if key == "param_names" and self._names is not None:
            return self._names
        parts = self._parts(key)
        if not parts:
            if key in self._engine_flags and key in self._options:
                return self._owner()._flag(key, self._number)
            return self._options[key]
        shown = self._options.get(key)
        if len(parts) == 1:
            return self._read(parts[0], shown)
        if not isinstance(shown, (tuple, list)) or len(shown) != len(parts):
            shown = (None,) * len(parts)
        return tuple(self._read(part, one) for part, one in zip(parts, shown))

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "params":
            if [hash(one) for one in value] != [hash(one) for one in self._params]:
                raise ValueError("param_groups: the params of a group cannot be replaced; use add_param_group")
            return
        if key == "param_names":
            self._names = None if value is None else list(value)
            return
        parts = self._parts(key)
        if len(parts) > 1 and (not isinstance(value, (tuple, list)) or len(value) != len(parts)):
            raise TypeError(f"param_groups: {key} must be a tuple of {len(parts)} numbers or tensors")
        if key == "differentiable" and value:
            raise ValueError("param_groups: differentiable=True is not there: a step is not recorded")
        if len(parts) == 1:
            self._owner()._set_value(parts[0], value, self._number, key)
        elif parts:
            self._write_parts(key, parts, value)
        if key in self._engine_flags:
            self._owner()._set_flag(key, bool(value), self._number)
        self._options[key] = value

    def _write_parts(self, key: str, parts: tuple[str, ...], values: Any) -> None:
        """Writes all of them, or, if one is refused, none."""
        owner, before = self._owner(), []
        try:
            for i, part in enumerate(parts):
                before.append((part, owner._value(part, self._number)))
                owner._set_value(part, values[i], self._number, f"{key}[{i}]")
        except Exception:
            for part, old in before[:-1]:
                owner._set_value(part, old.item() if old.ndim == 0 else old, self._number, key)
            raise

    def __delitem__(self, key: str) -> None:
        if key == "params" or self._parts(key) or key in self._engine_flags:
            raise KeyError(f"param_groups: '{key}' cannot be taken away")
        if key == "param_names" and self._names is not None:
            self._names = None
            return
        del self._options[key]

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self._options
        if self._names is not None:
            yield "param_names"

    def __len__(self) -> int:
        return 1 + len(self._options) + (self._names is not None)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        import copy

        return {key: value if key == "params" else copy.deepcopy(value, memo) for key, value in self.items()}


def _options_of(optimizer: Optimizer) -> dict[str, Any]:
    """Options of an optimizer that no Python program made."""
    names = optimizer._value_names()
    options: dict[str, Any] = {}
    for name in names:
        key = next((key for key, parts in PARTS.items() if name in parts), name)
        options[key] = (None,) * len(PARTS[key]) if len(PARTS.get(key, ())) > 1 else None
    for name in optimizer._flag_names():
        options[name] = None
    return options


def param_groups(self: Optimizer) -> list[ParamGroup]:
    """The parameter groups: dict-like, to read and to write."""
    own: list[ParamGroup] | None = self.__dict__.get("_param_groups")
    if own is None:
        given = self.__dict__.pop("_given", None)
        if given is None:
            given = [Parsed([], None, [], [], _options_of(self)) for _ in range(self._groups())]
        own = self.__dict__["_param_groups"] = [ParamGroup(self, i, one) for i, one in enumerate(given)]
    return own


def add_param_group(self: Optimizer, param_group: Mapping[str, Any]) -> None:
    """Adds a group of further parameters."""
    groups = param_groups(self)
    if not isinstance(param_group, Mapping):
        raise TypeError(f"add_param_group: param_group is of type {type(param_group).__name__}; it must be a dict")
    on_device = list(self._value_names()) if "_composite_state" in self.__dict__ else []
    given = parsed("add_param_group", [param_group], self.__dict__["defaults"], on_device)
    if groups and (groups[0]._names is None) != (given[0].names is None):
        raise ValueError("add_param_group: all parameter groups must have named params, or none of them")
    self._add_group(given)
    groups.append(ParamGroup(self, len(groups), given[0]))
