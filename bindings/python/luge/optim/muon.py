"""Muon: momentum whose matrices are orthogonalized."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from .._C._optim import Optimizer
from ..autograd import enable_grad, no_grad

_RATIOS: dict[str | None, Callable[[int, int], float]] = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
    "spectral_unclamped": lambda rows, columns: math.sqrt(rows / columns),
}


def _beside(value: Tensor) -> Tensor:
    """A number, or one for each set, beside matrices."""
    return value if value.ndim == 0 else value.reshape(-1, 1, 1)


def _orthogonalized(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """The nearest orthogonal matrix, roughly, by `steps` Newton-Schulz iterations of fifth order in bfloat16."""
    linear, cubic, quintic = coefficients
    is_tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.to(_C.bfloat16)
    if is_tall:
        x = x.mT
    norm = (x.to(_C.float32) ** 2).sum((-2, -1), keepdim=True).sqrt().to(_C.bfloat16)
    x = x / norm.clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = linear * x + (cubic * gram + quintic * (gram @ gram)) @ x
    return x.mT if is_tall else x


class Muon(Optimizer):
    """Muon as torch.optim.Muon, for matrices: a moving average of the gradients, orthogonalized by Newton-Schulz
    iterations in bfloat16, with decoupled weight decay. With sets each set's matrix is orthogonalized alone. `lr`,
    `weight_decay` and `momentum` may differ from set to set. A step may be captured.

    Throws ValueError for a parameter that is no matrix.

    >>> w = luge.ones(2, 2, requires_grad=True)
    >>> optimizer = luge.optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * luge.eye(2)).sum().backward()
    >>> optimizer.step()
    >>> bool(w[0, 0] < 1), w[0, 1].item()
    (True, 1.0)
    """

    _on_device = ("lr", "weight_decay", "momentum")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        weight_decay: float | Tensor = 0.1,
        momentum: float | Tensor = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay), ("momentum", momentum)):
            if not isinstance(value, Tensor) and not value >= 0:
                raise ValueError(f"Muon: {name} is {value}; it must be 0 or more")
        if adjust_lr_fn not in _RATIOS:
            raise ValueError(f"Muon: adjust_lr_fn is '{adjust_lr_fn}'; allowed are {', '.join(map(repr, _RATIOS))}")
        if len(ns_coefficients) != 3:
            raise ValueError(f"Muon: ns_coefficients has {len(ns_coefficients)} numbers; it must have 3")
        if not 0 <= ns_steps < 100:
            raise ValueError(f"Muon: ns_steps is {ns_steps}; it must be from 0 to 99")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        self._prepare()

    def add_param_group(self, param_group: Any) -> None:
        """Adds a group of further matrices."""
        super().add_param_group(param_group)
        self._prepare()

    def _prepare(self) -> None:
        """Gives each matrix its buffer: a captured step works on memory that is there before."""
        dimensions = 3 if self.parameters.batched else 2
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != dimensions:
                    raise ValueError(f"Muon: a parameter has shape {tuple(p.shape)}; allowed are matrices")
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = _C.zeros_like(p.detach())

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every matrix that requires a gradient and has one; returns what `closure` returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for number, group in enumerate(self.param_groups):
                self._step_group(number, group)
        return loss

    def _step_group(self, number: int, group: Any) -> None:
        lr, decay, momentum = (_beside(group.tensor(name)) for name in self._on_device)
        for i, p in enumerate(group["params"]):
            if not self._is_active(number, i):
                continue
            rows, columns = p.shape[-2:]
            gradient, buffer = p.grad, self.state[p]["momentum_buffer"]
            buffer.add_((gradient - buffer) * (1 - momentum))
            update = gradient + momentum * (buffer - gradient) if group["nesterov"] else buffer
            update = _orthogonalized(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
            ratio = _RATIOS[group["adjust_lr_fn"]](rows, columns)
            p.mul_(1 - lr * decay)
            p.sub_(lr * ratio * update.to(p.dtype))
