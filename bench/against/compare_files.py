#!/usr/bin/env python3
"""What files cost beside what the disk gives in the same run: dd with fsync for a save, a mapped read for a load.

Usage: compare_files.py [--gib 1] [--runs 5] [--folder .]; the luge of the Python that runs it. Medians of alternating runs.
"""

import argparse
import mmap
import os
import statistics
import subprocess
import tempfile
import time

import luge

parser = argparse.ArgumentParser()
parser.add_argument("--gib", type=float, default=1.0)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--folder", default=".")
options = parser.parse_args()
mebibytes = int(options.gib * 1024)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


with tempfile.TemporaryDirectory(dir=options.folder) as folder:
    path, other = os.path.join(folder, "x.safetensors"), os.path.join(folder, "dd")
    params = luge.Parameters(seed=1)
    for i in range(16):
        params.add(f"layer{i}.weight", (mebibytes * 2**18 // 16,), luge.init.normal())
    tensors = {name: params[name].detach() for name in params.names()}

    def dd():
        command = ["dd", "if=/dev/zero", f"of={other}", "bs=1M", f"count={mebibytes}", "conv=fsync", "status=none"]
        subprocess.run(command, check=True)

    def mapped_read():
        """The file's pages copied into fresh memory, as a load does."""
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
            bytes(pages)

    saves = {
        "dd with fsync": dd,
        "save_file": lambda: luge.save_file(tensors, path),
        "checkpoint.save": lambda: luge.checkpoint.save(path, params=params),
    }
    loads = {
        "mapped read": mapped_read,
        "load_file": lambda: luge.load_file(path),
        "checkpoint.load": lambda: luge.checkpoint.load(path, params=params),
    }
    for works in (saves, loads):
        taken = {name: [] for name in works}
        for _ in range(options.runs):
            for name, work in works.items():
                taken[name].append(seconds(work))
        floor = None
        for name, values in taken.items():
            middle = statistics.median(values)
            floor = floor or middle
            print(f"{name:16} {middle:7.3f} s  {mebibytes / 1024 / middle:6.2f} GiB/s  {100 * floor / middle:4.0f} % of {next(iter(works))}")

    # A training of 4 million parameters that saves every hundred steps.
    model = luge.Parameters(seed=1)
    w = model.add("w", (4_000_000,), luge.init.normal())
    optimizer = luge.optim.Adam(model)

    def train(saving, steps=600):
        pending, stalled = None, 0.0
        for step in range(steps):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
            if saving and step % 100 == 0:
                start = time.perf_counter()
                if pending is not None:
                    pending.wait()
                pending = luge.checkpoint.save_async(path, params=model, optimizer=optimizer, step=step)
                stalled += time.perf_counter() - start
        if pending is not None:
            pending.wait()
        return stalled

    train(True, 200)
    with_saves, without, stalls = [], [], []
    for _ in range(options.runs):
        without.append(seconds(lambda: train(False)))
        start = time.perf_counter()
        stalls.append(train(True))
        with_saves.append(time.perf_counter() - start)
    slower = statistics.median(with_saves) / statistics.median(without) - 1
    stalled = statistics.median(stalls) / statistics.median(with_saves)
    print(f"save_async every 100 steps of {statistics.median(without) / 600 * 1000:.2f} ms: the training stands still for "
          f"{100 * stalled:.1f} % of the time and is {100 * slower:.1f} % slower in all, with the cores that it shares")
