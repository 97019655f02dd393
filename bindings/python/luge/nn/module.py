"""What all layers share: parameters and modules that are assigned to a module are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .. import _C
from .._C import Tensor
from ..autograd import no_grad
from ._hooked import PREFIX as _PREFIX
from ._hooked import Hooked as _Hooked
from ._hooked import run_hooks as _run_hooks
from ._hooks import RemovableHandle as RemovableHandle
from .parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """What load_state_dict(strict=False) passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module(_Hooked):
    """What all layers share, as torch.nn.Module: parameters and modules that are assigned to it are its own, and so are tensors
    that register_buffer() names, which are part of its state but are not trained."""

    training: bool
    _parameters: dict[str, Tensor | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _transient=set(), training=True)

    # ---- attributes: a parameter, buffer or module is in its registry and nowhere else

    def _registries(self) -> list[dict[str, Any]]:
        own = self.__dict__
        return [own[registry] for registry in ("_parameters", "_buffers", "_modules") if registry in own]

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__  # without registries before __init__ and while it is unpickled
        for registry in ("_parameters", "_modules", "_buffers"):
            values = own.get(registry)
            if values and name in values:
                return values[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "training":
            _C._training_changed()
        parameters, modules = self.__dict__.get("_parameters", {}), self.__dict__.get("_modules", {})
        if isinstance(value, Tensor) and _C._is_parameter(value):
            self.register_parameter(name, value)
        elif name in parameters:
            if value is not None:
                raise TypeError(f"{self._named(name)} is a parameter; it can become a Parameter or None, not {_kind(value)}")
            parameters[name] = None
        elif name in (buffers := self.__dict__.get("_buffers", {})):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"{self._named(name)} is a buffer; it can become a Tensor or None, not {_kind(value)}")
            buffers[name] = value
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

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that is part of the state and is not trained; state_dict() has it unless `persistent` is False. Assigning
        another tensor to the name replaces it; training in place (`self.name.copy_(...)`) lets captured steps see it."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{self._named(name)} can become a buffer if it is a Tensor or None, not {_kind(tensor)}")
        if name in self.__dict__ or (hasattr(self, name) and name not in self.__dict__.get("_buffers", {})):
            raise KeyError(f"{self._named(name)} is in use; a buffer takes a name of its own")
        self._register("_buffers", name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

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
        return self._named_tensors("_parameters", prefix, recurse, remove_duplicate)

    def _named_tensors(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        for where, module in modules:
            for name, tensor in module.__dict__[registry].items():
                if tensor is None or (remove_duplicate and hash(tensor) in seen):
                    continue
                seen.add(hash(tensor))  # the same for all objects that are one tensor
                yield f"{where}.{name}" if where else name, tensor

    def parameters(self, recurse: bool = True) -> Iterator[Tensor]:
        """All parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers, as named_parameters()."""
        return self._named_tensors("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of this name, such as "body.0"; itself for an empty one. Raises AttributeError where there is none."""
        module = self
        for name in target.split(".") if target else ():
            found = module._modules.get(name)
            if found is None:
                raise AttributeError(f"get_submodule: {type(module).__name__} has no module '{name}', and target is '{target}'")
            module = found
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module in the place of the one of this name, such as "body.0", or, unless `strict`, adds it. Raises
        AttributeError where there is none, ValueError for an empty name."""
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError(f"set_submodule: target is '{target}'; it must name a module")
        owner = self.get_submodule(path)
        if strict and owner._modules.get(name) is None:
            raise AttributeError(f"set_submodule: {_named_type(owner)} has no module '{name}', and target is '{target}'")
        owner.add_module(name, module)

    def get_parameter(self, target: str) -> Tensor:
        """The parameter of this name, such as "body.0.weight". Raises AttributeError where there is none."""
        return self._tensor_at("get_parameter", "_parameters", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of this name. Raises AttributeError where there is none."""
        return self._tensor_at("get_buffer", "_buffers", target)

    def _tensor_at(self, op: str, registry: str, target: str) -> Tensor:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found: Tensor | None = module.__dict__[registry].get(name)
        if found is None:
            raise AttributeError(f"{op}: {type(module).__name__} has no {registry[1:-1]} '{name}', and target is '{target}'")
        return found

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

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """What state_dict() names: of each module its parameters, then the buffers that are kept."""
        for where, module in self.named_modules(None, prefix, remove_duplicate=False):
            kept = ((name, buffer) for name, buffer in module._buffers.items() if name not in module._transient)
            for name, tensor in (*module._parameters.items(), *kept):
                if tensor is not None:
                    yield f"{where}.{name}" if where else name, tensor

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """The values of parameters and buffers by name, with `prefix` before it; they share memory with the module's, and with
        `keep_vars` they are those tensors themselves. Tied weights are one tensor under each of their names."""
        modules = list(self.named_modules(remove_duplicate=False))
        _run_hooks(modules, "_state_dict_pre_hooks", _PREFIX, keep_vars, prefix=prefix)
        values: dict[int, Tensor] = {}
        state = {
            f"{prefix}{name}": values.setdefault(hash(tensor), tensor if keep_vars else tensor.detach())
            for name, tensor in self._state()
        }
        _run_hooks(modules[::-1], "_state_dict_hooks", state, _PREFIX, {}, prefix=prefix)
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Overwrites the values of parameters and buffers with tensors or arrays, which are converted to their dtypes.

        Raises ValueError for missing and unexpected names unless `strict` is False, ShapeError for other shapes and TypeError
        for what is no array, naming all of them; nothing has changed then. Raises ValueError for `assign`: parameters keep
        their places.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: state_dict is {_kind(state_dict)}; it must be a dict")
        if assign:
            raise ValueError("load_state_dict: assign is True; parameters keep their places, so it must be False")
        modules = list(self.named_modules(remove_duplicate=False))
        if any(module.__dict__.get("_load_state_dict_pre_hooks") for _, module in modules):
            state_dict = dict(state_dict)
            _run_hooks(modules, "_load_state_dict_pre_hooks", state_dict, _PREFIX, {}, strict, [], [], [], prefix="")
        own = dict(self._state())
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
        if any(module.__dict__.get("_load_state_dict_post_hooks") for _, module in modules) and not faults:
            self._write(own, values)
            values = {}
            _run_hooks(modules[::-1], "_load_state_dict_post_hooks", IncompatibleKeys(missing, unexpected))
        if strict and unexpected:
            faults.insert(0, f"unexpected are {unexpected}")
        if strict and missing:
            faults.insert(0, f"missing are {missing}")
        if faults:
            raise kind("load_state_dict: " + "; ".join(faults))
        self._write(own, values)
        return IncompatibleKeys(missing, unexpected)

    def _write(self, own: dict[str, Tensor], values: dict[str, Tensor]) -> None:
        # All that can fail, and copies of the model's own memory, before anything changes.
        places = {parameter.data_ptr() for parameter in own.values()}
        for name, value in values.items():
            aliases = value.data_ptr() in places and value.data_ptr() != own[name].data_ptr()
            values[name] = value.to(own[name].dtype).to(own[name].device, copy=aliases)
        with no_grad():
            for name, value in values.items():
                own[name].copy_(value)

    def train(self, mode: bool = True) -> Module:
        """Sets `training` of it and of all modules below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """train(False)."""
        return self.train(False)

    def to(self, *args: Any, dtype: Any = None, device: Any = None) -> Module:
        """Brings parameters and buffers to another device or floating dtype, or to those of a tensor. They are changed in place:
        tied weights stay tied. Raises ValueError for parameters that an optimizer or a luge.Parameters owns and that would change;
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
        _C._convert([*self.parameters(), *self.buffers()], dtype, device, f"{type(self).__name__}.to")
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

    def type(self, dst_type: Any) -> Module:
        """to(dst_type), which is a dtype."""
        if not isinstance(dst_type, _C.dtype):
            raise TypeError(f"{self.__class__.__name__}.type: dst_type is {_kind(dst_type)}; it must be a dtype")
        return self.to(dst_type)

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


def _named_type(module: object) -> str:
    return module.__class__.__name__


def _kind(value: object) -> str:
    """For errors."""
    return "a tensor that is no parameter" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
