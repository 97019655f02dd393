"""What all layers share: parameters and modules that are assigned to a module are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .. import _C
from .._C import Parameters, Tensor
from ..autograd import no_grad


class _ParameterType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and _C._is_parameter(instance)


class Parameter(metaclass=_ParameterType):
    """A leaf of its own, with the values of `data`: what a Module takes for a parameter when it is assigned to it, with or
    without `requires_grad`. Every leaf that requires a gradient, or has required one, is an instance.

    >>> luge.nn.Parameter(luge.zeros(2)).requires_grad
    True
    >>> isinstance(luge.zeros(2), luge.nn.Parameter)
    False
    """

    def __new__(cls, data: Tensor, requires_grad: bool = True) -> Tensor:  # type: ignore[misc]
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data is of type {type(data).__name__}; it must be a tensor")
        return _C._as_parameter(data.detach().clone(), requires_grad)


def clip_grad_norm_(parameters: Parameters | Tensor | Iterable[Tensor], max_norm: float | Tensor) -> Tensor:
    """Scales the gradients of these leaves so that their joint 2-norm is at most `max_norm`; returns the norm before.

    Tensors without a gradient play no part, one that is given twice counts once. Parameters with sets are clipped set by
    set: `max_norm` may then be a tensor with one value for each set, and the norms are one.

    >>> w = luge.nn.Parameter(luge.zeros(2))
    >>> (w * luge.tensor([3.0, 4.0])).sum().backward()
    >>> luge.nn.clip_grad_norm_([w], 1.0)
    tensor(5.)
    """
    if isinstance(parameters, Parameters):
        return parameters.clip_grad_norm_(max_norm)
    return _C._clip_grad_norm_([parameters] if isinstance(parameters, Tensor) else parameters, max_norm)


class IncompatibleKeys(NamedTuple):
    """What load_state_dict(strict=False) passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """What all layers share, as torch.nn.Module: parameters and modules that are assigned to it are its own."""

    training: bool
    _parameters: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _modules={}, training=True)

    # ---- attributes: a parameter or module is in its registry and nowhere else

    def _registries(self) -> list[dict[str, Any]]:
        own = self.__dict__
        return [own[registry] for registry in ("_parameters", "_modules") if registry in own]

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__  # without registries before __init__ and while it is unpickled
        parameters = own.get("_parameters")
        if parameters and name in parameters:
            return parameters[name]
        modules = own.get("_modules")
        if modules and name in modules:
            return modules[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        parameters, modules = self.__dict__.get("_parameters", {}), self.__dict__.get("_modules", {})
        if isinstance(value, Tensor) and _C._is_parameter(value):
            self.register_parameter(name, value)
        elif name in parameters:
            if value is not None:
                raise TypeError(f"{self._named(name)} is a parameter; it can become a Parameter or None, not {_kind(value)}")
            parameters[name] = None
        elif isinstance(value, Module):
            self.add_module(name, value)
        elif name in modules:
            if value is not None:
                raise TypeError(f"{self._named(name)} is a module; it can become a Module or None, not {_kind(value)}")
            modules[name] = None
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for registry in self._registries():
            if name in registry:
                del registry[name]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for registry in self._registries() for name in registry)})

    def _named(self, name: str) -> str:
        return f"{type(self).__name__}: '{name}'"

    def _register(self, registry: str, name: str, value: Any) -> None:
        if registry not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning '{name}'")
        if not name or "." in name:
            raise KeyError(f"{self._named(name)} cannot be a name: it must not be empty or contain a dot")
        self.__dict__.pop(name, None)
        for other in self._registries():
            if other is not self.__dict__[registry]:
                other.pop(name, None)
        self.__dict__[registry][name] = value

    def register_parameter(self, name: str, param: Tensor | None) -> None:
        """What `self.name = param` does; None keeps the name for a parameter."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"{self._named(name)} can become a Parameter or None, not {_kind(param)}")
        self._register("_parameters", name, param)

    def add_module(self, name: str, module: Module | None) -> None:
        """What `self.name = module` does; None keeps the name for a module."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{self._named(name)} can become a Module or None, not {_kind(module)}")
        self._register("_modules", name, module)

    register_module = add_module

    # ---- what a call does

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What a call of the module computes: to be defined by each kind of module."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # ---- what it is made of

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules assigned to it, each once, and their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules assigned to it, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Itself and all modules below, with names such as "body.0"; one that is used twice only once, unless
        `remove_duplicate` is False."""
        memo = set() if memo is None else memo
        if remove_duplicate and self in memo:
            return
        memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Itself and all modules below, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All parameters, its own and with `recurse` those of the modules below, with names such as "hidden.weight"; tied
        weights only once, under their first name, unless `remove_duplicate` is False."""
        seen: set[int] = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        for where, module in modules:
            for name, parameter in module._parameters.items():
                if parameter is None or (remove_duplicate and hash(parameter) in seen):
                    continue
                seen.add(hash(parameter))  # the same for all objects that are one tensor
                yield f"{where}.{name}" if where else name, parameter

    def parameters(self, recurse: bool = True) -> Iterator[Tensor]:
        """All parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    # ---- what is done to all of it

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freezes all parameters, or unfreezes them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def apply(self, fn: Callable[[Module], object]) -> Module:
        """Calls `fn` with all modules below and with itself."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """The parameters' values by name; they share memory with the parameters. Tied weights are one tensor under each of
        their names."""
        values: dict[int, Tensor] = {}
        names = self.named_parameters(remove_duplicate=False)
        return {name: values.setdefault(hash(parameter), parameter.detach()) for name, parameter in names}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Overwrites the parameters' values with tensors or arrays, which are converted to the parameters' dtypes.

        Raises ValueError for missing and unexpected names unless `strict` is False, ShapeError for other shapes and TypeError
        for what is no array, naming all of them; nothing has changed then.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: state_dict is {_kind(state_dict)}; it must be a dict")
        own = dict(self.named_parameters(remove_duplicate=False))
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        values, misshapen, strange = {}, [], []
        for name, parameter in own.items():
            if name not in state_dict:
                continue
            given = state_dict[name]
            try:
                value = given.detach() if isinstance(given, Tensor) else _C.as_tensor(given)
            except (TypeError, ValueError, BufferError, RuntimeError) as error:
                strange.append(f"{name} is {_kind(given)} ({error})")
                continue
            if value.shape != parameter.shape:
                misshapen.append(f"{name} has shape {value.shape} and must have {parameter.shape}")
            values[name] = value
        kind: type[Exception] = TypeError if strange else _C.ShapeError if misshapen else ValueError
        faults = strange + misshapen
        if strict and unexpected:
            faults.insert(0, f"unexpected are {unexpected}")
        if strict and missing:
            faults.insert(0, f"missing are {missing}")
        if faults:
            raise kind("load_state_dict: " + "; ".join(faults))
        # All that can fail, and copies of the model's own memory, before anything changes.
        places = {parameter.data_ptr() for parameter in own.values()}
        for name, value in values.items():
            aliases = value.data_ptr() in places and value.data_ptr() != own[name].data_ptr()
            values[name] = value.to(own[name].dtype).to(own[name].device, copy=aliases)
        with no_grad():
            for name, value in values.items():
                own[name].copy_(value)
        return IncompatibleKeys(missing, unexpected)

    def train(self, mode: bool = True) -> Module:
        """Sets `training` of it and of all modules below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """train(False)."""
        return self.train(False)

    def to(self, *args: Any, dtype: Any = None, device: Any = None) -> Module:
        """Brings the parameters to another device or floating dtype, or to those of a tensor. They are changed in place: tied
        weights stay tied. Raises ValueError for parameters that an optimizer or a luge.Parameters owns and that would change;
        nothing has changed then."""
        for given in args:
            if isinstance(given, Tensor):
                dtype, device = given.dtype, given.device
            elif isinstance(given, _C.dtype):
                dtype = given
            elif isinstance(given, (_C.device, str)):
                device = given
            else:
                raise TypeError(f"{type(self).__name__}.to: {_kind(given)} is given; allowed are a dtype, a device and a tensor")
        _C._convert(list(self.parameters()), dtype, device, f"{type(self).__name__}.to")
        return self

    def float(self) -> Module:
        """to(luge.float32)."""
        return self.to(_C.float32)

    def double(self) -> Module:
        """to(luge.float64)."""
        return self.to(_C.float64)

    def half(self) -> Module:
        """to(luge.float16)."""
        return self.to(_C.float16)

    def bfloat16(self) -> Module:
        """to(luge.bfloat16)."""
        return self.to(_C.bfloat16)

    def cpu(self) -> Module:
        """to("cpu")."""
        return self.to("cpu")

    def cuda(self, device: int = 0) -> Module:
        """to("cuda"), or to another GPU."""
        return self.to(_C.device("cuda", device))

    def extra_repr(self) -> str:
        """What stands in the brackets of repr()."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _kind(value: object) -> str:
    """For errors."""
    return "a tensor that is no parameter" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
