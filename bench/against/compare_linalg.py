#!/usr/bin/env python3
"""Linear algebra beside PyTorch, one thread: many small matrices, with and without gradients, and a large one.

Both sides of a row take turns and their medians are compared; results must agree. Prints a table. To be run by an interpreter
that has luge and PyTorch.

    bench/against/compare_linalg.py [--filter REGEX] [--repetitions N]
"""

import argparse
import os
import re
import statistics
import time

os.environ["OMP_NUM_THREADS"] = os.environ["LUGE_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

import luge  # noqa: E402


def definite(batch, n):
    x = np.random.default_rng(0).uniform(-1, 1, (*batch, n, n)).astype("float32")
    return x @ x.swapaxes(-1, -2) + n * np.eye(n, dtype="float32")


def sides(batch, n, k):
    return np.random.default_rng(1).uniform(-1, 1, (*batch, n, k)).astype("float32")


def cholesky_solve(m, a, b):
    return m.cholesky_solve(b, m.linalg.cholesky(a))


def backward(function):
    def run(m, *tensors):
        for tensor in tensors:
            tensor.grad = None
        function(m, *tensors).sum().backward()
        return tensors[0].grad

    run.trains = True
    return run


#: What, function of the library and the tensors, the tensors, and the bar: how many times PyTorch's speed.
CASES = [
    ("1e5 cholesky 8x8", lambda m, a: m.linalg.cholesky(a), (definite((100000,), 8),), None),
    ("1e5 cholesky solves 8x8", cholesky_solve, (definite((100000,), 8), sides((100000,), 8, 1)), None),
    ("1e5 cholesky solves 8x8, gradients", backward(cholesky_solve), (definite((100000,), 8), sides((100000,), 8, 1)), 5),
    ("1e5 solve 8x8", lambda m, a, b: m.linalg.solve(a, b), (definite((100000,), 8), sides((100000,), 8, 1)), None),
    ("1e5 solve 8x8, gradients", backward(lambda m, a, b: m.linalg.solve(a, b)),
     (definite((100000,), 8), sides((100000,), 8, 1)), 5),
    ("1e5 solve 4x4", lambda m, a, b: m.linalg.solve(a, b), (definite((100000,), 4), sides((100000,), 4, 1)), None),
    ("1e5 inv 4x4", lambda m, a: m.linalg.inv(a), (definite((100000,), 4),), None),
    ("1e5 det 4x4, gradients", backward(lambda m, a: m.linalg.det(a)), (definite((100000,), 4) / 8,), None),
    ("1e3 eigh 16x16", lambda m, a: m.linalg.eigh(a)[0], (definite((1000,), 16),), None),
    ("1e3 svdvals 16x16", lambda m, a: m.linalg.svdvals(a), (definite((1000,), 16),), None),
    ("cholesky 512", lambda m, a: m.linalg.cholesky(a), (definite((), 512),), None),
    ("solve 512", lambda m, a, b: m.linalg.solve(a, b), (definite((), 512), sides((), 512, 8)), None),
    ("svd 256", lambda m, a: m.linalg.svd(a)[1], (definite((), 256),), None),
]


def tensors_of(m, arrays, trains):
    return [m.from_numpy(array.copy()).requires_grad_(trains) for array in arrays]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filter", default="")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    luge.set_num_threads(1)
    print(f"{'':36} {'luge':>10} {'PyTorch':>10} {'ratio':>7}  bar")
    for what, function, arrays, bar in CASES:
        if not re.search(arguments.filter, what):
            continue
        trains = hasattr(function, "trains")
        given = {m: tensors_of(m, arrays, trains) for m in (luge, torch)}
        results = {m: function(m, *given[m]).detach().numpy() for m in (luge, torch)}
        np.testing.assert_allclose(results[luge], results[torch], rtol=2e-3, atol=2e-3 * np.abs(results[torch]).max())
        times = {luge: [], torch: []}
        for _ in range(arguments.repetitions):
            for m in times:
                start = time.process_time()
                function(m, *given[m])
                times[m].append(time.process_time() - start)
        ours, theirs = (statistics.median(times[m]) for m in (luge, torch))
        verdict = "" if bar is None else f"at least {bar}: {'yes' if theirs / ours >= bar else 'no'}"
        print(f"{what:36} {ours * 1e3:>7.2f} ms {theirs * 1e3:>7.2f} ms {theirs / ours:>7.2f}  {verdict}")


if __name__ == "__main__":
    main()
