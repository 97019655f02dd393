"""Mixed precision, as in torch.amp: products in a half type, what needs the range or the digits in float32."""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from . import _C, cuda
from ._C import Tensor, bfloat16, dtype, float16
from ._C._optim import Optimizer
from ._names import missing as _missing

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

_Call = TypeVar("_Call", bound=Callable[..., Any])


def is_autocast_available(device_type: str) -> bool:
    """Whether there is autocast for such a device: "cpu" and "cuda".

    >>> luge.amp.is_autocast_available("cpu")
    True
    """
    if not isinstance(device_type, str):
        raise TypeError(f"is_autocast_available: device_type is of type {type(device_type).__name__}; it must be a str")
    return device_type in ("cpu", "cuda")


class autocast:
    """A region, or the body of a function, whose products compute in float16 or bfloat16 and whose sums, exponentials,
    norms and losses compute in float32. float64 tensors and integers stay as they are.

    `dtype` is by default bfloat16 on the CPU and float16 on CUDA. Parameters stay float32, and so do their gradients;
    with `cache_enabled` a parameter is converted once for all its uses. backward() belongs outside of the region and
    computes as forward did wherever it is called.

    >>> weight = luge.ones(2, 2, requires_grad=True)
    >>> with luge.autocast("cpu", dtype=luge.bfloat16):
    ...     y = luge.ones(1, 2) @ weight
    >>> y.dtype
    luge.bfloat16
    >>> y.sum().backward()
    >>> weight.grad.dtype
    luge.float32

    Raises ValueError for another device. Another dtype turns the region off, with a warning, as in PyTorch.
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"autocast: device_type is of type {type(device_type).__name__}; it must be 'cpu' or 'cuda'")
        if not is_autocast_available(device_type):
            raise ValueError(f"autocast: device_type is {device_type!r}; allowed are 'cpu' and 'cuda'")
        self.device = device_type
        self.fast_dtype = _C.get_autocast_dtype(device_type) if dtype is None else dtype
        self._enabled = bool(enabled)
        self._cache_enabled = _C.is_autocast_cache_enabled() if cache_enabled is None else bool(cache_enabled)
        if self._enabled and self.fast_dtype not in (float16, bfloat16):
            warnings.warn(
                f"autocast: dtype is {self.fast_dtype}; allowed are float16 and bfloat16. The region is off.",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled and device_type == "cuda" and not cuda.is_available():
            warnings.warn("autocast: there is no GPU that can be used. The region is off.", stacklevel=2)
            self._enabled = False
        self._before: list[tuple[bool, Any, bool]] = []

    def __enter__(self) -> autocast:
        self._before.append(
            (_C.is_autocast_enabled(self.device), _C.get_autocast_dtype(self.device), _C.is_autocast_cache_enabled())
        )
        if self._enabled:
            _C.set_autocast_dtype(self.device, self.fast_dtype)
        _C.set_autocast_enabled(self.device, self._enabled)
        _C.set_autocast_cache_enabled(self._cache_enabled)
        _C.autocast_increment_nesting()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        _C.autocast_decrement_nesting()
        enabled, dtype, cache_enabled = self._before.pop()
        _C.set_autocast_enabled(self.device, enabled)
        _C.set_autocast_dtype(self.device, dtype)
        _C.set_autocast_cache_enabled(cache_enabled)

    def __call__(self, func: _Call) -> _Call:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


def _cast(value: Any, device_type: str, to: dtype) -> Any:
    if isinstance(value, Tensor):
        eligible = value.is_floating_point() and value.device.type == device_type and value.dtype != _C.float64
        return value.to(to) if eligible else value
    if isinstance(value, dict):
        return {_cast(key, device_type, to): _cast(item, device_type, to) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_cast(item, device_type, to) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: dtype | None = None) -> Any:
    """Decorates `forward` of a luge.autograd.Function. With `cast_inputs`, inputs are converted to that dtype within
    autocast and the body runs outside of it; else it runs as it is called. custom_bwd makes backward run alike.

    >>> class Double(luge.autograd.Function):
    ...     @staticmethod
    ...     @luge.amp.custom_fwd(device_type="cpu", cast_inputs=luge.float32)
    ...     def forward(ctx, x):
    ...         return x * 2
    ...
    ...     @staticmethod
    ...     @luge.amp.custom_bwd(device_type="cpu")
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> Double.apply(luge.tensor(1.5))
    tensor(3.)
    """
    if not isinstance(device_type, str):
        raise ValueError(f"custom_fwd: device_type is of type {type(device_type).__name__}; it must be 'cpu' or 'cuda'")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        ctx._dtype = _C.get_autocast_dtype(device_type)
        enabled = _C.is_autocast_enabled(device_type)
        if cast_inputs is None or not enabled:
            ctx._fwd_used_autocast = enabled
            return fwd(*args, **kwargs)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(*_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorates `backward` of a luge.autograd.Function whose forward is decorated by custom_fwd: it runs within autocast
    if forward did.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"custom_bwd: device_type is of type {type(device_type).__name__}; it must be 'cpu' or 'cuda'")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(*args, **kwargs)

    return backward


class GradScaler:
    """Scales a loss so that gradients in float16 do not vanish, as in torch.amp.GradScaler.

    step() leaves the parameters, the optimizer's state and its count of steps as they were where a gradient is infinite or
    NaN: in an arena with sets for each set alone. Nothing of it reads a value on the host, so that a captured step may hold
    all of it. With `sets` each set has a scale of its own, and the loss given to scale() has shape (sets).

    >>> x = luge.tensor(2.0, requires_grad=True)
    >>> optimizer = luge.optim.SGD([x], lr=0.1)
    >>> scaler = luge.amp.GradScaler("cpu", init_scale=4.0)
    >>> scaler.scale(x * x).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> round(x.item(), 6), scaler.get_scale()
    (1.6, 4.0)

    Raises ValueError for a bad option, and for step() or unscale_() of an optimizer twice without update() between.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
        *,
        sets: int | None = None,
    ) -> None:
        if enabled and str(device).startswith("cuda") and not cuda.is_available():
            warnings.warn("GradScaler: there is no GPU that can be used. The scaler is off.", stacklevel=2)
            enabled = False
        own = device if enabled else "cpu"
        self._scaler = _C._GradScaler(own, init_scale, growth_factor, backoff_factor, growth_interval, enabled, sets)
        self._enabled = bool(enabled)
        self._factors: list[Any] = [growth_factor, backoff_factor, growth_interval]
        self._init_scale = init_scale

    def scale(self, outputs: Any) -> Any:
        """outputs * scale: a tensor, or an iterable of such."""
        if isinstance(outputs, Tensor):
            return self._scaler.scale(outputs)
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(self.scale(one) for one in outputs)
        if hasattr(outputs, "__iter__"):
            return map(self.scale, outputs)
        raise ValueError(f"scale: outputs is of type {type(outputs).__name__}; it must be a tensor or an iterable of tensors")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients of the optimizer's parameters by the scale, so that they can be clipped; else step() does."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Divides the gradients by the scale, unless unscale_() did, and steps where all of them are finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"step: optimizer is of type {type(optimizer).__name__}; it must be Optimizer")
        if args or kwargs:
            raise RuntimeError("step: a closure would compute gradients of a new scale; call it without one")
        self._scaler.step(optimizer)
        return None

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Changes the scale by what step() found, or takes `new_scale`."""
        if not self._enabled:
            return
        if new_scale is None:
            self._scaler.update()
        else:
            self._scaler.update_to(float(new_scale))

    def found_inf(self, optimizer: Optimizer) -> Tensor:
        """Whether a gradient was infinite or NaN at the last unscale_() or step(): bool, of shape () or (sets)."""
        found: Tensor = self._scaler.found_inf(optimizer)
        return found

    def get_scale(self) -> Any:
        """The scale: a number, or a tensor where each set has its own. Waits for the device."""
        if not self._enabled:
            return 1.0
        scale = self._scaler.scale_tensor
        return scale.item() if scale.ndim == 0 else scale.clone()

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    def _set(self, place: int, value: Any) -> None:
        factors = list(self._factors)
        factors[place] = value
        self._scaler.set_options(*factors)
        self._factors = factors

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by after growth_interval steps without infinities."""
        return float(self._factors[0])

    def set_growth_factor(self, new_factor: float) -> None:
        """Changes it, from the next update() on; a captured step keeps its own."""
        self._set(0, new_factor)

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after a step with infinities."""
        return float(self._factors[1])

    def set_backoff_factor(self, new_factor: float) -> None:
        """Changes it, from the next update() on; a captured step keeps its own."""
        self._set(1, new_factor)

    def get_growth_interval(self) -> int:
        """How many steps without infinities make the scale grow."""
        return int(self._factors[2])

    def set_growth_interval(self, new_interval: int) -> None:
        """Changes it, from the next update() on; a captured step keeps its own."""
        self._set(2, new_interval)

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors and the count of steps since the scale changed, by PyTorch's names; empty where it is off."""
        if not self._enabled:
            return {}
        tracker = self._scaler.growth_tracker
        growth, backoff, interval = self._factors
        return {
            "scale": self.get_scale(),
            "growth_factor": growth,
            "backoff_factor": backoff,
            "growth_interval": interval,
            "_growth_tracker": int(tracker.item()) if tracker.ndim == 0 else tracker.clone(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on as the scaler did that this is the state of; one of PyTorch's fits, too."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("load_state_dict: the state is empty: that of a scaler that is off")
        factors = [state_dict["growth_factor"], state_dict["backoff_factor"], state_dict["growth_interval"]]
        self._scaler.set_options(*factors)
        self._factors = factors
        for tensor, value in (
            (self._scaler.scale_tensor, state_dict["scale"]),
            (self._scaler.growth_tracker, state_dict["_growth_tracker"]),
        ):
            tensor.copy_(value) if isinstance(value, Tensor) else tensor.fill_(value)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
