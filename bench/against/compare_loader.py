#!/usr/bin/env python3
"""An epoch of shuffled batches beside PyTorch's DataLoader, in turns, medians, one thread: as many images as Fashion-MNIST has.

    PYTHONPATH=... bench/against/compare_loader.py [--repetitions N]
"""

import argparse
import os
import statistics
import time

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    repetitions = parser.parse_args().repetitions
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


if __name__ == "__main__":
    main()
