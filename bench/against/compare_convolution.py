#!/usr/bin/env python3
"""Convolutions beside PyTorch, one thread: the layers of a small network on Fashion-MNIST, forward and both gradients apart,
other shapes, and whole training steps of that network, eager and captured.

Both sides of a row take turns and the medians of their processor times are compared; results must agree. Prints a table. To be
run by an interpreter that has luge and PyTorch.

    bench/against/compare_convolution.py [--filter REGEX] [--repetitions N]

Why no library computes convolutions: milliseconds of processor time on a Xeon with AVX-512, one thread, forward, gradient of
x, gradient of w. Debian's oneDNN 2.6.3 with its reorders:

    64 x 1 x 28^2 -> 32, 3x3    oneDNN   0.85   4.65   0.92    luge   0.51   1.10   0.66
    64 x 32 x 14^2 -> 64, 3x3   oneDNN   3.28   3.48   3.46    luge   4.00   4.38   3.98
    64 x 32 x 28^2 -> 64, 3x3   oneDNN  15.22  16.37  17.25    luge  15.52  16.58  15.01
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

torch.set_num_threads(1)

#: Name, images, weight, options.
LAYERS = [
    ("64 x 1 x 28^2 -> 32, 3x3", (64, 1, 28, 28), (32, 1, 3, 3), {"padding": 1}),
    ("64 x 32 x 14^2 -> 64, 3x3", (64, 32, 14, 14), (64, 32, 3, 3), {"padding": 1}),
    ("64 x 32 x 28^2 -> 64, 3x3", (64, 32, 28, 28), (64, 32, 3, 3), {"padding": 1}),
    ("64 x 32 x 28^2 -> 64, 3x3, stride 2", (64, 32, 28, 28), (64, 32, 3, 3), {"padding": 1, "stride": 2}),
    ("64 x 64 x 14^2, depthwise 3x3", (64, 64, 14, 14), (64, 1, 3, 3), {"padding": 1, "groups": 64}),
    ("16 x 64 x 28^2 -> 64, 1x1", (16, 64, 28, 28), (64, 64, 1, 1), {}),
    ("8 x 128 x 14^2 -> 128, 3x3", (8, 128, 14, 14), (128, 128, 3, 3), {"padding": 1}),
]


def random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def layer(shape, weight, options, part):
    """One pass of a layer in each library."""
    x, w = random(shape, 0), random(weight, 1)

    def make(m):
        xs, ws = m.tensor(x), m.tensor(w)
        if part == "forward":
            bias = m.tensor(random((weight[0],), 2))
            return lambda: m.conv2d(xs, ws, bias, **options)
        (xs if part == "gradient of x" else ws).requires_grad_()
        y = m.conv2d(xs, ws, **options)
        g = m.tensor(random(tuple(y.shape), 3))
        leaf = xs if part == "gradient of x" else ws

        def backward():
            leaf.grad = None
            y.backward(g, retain_graph=True)
            return leaf.grad

        return backward

    return make(luge), make(torch)


def network(m):
    return m.nn.Sequential(
        m.nn.Conv2d(1, 32, 3, padding=1), m.nn.ReLU(), m.nn.MaxPool2d(2),
        m.nn.Conv2d(32, 64, 3, padding=1), m.nn.ReLU(), m.nn.MaxPool2d(2),
        m.nn.Flatten(), m.nn.Linear(64 * 49, 10),
    )  # fmt: skip


def training(captured):
    """A step of SGD on a batch of 64 images."""
    model, other = network(luge), network(torch)
    other.load_state_dict({name: torch.tensor(value.detach().numpy()) for name, value in model.state_dict().items()})

    def make(m, model):
        x, labels = m.tensor(random((64, 1, 28, 28), 4)), m.tensor(np.random.default_rng(5).integers(0, 10, 64))
        optimizer = m.optim.SGD(model.parameters(), lr=0.01)

        def step():
            optimizer.zero_grad()
            loss = m.nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        return step

    step = make(luge, model)
    return luge.capture(step) if captured else step, make(torch, other)


#: What, both sides, and the bar: how many times PyTorch's speed.
CASES = [
    (f"{name}, {part}", lambda s=shape, w=weight, o=options, p=part: layer(s, w, o, p), None)
    for name, shape, weight, options in LAYERS
    for part in ("forward", "gradient of x", "gradient of w")
] + [
    ("step of the network, eager", lambda: training(False), None),
    ("step of the network, captured", lambda: training(True), 1.3),
]


def processor_time(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filter", default="")
    parser.add_argument("--repetitions", type=int, default=31)
    arguments = parser.parse_args()
    for name, make, bar in CASES:
        if not re.search(arguments.filter, name):
            continue
        mine, theirs = make()
        a, b = mine().detach().numpy(), theirs().detach().numpy()
        assert np.allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max()), name
        times = [(processor_time(mine), processor_time(theirs)) for _ in range(arguments.repetitions)]
        ours, other = (statistics.median(side) for side in zip(*times))
        ratio = statistics.median(theirs / mine for mine, theirs in times)
        verdict = "" if bar is None else "  ok" if ratio >= bar else f"  below the bar of {bar}"
        print(f"{name:52} {ours * 1e3:8.2f} ms, PyTorch {other * 1e3:8.2f} ms, {ratio:5.2f}x{verdict}", flush=True)


if __name__ == "__main__":
    main()
