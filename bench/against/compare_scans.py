#!/usr/bin/env python3
"""Scans and norms of ten million elements beside PyTorch, one thread each.

Usage: compare_scans.py [--count 10000000] [--runs 15]; the luge of the Python that runs it. Calls alternate; the ratio is
the median of PyTorch's time over luge's, pair by pair, of the processor's time.
"""

import argparse
import statistics
import time

import luge
import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int, default=10_000_000)
parser.add_argument("--runs", type=int, default=15)
options = parser.parse_args()
torch.set_num_threads(1)
luge.set_num_threads(1)


def seconds(call):
    start = time.process_time()
    result = call()
    passed = time.process_time() - start
    del result
    return passed


def cases():
    random = np.random.default_rng(1)
    for dtype in ("float32", "float64", "int64"):
        values = random.integers(-100, 100, options.count).astype(dtype)
        pair = torch.from_numpy(values), luge.from_numpy(values)
        for name in ("cumsum", "cumprod", "cummax"):
            yield f"{name} {dtype}", name, pair, (0,)
        if dtype == "int64":
            continue
        yield f"logcumsumexp {dtype}", "logcumsumexp", pair, (0,)
        yield f"norm {dtype}", "norm", pair, ()
        for p in (1, 3, float("inf")):
            yield f"norm {dtype} p={p}", "norm", pair, (p,)
        for shape, dim in (((1000, -1), 0), ((1000, -1), 1), ((100, 100, -1), 1)):
            many = tuple(x.reshape(shape) for x in pair)
            yield f"cumsum {dtype} {tuple(many[0].shape)} dim {dim}", "cumsum", many, (dim,)
        yield f"var {dtype}", "var", pair, ()


print(f"{'':44}{'PyTorch':>10}{'luge':>10}{'ratio':>8}")
for text, name, (theirs, ours), arguments in cases():
    calls = (lambda: getattr(torch, name)(theirs, *arguments)), (lambda: getattr(luge, name)(ours, *arguments))
    runs = [(seconds(calls[0]), seconds(calls[1])) for _ in range(options.runs + 1)][1:]
    medians = [statistics.median(run[i] for run in runs) * 1e3 for i in (0, 1)]
    ratio = statistics.median(a / b for a, b in runs)
    print(f"{text:44}{medians[0]:7.1f} ms{medians[1]:7.1f} ms{ratio:8.2f}", flush=True)
