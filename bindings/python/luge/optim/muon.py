"""Muon: momentum whose matrices are orthogonalized."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from .._C._optim import Optimizer, _muon_step_
from ..autograd import enable_grad, no_grad

#: Numbers of MuonRate in core/luge/train/muon.h.
_RATES = {None: 0, "original": 0, "match_rms_adamw": 1, "spectral_unclamped": 2}


class Muon(Optimizer):
    """Muon as torch.optim.Muon, for matrices: a moving average of the gradients, orthogonalized by Newton-Schulz
    iterations in bfloat16, with decoupled weight decay. With sets each set's matrix is orthogonalized alone. `lr`,
    `weight_decay` and `momentum` may differ from set to set, and sets that params.set_active lets rest stay as they are. A step
    may be captured.

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
        if adjust_lr_fn not in _RATES:
            raise ValueError(f"Muon: adjust_lr_fn is '{adjust_lr_fn}'; allowed are {', '.join(map(repr, _RATES))}")
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
        numbers = [group.tensor(name) for name in self._on_device]
        stepped = self._stepped_sets(number)
        for i, p in enumerate(group["params"]):
            if self._is_active(number, i):
                _muon_step_(
                    p, p.grad, self.state[p]["momentum_buffer"], numbers, stepped, group["nesterov"], tuple(group["ns_coefficients"]),
                    group["ns_steps"], group["eps"], _RATES[group["adjust_lr_fn"]],
                )  # fmt: skip
