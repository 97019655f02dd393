"""Sorting and its relatives, luge beside PyTorch in one process on one thread: paired medians.

    python bench/against/compare_order.py [--size 10000000] [--rounds 5] [--filter topk]

Each round times both libraries on the same numbers, one directly after the other, in processor seconds; a line gives the
medians and the median of the rounds' ratios (PyTorch's time / luge's time, so that more than 1 is faster than PyTorch).
"""

import argparse
import os
import re
import statistics
import time

os.environ["LUGE_NUM_THREADS"] = "1"

import luge  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from measure import commit, cpu_model, readable  # noqa: E402


def cases(size):
    """(what, call of a library, arrays)"""
    random = numpy.random.default_rng(0)
    floats, doubles = random.normal(size=size).astype(numpy.float32), random.normal(size=size)
    wide, narrow = random.integers(-(2**60), 2**60, size), random.integers(0, 1000, size)
    words = random.integers(-(2**31), 2**31 - 1, size).astype(numpy.int32)
    few = size // 10
    edges = numpy.sort(random.normal(size=few)).astype(numpy.float32)
    return [
        ("sort float32", lambda m, x: m.sort(x), [floats]),
        ("sort float64", lambda m, x: m.sort(x), [doubles]),
        ("sort int64 of 60 bits", lambda m, x: m.sort(x), [wide]),
        ("sort int64 below 1000", lambda m, x: m.sort(x), [narrow]),
        ("sort int32", lambda m, x: m.sort(x), [words]),
        ("sort int8", lambda m, x: m.sort(x), [narrow.astype(numpy.int8)]),
        ("argsort float32, descending", lambda m, x: m.argsort(x, descending=True), [floats]),
        ("sort float32, rows of 1000", lambda m, x: m.sort(x), [floats.reshape(-1, 1000)]),
        ("sort float32, rows of 16", lambda m, x: m.sort(x), [floats[: size // 16 * 16].reshape(-1, 16)]),
        ("topk 100 float32", lambda m, x: m.topk(x, 100), [floats]),
        ("topk 100 int64", lambda m, x: m.topk(x, 100), [wide]),
        ("topk 100 float32, ascending", lambda m, x: m.topk(x, 100), [numpy.sort(floats)]),
        ("topk 10 float32, rows of 1000", lambda m, x: m.topk(x, 10), [floats.reshape(-1, 1000)]),
        ("kthvalue n / 2 float32", lambda m, x: m.kthvalue(x, size // 2), [floats]),
        ("median float32", lambda m, x: m.median(x), [floats]),
        ("quantile float32", lambda m, x: m.quantile(x, 0.3), [floats]),
        ("mode int64, rows of 1000", lambda m, x: m.mode(x), [narrow.reshape(-1, 1000)]),
        ("unique int64 below 1000", lambda m, x: m.unique(x), [narrow]),
        ("unique float32, all results", lambda m, x: m.unique(x, return_inverse=True, return_counts=True), [floats]),
        ("searchsorted n / 10 in n / 10", lambda m, x, y: m.searchsorted(y, x), [floats[:few], edges]),
        ("bucketize in 10", lambda m, x, y: m.bucketize(x, y), [floats, edges[:: max(1, few // 10)]]),
        ("isin n / 10 in n / 10", lambda m, x, y: m.isin(x, y), [wide[:few], wide[few // 2 : few // 2 + few]]),
        ("bincount below 1000", lambda m, x: m.bincount(x), [narrow]),
        ("bincount below 1000, weights", lambda m, x, w: m.bincount(x, w), [narrow, doubles]),
        ("histc of 100", lambda m, x: m.histc(x, 100, -3, 3), [floats]),
        ("histogram of 100", lambda m, x: m.histogram(x, 100, range=(-3.0, 3.0)), [floats]),
    ]


def seconds(call, library, tensors):
    start = time.process_time()
    call(library, *tensors)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--filter", default="", help="only cases that match this regular expression")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{cpu_model()}, PyTorch {torch.__version__}, luge {commit()}, {arguments.size} elements, one thread\n")
    print(f"{'':34}{'luge':>10}{'PyTorch':>10}{'ratio':>8}")
    for what, call, arrays in cases(arguments.size):
        if not re.search(arguments.filter, what):
            continue
        ours, theirs = [luge.tensor(array) for array in arrays], [torch.from_numpy(array) for array in arrays]
        call(luge, *ours)
        pairs = [(seconds(call, luge, ours), seconds(call, torch, theirs)) for _ in range(arguments.rounds)]
        ratio = statistics.median(their / own for own, their in pairs)
        own, their = (statistics.median(column) for column in zip(*pairs))
        print(f"{what:34}{readable(own):>10}{readable(their):>10}{ratio:7.2f}x", flush=True)


if __name__ == "__main__":
    main()
