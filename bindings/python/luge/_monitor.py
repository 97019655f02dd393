"""luge.Monitor."""

from __future__ import annotations

import os
import sys
import time
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from . import _C, _logging
from ._C import Summary, Tensor


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
        self._logged = _logging.Logged()

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

    def distribution(self, name: str, x: Tensor, *, bins: int = 64) -> Summary:
        """Summarises a tensor (luge.summarize) and keeps the summary, under the last recorded step, for the loggers.

        For the end of a training and for every so many steps: it waits for the device and copies the values to the host.

        >>> monitor = luge.Monitor(progress=False)
        >>> monitor.record(luge.tensor([1.0, 3.0]))
        >>> monitor.distribution("x", luge.tensor([1.0, 2.0, 3.0])).quantiles[0.5]
        2.0
        """
        if not isinstance(name, str):
            raise TypeError(f"distribution: name is of type {type(name).__name__}; it must be a str")
        summary = _C.summarize(x, bins=bins)
        self._logged.distributions.append((max(self.recorded() - 1, 0), name, summary))
        return summary

    def kept_quantiles(self, q: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> Any:
        """Quantiles of the kept sets' losses, a row for each step: as a NumPy array where NumPy is installed, else lists.

        They stand for all sets where the first keep_sets are a fair sample: where sets differ by random starts alone, not where
        a learning rate rises from the first to the last.

        >>> monitor = luge.Monitor(keep_sets=3, progress=False)
        >>> monitor.record(luge.tensor([1.0, 2.0, 6.0]))
        >>> monitor.kept_quantiles([0, 0.5]).tolist()
        [[1.0, 2.0]]
        """
        return _array(self._kept_quantiles(list(q)), "float64")

    def write_tensorboard(
        self,
        logdir: str | os.PathLike[str],
        *,
        hparams: _logging.Hyperparameters | None = None,
        metrics: _logging.Metrics | None = None,
        every: int = 1,
    ) -> None:
        """Writes the history for TensorBoard into a folder, which stands for one run; it needs tensorboardX.

        Of every `every`-th step: loss/mean, loss/min, loss/max, loss/not_finite where there are such sets, and the kept sets:
        loss/set_0 ... of up to 8, else quantiles, loss/kept_q50 and so on. Of what distribution() has kept: histograms and
        quantiles. `hparams` and `metrics` are hyperparameters and results for the HPARAMS page. A later call for the same folder
        adds what is new. After a checkpoint was loaded, the next call goes on from what the folder had when it was saved, and
        TensorBoard hides what the folder has got since. TensorBoard holds float32.

        Raises ImportError where tensorboardX is not installed.
        """
        _logging.write_tensorboard(self, self._logged, logdir, hparams, metrics, every)

    def log_to(
        self,
        run: Any,
        *,
        hparams: _logging.Hyperparameters | None = None,
        metrics: _logging.Metrics | None = None,
        every: int = 1,
    ) -> None:
        """Logs what write_tensorboard writes to a run of Weights & Biases (wandb.init()) or MLflow (mlflow.start_run()).

        A later call for the same run adds what is new. W&B gets steps as the metric "step" and hyperparameters as config; MLflow
        has no histograms and gets quantiles alone. After a checkpoint was loaded, the next call goes on from what the run had when
        it was saved; what it has got since stays there, too.

        Raises TypeError for another kind of run.
        """
        _logging.log_to(self, self._logged, run, hparams, metrics, every)

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

    def report(
        self, directory: str | os.PathLike[str], *, title: str = "Training", options: Mapping[str, object] | None = None
    ) -> str:
        """Writes a page about the training into a folder, which it makes, and returns the path of its index.html.

        The page needs no other file and no network: the loss over the steps (mean, smallest to largest, kept sets), the first
        and the last step as a table, `options` (names and values, for instance hyperparameters), the machine. Beside it lie
        history.csv, history.jsonl and what the picture is made of. The program gnuplot draws; without it the page has no
        picture, and a RuntimeWarning names the package to install.

        >>> import os, tempfile, warnings
        >>> monitor = luge.Monitor(progress=False)
        >>> monitor.record(luge.tensor([1.0, 3.0]))
        >>> with warnings.catch_warnings():  # gnuplot may be missing
        ...     warnings.simplefilter("ignore")
        ...     page = monitor.report(tempfile.mkdtemp(), options={"lr": 0.1})
        >>> os.path.basename(page)
        'index.html'
        """
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"report: options is of type {type(options).__name__}; it must be a dict")
        facts = [(str(name), str(value)) for name, value in (options or {}).items()]
        page, trouble = self._report(directory, title, facts)
        if trouble:
            warnings.warn(f"report without pictures: {trouble}", RuntimeWarning, stacklevel=2)
        return page

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
