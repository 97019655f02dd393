"""L-BFGS, with the line search of torch.optim.LBFGS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import _C
from .._C import Tensor
from .._C._optim import Optimizer
from ..autograd import enable_grad, no_grad

#: Of the strong Wolfe conditions: sufficient decrease, and curvature.
_DECREASE, _CURVATURE = 1e-4, 0.9


class _Point(NamedTuple):
    """A point of the line that is searched: how far along it, the loss, the gradient and the slope there."""

    t: float
    loss: float
    gradient: Tensor
    slope: float


def _least_of_cubic(a: _Point, b: _Point, low: float, high: float) -> float:
    """Where the cubic through two points with their slopes is least, within [low, high]; the middle if nowhere."""
    one = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t) if a.t != b.t else math.nan
    square = one * one - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    divisor = right.slope - left.slope + 2 * root
    if divisor == 0:
        return (low + high) / 2
    return min(max(right.t - (right.t - left.t) * ((right.slope + root - one) / divisor), low), high)


def _line_search(
    at: Callable[[float], _Point], start: _Point, t: float, length: float, smallest: float, most: int
) -> tuple[_Point, int]:
    """A point along the line that fulfils the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6), and how
    many points were looked at."""
    limit = -_CURVATURE * start.slope

    def is_high(point: _Point) -> bool:
        return point.loss > start.loss + _DECREASE * point.t * start.slope

    before, now, count = start, at(t), 1
    looked = 0
    bracket: list[_Point] = []
    while looked < most:
        if is_high(now) or (looked > 1 and now.loss >= before.loss):
            bracket = [before, now]
            break
        if abs(now.slope) <= limit:
            return now, count
        if now.slope >= 0:
            bracket = [before, now]
            break
        t = _least_of_cubic(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now = now, at(t)
        count += 1
        looked += 1
    if looked == most:
        bracket = [start, now]

    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    stalls = False
    while looked < most:
        ends = sorted(point.t for point in bracket)
        if (ends[1] - ends[0]) * length < smallest:
            break
        t = _least_of_cubic(bracket[0], bracket[1], *ends)
        margin = 0.1 * (ends[1] - ends[0])
        # A point too near to an end twice in a row, or at it, makes way for one a tenth inside.
        if min(ends[1] - t, t - ends[0]) < margin:
            if stalls or t >= ends[1] or t <= ends[0]:
                t = ends[1] - margin if abs(t - ends[1]) < abs(t - ends[0]) else ends[0] + margin
                stalls = False
            else:
                stalls = True
        else:
            stalls = False
        now = at(t)
        count += 1
        looked += 1
        if is_high(now) or now.loss >= bracket[low].loss:
            bracket[high] = now
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        done = abs(now.slope) <= limit
        if not done and now.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = now
        if done:
            break
    return bracket[low], count


class LBFGS(Optimizer):
    """L-BFGS as torch.optim.LBFGS: `step(closure)` runs up to `max_iter` iterations, each of which moves all parameters
    along one direction, by `lr` or, with line_search_fn="strong_wolfe", by a search along the line. It takes one parameter
    group. It reads the loss on the host: a step that is captured throws CaptureError. Sets are not fitted one by one: with
    more than one set it throws ValueError, and luge.fit is what fits them.

    >>> x = luge.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = luge.optim.LBFGS([x], lr=1, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    13.0
    >>> bool(((x - 1).abs() < 1e-5).all())
    True
    """

    _on_device = ("lr",)

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        if not isinstance(lr, Tensor) and not lr >= 0:
            raise ValueError(f"LBFGS: lr is {lr}; it must be 0 or more")
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn is '{line_search_fn}'; allowed are None and 'strong_wolfe'")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(f"LBFGS: there are {len(self.param_groups)} parameter groups; it takes one")
        if self.parameters.sets > 1:
            raise ValueError(f"LBFGS: the parameters have {self.parameters.sets} sets; luge.fit fits sets one by one")

    def add_param_group(self, param_group: Any) -> None:
        """LBFGS has one parameter group: ValueError."""
        raise ValueError("LBFGS: it takes one parameter group")

    def _flat_gradient(self) -> Tensor:
        parts = []
        for i, p in enumerate(self.param_groups[0]["params"]):
            gradient = p.grad if self._is_active(0, i) else _C.zeros_like(p.detach())
            parts.append(gradient.reshape(-1))
        flat = _C.cat(parts)
        return -flat if self.param_groups[0]["maximize"] else flat

    def _move(self, direction: Tensor, t: float) -> None:
        begin = 0
        for p in self.param_groups[0]["params"]:
            p.add_(direction[begin : begin + p.numel()].reshape(p.shape), alpha=t)
            begin += p.numel()

    def _direction(self, state: dict[str, Any], gradient: Tensor, history: int) -> Tensor:
        """The quasi-Newton direction (Nocedal and Wright, algorithm 7.4), after the history has taken in the last step."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        change, way = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        dirs, stps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        curvature = change.dot(way).item()
        if curvature > 1e-10:
            if len(dirs) == history:
                for kept in (dirs, stps, ro):
                    kept.pop(0)
            dirs.append(change)
            stps.append(way)
            ro.append(1.0 / curvature)
            state["H_diag"] = curvature / change.dot(change).item()
        q, weights = -gradient, [0.0] * len(dirs)
        for i in reversed(range(len(dirs))):
            weights[i] = stps[i].dot(q).item() * float(ro[i])
            q = q - weights[i] * dirs[i]
        r = q * float(state["H_diag"])
        for i in range(len(dirs)):
            r = r + (weights[i] - dirs[i].dot(r).item() * float(ro[i])) * stps[i]
        return r

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Runs up to max_iter iterations. `closure` clears the gradients, computes the loss, calls backward() and returns the
        loss; it is called once or more often. Returns the loss before the first iteration."""
        if closure is None:
            raise TypeError("step: LBFGS needs a closure that computes the loss and its gradients again")
        with no_grad():
            return self._iterate(closure)

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr, most, tolerance = float(group["lr"]), group["max_eval"], group["tolerance_change"]
        params = group["params"]
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluated() -> tuple[Any, float, Tensor]:
            with enable_grad():
                given = closure()
            loss = float(given)
            return given, -loss if group["maximize"] else loss, self._flat_gradient()

        first, loss, gradient = evaluated()
        evaluations = 1
        state["func_evals"] += 1
        if gradient.abs().max().item() <= group["tolerance_grad"]:
            return first

        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(state, gradient, group["history_size"])
            state.update(d=direction, prev_flat_grad=gradient, prev_loss=loss)
            t = lr * min(1.0, 1.0 / gradient.abs().sum().item()) if state["n_iter"] == 1 else lr
            state["t"] = t
            slope = gradient.dot(direction).item()
            if slope > -tolerance:
                break
            before, is_optimal = loss, False
            if group["line_search_fn"] is not None:
                places = [p.detach().clone() for p in params]

                def at(t: float, direction: Tensor = direction, places: list[Tensor] = places) -> _Point:
                    self._move(direction, t)
                    _, loss, gradient = evaluated()
                    for p, place in zip(params, places):
                        p.copy_(place)
                    return _Point(t, loss, gradient, gradient.dot(direction).item())

                start = _Point(0.0, loss, gradient, slope)
                length = direction.abs().max().item()
                found, count = _line_search(at, start, t, length, 1e-9, most - evaluations)
                t, loss, gradient = found.t, found.loss, found.gradient
                state["t"] = t
                self._move(direction, t)
                is_optimal = gradient.abs().max().item() <= group["tolerance_grad"]
            else:
                self._move(direction, t)
                count = 0
                if iteration != group["max_iter"]:
                    _, loss, gradient = evaluated()
                    is_optimal = gradient.abs().max().item() <= group["tolerance_grad"]
                    count = 1
            evaluations += count
            state["func_evals"] += count
            if evaluations >= most or is_optimal:
                break
            if (direction * t).abs().max().item() <= tolerance or abs(loss - before) < tolerance:
                break
        return first
