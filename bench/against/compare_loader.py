#!/usr/bin/env python3
"""An epoch of shuffled batches beside PyTorch's DataLoader, in turns, medians, one thread: as many images as Fashion-MNIST has.
Then how long a captured training step on Fashion-MNIST waits for its batches: medians over epochs, one thread for the step.

    PYTHONPATH=... bench/against/compare_loader.py [--repetitions N] [--without-training]

The images come from Debian's package dataset-fashion-mnist, or from the folder in $LUGE_DATA; the networks are the perceptron of
examples/fashion_mnist.py and that of examples/cnn.py. Whatever else the machine does shows as waiting: on a busy one, run it at
nice -20, in a session whose /proc/self/autogroup is at -20, too. Real-time priority adds the system's throttling.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

import luge  # noqa: E402


def epoch(package, images, labels, **options):
    """Seconds of an epoch."""
    samples = package.utils.data.TensorDataset(images, labels)
    loader = package.utils.data.DataLoader(samples, shuffle=True, **options)
    start = time.perf_counter()
    count = sum(len(batch) for _, batch in loader)
    assert count == len(labels)
    return time.perf_counter() - start


BAR = 2.0  # percent of an epoch


def training_step(name):
    """A captured step of a network, and how many images are an epoch of it."""
    nn = luge.nn
    luge.manual_seed(0)
    if name == "perceptron":
        model, count, shape = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)), 60_000, (784,)
    else:
        sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
        import cnn

        model, count, shape = cnn.Network(), 3_200, (1, 28, 28)
    optimizer = luge.optim.Adam(model.parameters(), lr=1e-3)

    @luge.capture
    def step(images, labels):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, count, shape


def waiting(step, loader):
    """Seconds in the loader, and in all, of an epoch."""
    waited, begun = 0.0, time.perf_counter()
    batches = iter(loader)
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - asked
        if batch is None:
            return waited, time.perf_counter() - begun
        step(*batch)


def compare_waiting(repetitions):
    """Prints a line for each network and number of workers."""
    found = luge.data.load_idx_dataset(luge.data.find_dataset("fashion-mnist"))
    found.normalize()
    all_images, all_labels = found.train
    print(f"waiting for batches of 64 of Fashion-MNIST, share of an epoch; at most {BAR:g} % with a worker")
    for name in ("perceptron", "cnn"):
        step, count, shape = training_step(name)
        images, labels = all_images[:count].reshape(count, *shape), all_labels[:count]
        samples = luge.utils.data.TensorDataset(images, labels)
        loaders = {n: luge.utils.data.DataLoader(samples, 64, shuffle=True, drop_last=True, num_workers=n) for n in (0, 1)}
        times = {workers: [] for workers in loaders}
        for round_ in range(repetitions + 1):
            for workers, loader in loaders.items():
                waited, whole = waiting(step, loader)
                if round_:  # the first warms up
                    times[workers].append((100 * waited / whole, 1e6 * waited / len(loader), 1e6 * whole / len(loader)))
        for workers, own in times.items():
            share, each, step_time = (statistics.median(column) for column in zip(*own))
            note = "" if workers == 0 else "   within the bar" if share <= BAR else "   ABOVE THE BAR"
            print(f"{name:10} {workers} workers: {share:5.2f} %   {each:7.1f} of {step_time:8.1f} us a step{note}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--without-training", action="store_true")
    asked = parser.parse_args()
    repetitions = asked.repetitions
    torch.set_num_threads(1)
    luge.set_num_threads(1)
    random = np.random.default_rng(0)
    images = random.random((60_000, 784), dtype=np.float32)
    labels = random.integers(0, 10, 60_000)
    print(f"luge {luge.__version__}, torch {torch.__version__}: an epoch of 60,000 images of 784 numbers, ms")
    for batch_size in (16, 64, 256):
        times = {"luge": [], "torch": []}
        for _ in range(repetitions):
            times["luge"].append(epoch(luge, luge.as_tensor(images), luge.as_tensor(labels), batch_size=batch_size))
            times["torch"].append(epoch(torch, torch.from_numpy(images), torch.from_numpy(labels), batch_size=batch_size))
        ours, theirs = (1e3 * statistics.median(times[name]) for name in ("luge", "torch"))
        print(f"batches of {batch_size:4}: luge {ours:8.1f}   torch {theirs:8.1f}   {theirs / ours:5.1f}x")
    if not asked.without_training:
        compare_waiting(repetitions)


if __name__ == "__main__":
    main()
