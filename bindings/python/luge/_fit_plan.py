"""What fits take: parts of luge.fit."""

from __future__ import annotations

from dataclasses import dataclass


def _bytes(count: int) -> str:
    size, unit = float(count), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{count} bytes" if unit == "bytes" else f"{size:.3g} {unit}"


@dataclass(frozen=True)
class FitPlan:
    """What a fit would take, time apart."""

    #: How many sets, and starts of each.
    sets: int
    starts: int
    #: Sets at a time, at most (a fit that can be interrupted takes fewer); how often; calls of fits and covariances.
    chunk: int
    chunks: int
    calls: int
    #: Of the device beside the data: the most at any time, what the results keep, and what tensors may still take.
    bytes: int
    result_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.sets} sets{f' from {self.starts} starts each' if self.starts > 1 else ''}, {self.chunk} at a time in {self.chunks} "
            f"chunk{'' if self.chunks == 1 else 's'} of two calls\n{_bytes(self.bytes)} at most, {_bytes(self.result_bytes)} "
            f"for the results; {_bytes(self.free_bytes)} are free"
        )


@dataclass(frozen=True)
class FitReceipt:
    """What a fit took."""

    #: How many sets, and starts of each.
    sets: int
    starts: int
    #: The most sets at a time; how many times.
    chunk: int
    chunks: int
    #: Of the model with its derivatives at all points of a set, for all starts.
    evaluations: int
    seconds: float
    #: As luge.fit.plan plans them for this chunk.
    bytes: int

    @property
    def fits_per_second(self) -> float:
        """Sets fitted in a second; of several starts the searches are as many times more."""
        return self.sets / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.sets} sets{f' from {self.starts} starts each' if self.starts > 1 else ''} in {self.seconds:.3g} s: "
            f"{self.fits_per_second:.4g} fits/s\n{self.evaluations} evaluations, {self.chunks} chunk{'' if self.chunks == 1 else 's'} "
            f"of at most {self.chunk}, {_bytes(self.bytes)}"
        )
