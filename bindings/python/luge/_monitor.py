"""luge.Monitor."""

from __future__ import annotations

import sys
import time
import types
from typing import Any

from . import _C
from ._C import Tensor


def _array(values: list[Any], kind: str) -> Any:
    """As a NumPy array where NumPy is installed."""
    try:
        import numpy
    except ImportError:
        return values
    return numpy.array(values, dtype=kind)


class History:
    """What the recorded steps left, column by column: NumPy arrays where NumPy is installed, else lists.

    `step`, `seconds` since the monitor began, `mean`, `min` and `max` over the finite losses of all sets, `not_finite`, and
    `sets`: a row of the kept sets' losses for each step.
    """

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.step = _array(columns["step"], "int64")
        self.seconds = _array(columns["seconds"], "float64")
        self.mean = _array(columns["mean"], "float64")
        self.min = _array(columns["min"], "float64")
        self.max = _array(columns["max"], "float64")
        self.not_finite = _array(columns["not_finite"], "int64")
        self.sets = _array(columns["sets"], "float64")

    def __len__(self) -> int:
        return len(self.step)

    def __repr__(self) -> str:
        return f"<luge.History of {len(self)} steps>"


def _wants_bar() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class Monitor(_C._Monitor):
    """Watches a training without slowing it: record() queues one small kernel, whose results are read behind the training.

    `total`: steps that will be recorded, for the progress bar; `keep_sets`: how many sets' losses are kept one by one;
    `capacity`: steps between two looks. The bar is tqdm's where tqdm is installed, in notebooks too, and only where somebody
    looks at it.

    >>> monitor = luge.Monitor(progress=False)
    >>> monitor.record(luge.tensor([1.0, 3.0]))
    >>> monitor.history.mean.tolist()
    [2.0]
    """

    def __init__(self, total: int = 0, *, keep_sets: int = 0, capacity: int = 4096, progress: bool = True) -> None:
        self._bar: Any = None
        if progress and _wants_bar():
            try:
                from tqdm.auto import tqdm
            except ImportError:
                pass
            else:
                self._bar = tqdm(total=total or None, unit="step")
        super().__init__(total, keep_sets, capacity, progress and self._bar is None)
        self._drawn = 0.0

    def record(self, loss: Tensor) -> None:
        """Notes the losses of one step: any shape of a floating dtype; with sets, one per set."""
        super().record(loss)
        if self._bar is not None and time.monotonic() - self._drawn > 0.1:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        latest = self.latest()
        if latest is not None:
            self._bar.set_postfix(loss=f"{latest[1]:.6g}", refresh=False)
        self._bar.update(self.recorded() - self._bar.n)

    @property
    def history(self) -> History:
        """All steps so far; waits for the device."""
        return History(self.columns())

    def finish(self) -> None:
        """Ends the progress bar."""
        super().finish()
        if self._bar is not None:
            self._draw()
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.finish()

    def plot(self, ax: Any = None) -> Any:
        """Draws mean, smallest and largest loss over the steps by matplotlib; returns the axes.

        Raises ImportError where matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError("Monitor.plot needs matplotlib, which is not installed") from error
        axes = ax if ax is not None else pyplot.subplots()[1]
        history = self.history
        axes.plot(history.step, history.mean, label="mean")
        axes.fill_between(history.step, history.min, history.max, alpha=0.25, label="smallest to largest")
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.legend()
        return axes
