#!/usr/bin/env python3
"""A training step of a convolutional network and of a small GPT, captured, beside PyTorch's, eager and compiled: in turns,
medians, one thread. The models are those of examples/cnn.py and examples/gpt.py.

    PYTHONPATH=... bench/against/compare_networks.py [--repetitions N] [--without-compile]
"""

import argparse
import os
import pathlib
import statistics
import time
import types

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

import luge  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def program(name, package):
    source = (EXAMPLES / f"{name}.py").read_text()
    if package is torch:
        source = source.replace("import luge as torch", "import torch").replace("from luge", "from torch")
    module = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def step_of(name, package, way):
    module = program(name, package)
    random = np.random.default_rng(0)
    if name == "cnn":
        model = module.Network(dropout=0.25)
        x = package.tensor(random.normal(size=(64, 1, 28, 28)).astype(np.float32))
        y = package.tensor(random.integers(0, 10, 64))
    else:
        model = module.GPT(64, window=128, width=128, heads=4, layers=4)
        x, y = (package.tensor(random.integers(0, 64, (16, 128))) for _ in range(2))
    model.train()
    optimizer = package.optim.AdamW(model.parameters(), lr=1e-3)
    forward = torch.compile(model) if way == "compiled" else model

    def step():
        optimizer.zero_grad()
        loss = module.F.cross_entropy(forward(x).flatten(0, -2), y.flatten())
        loss.backward()
        optimizer.step()
        return loss

    return luge.capture(step) if way == "captured" else step


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--without-compile", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    luge.set_num_threads(1)
    print(f"luge {luge.__version__}, torch {torch.__version__}: a step, ms (median of {asked.repetitions} turns, processor time)")
    for name in ("cnn", "gpt"):
        sides = {"luge": (luge, "captured"), "luge eager": (luge, "eager"), "torch": (torch, "eager")}
        if not asked.without_compile:
            sides["torch.compile"] = (torch, "compiled")
        steps = {side: step_of(name, *way) for side, way in sides.items()}
        for step in steps.values():
            step(), step()
        times = {side: [] for side in steps}
        for _ in range(asked.repetitions):
            for side, step in steps.items():
                start = time.process_time()
                step()
                times[side].append(time.process_time() - start)
        medians = {side: statistics.median(found) for side, found in times.items()}
        row = ", ".join(f"{side} {1e3 * median:.1f}" for side, median in medians.items())
        ratios = ", ".join(f"{medians[side] / medians['luge']:.2f}x {side}" for side in medians if side.startswith("torch"))
        print(f"{name}: {row}; luge is {ratios}")


if __name__ == "__main__":
    main()
