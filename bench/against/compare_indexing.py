#!/usr/bin/env python3
"""Picking and putting elements by their places beside PyTorch, on one thread, in one run.

Both sides of a row are timed in turns and their medians are compared. Ends with status 0 also where a row misses its
bar, which is PyTorch's time: the machine's neighbours may be why.

    PYTHONPATH=build/python bench/against/compare_indexing.py [--filter REGEX] [--repetitions N]
"""

import argparse
import os
import re
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"

import luge  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

N = 10**7


def cases(lib, tensor):
    """(what, call) of one library; `tensor` makes one of an array."""
    rng = np.random.default_rng(0)
    x, random, near = rng.random(N, np.float32), rng.integers(0, N, N), np.arange(N)[::-1].copy()
    few, rows = rng.integers(0, 1000, N), rng.integers(0, 10**5, 10**5)
    x, random, near, few, rows = tensor(x), tensor(random), tensor(near), tensor(few), tensor(rows)
    table, zeros, grown = x.view(10**5, 100), lib.zeros(N), lib.zeros(10**5, 100)
    mask = x > 0.5
    flat = x.view(10, 10**6)
    places = (random % 10**6).view(10, 10**6) if lib is torch else tensor((np.asarray(random) % 10**6).reshape(10, 10**6))
    return [
        ("gather, random", lambda: lib.gather(x, 0, random)),
        ("gather, reversed", lambda: lib.gather(x, 0, near)),
        ("gather, (10, 1e6) along 1", lambda: lib.gather(flat, 1, places)),
        ("scatter_add_, random", lambda: zeros.scatter_add_(0, random, x)),
        ("scatter_add, random", lambda: lib.scatter_add(zeros, 0, random, x)),
        ("scatter_add_, into 1000", lambda: zeros.scatter_add_(0, few, x)),
        ("scatter_, random", lambda: zeros.scatter_(0, random, x)),
        ("index_select, random", lambda: lib.index_select(x, 0, random)),
        ("index_select, rows of 100", lambda: lib.index_select(table, 0, rows)),
        ("index_add_, random", lambda: zeros.index_add_(0, random, x)),
        ("index_add_, rows of 100", lambda: grown.index_add_(0, rows, table)),
        ("x[index]", lambda: x[random]),
        ("x[mask]", lambda: x[mask]),
        ("nonzero", lambda: lib.nonzero(mask)),
        ("scatter_reduce amax, into 1000", lambda: lib.scatter_reduce(zeros, 0, few, x, "amax")),
    ]


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filter", default="")
    parser.add_argument("--repetitions", type=int, default=9)
    arguments = parser.parse_args()
    luge.set_num_threads(1)
    torch.set_num_threads(1)
    print(f"1e7 elements, one thread, medians of {arguments.repetitions}; PyTorch {torch.__version__}")
    print("| what | luge (ms) | PyTorch (ms) | times faster |\n| --- | ---: | ---: | ---: |")
    for (what, ours), (_, theirs) in zip(cases(luge, luge.from_numpy), cases(torch, torch.from_numpy), strict=True):
        if not re.search(arguments.filter, what):
            continue
        times = [(seconds(ours), seconds(theirs)) for _ in range(arguments.repetitions + 1)][1:]
        own, other = (statistics.median(side) for side in zip(*times, strict=True))
        print(f"| {what} | {own * 1e3:.1f} | {other * 1e3:.1f} | {other / own:.2f} |", flush=True)


if __name__ == "__main__":
    main()
