#!/usr/bin/env python3
"""Captured steps beside what they are measured by: loops by hand, the matrix products alone, single steps, and
PyTorch's eager steps, on one thread, in one run.

Both sides of a row are timed in turns and their medians are compared. Prints a table and writes a JSON file with
machine, versions and date. Ends with status 0 also where a row misses its bar: the machine's neighbours may be why.

    bench/against/compare_capture.py --bench build/bench/luge_bench [--filter REGEX] [--repetitions N] [--output FILE]
"""

import os
import re
import statistics

os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402

from compare_torch import demo_step, mlp_step  # noqa: E402
from measure import compare_and_write, readable, time_luge, time_torch  # noqa: E402

MLP = "mlp/784-256-10/batch_64"

# (what, luge's benchmark, beside what: a benchmark or PyTorch's step, the bar: at most (of time) or at least (faster))
CASES = [
    ("demo 1e7, gradient kept / by hand", "demo/captured/12_bytes/10000000", "demo/by_hand/12_bytes/10000000", "<=", 1.25),
    ("demo 1e7, gradient dropped / by hand", "demo/captured/8_bytes/10000000", "demo/by_hand/8_bytes/10000000", "<=", 1.25),
    ("demo 1e6, gradient dropped / by hand", "demo/captured/8_bytes/1000000", "demo/by_hand/8_bytes/1000000", "<=", 1.25),
    ("demo 1e6, run(80) / one step", "demo/captured/run_80/1000000", "demo/captured/12_bytes/1000000", "<=", 0.25),
    ("MLP, SGD / its five products", f"{MLP}/captured/sgd", f"{MLP}/products", "<=", 1.15),
    ("PyTorch eager / demo 1e7", "demo/captured/12_bytes/10000000", lambda: demo_step(10**7), ">=", 30),
    ("PyTorch eager / demo 1e3", "demo/captured/12_bytes/1000", lambda: demo_step(1000), ">=", 100),
    ("PyTorch eager / demo 1", "demo/captured/12_bytes/1", lambda: demo_step(1), None, None),
    ("PyTorch eager / MLP, SGD", f"{MLP}/captured/sgd", lambda: mlp_step(torch.optim.SGD), None, None),
    ("PyTorch eager / MLP, Adam", f"{MLP}/captured/adam", lambda: mlp_step(torch.optim.Adam), None, None),
    ("eager luge / demo 1e7", "demo/captured/12_bytes/10000000", "demo/eager/one_thread/10000000", None, None),
    ("eager luge / demo 1e3", "demo/captured/12_bytes/1000", "demo/eager/one_thread/1000", None, None),
    ("eager luge / demo 1", "demo/captured/12_bytes/1", "demo/eager/one_thread/1", None, None),
    ("eager luge / MLP, SGD", f"{MLP}/captured/sgd", f"{MLP}/sgd", None, None),
    ("20 calls on one element", "calls/20/captured", 1e-6, "<=", 1),
    ("capturing the MLP step", f"{MLP}/capture", 50e-3, "<=", 1),
]


def side_by_side(arguments, name, beside):
    """Median seconds of luge's benchmark and of what it is held against."""
    call = beside() if callable(beside) else None
    ours, theirs = [], []
    for _ in range(arguments.repetitions):
        if call:
            theirs.append(time_torch(call, arguments.seconds))
        elif isinstance(beside, str):
            theirs.append(time_luge(arguments.bench, beside, arguments.seconds)[0])
        else:
            theirs.append(beside)
        ours.append(time_luge(arguments.bench, name, arguments.seconds)[0])
    return statistics.median(ours), statistics.median(theirs), ours, theirs


def compare(arguments):
    rows = []
    print(f"| {'one thread, medians':38} | {'captured':>9} | {'beside':>9} | ratio | bar     |")
    print(f"| {'---':38} | {'---:':>9} | {'---:':>9} | ----: | :------ |")
    for what, name, beside, sense, bar in CASES:
        if not re.search(arguments.filter, what):
            continue
        ours, theirs, all_ours, all_theirs = side_by_side(arguments, name, beside)
        faster = sense != "<="  # how many times faster, or how much of the time
        ratio = theirs / ours if faster else ours / theirs
        met = None if sense is None else ratio >= bar if faster else ratio <= bar
        shown = "" if sense is None else f"{sense} {bar:g}{'' if met else ' no'}"
        print(f"| {what:38} | {readable(ours):>9} | {readable(theirs):>9} | {ratio:5.3g} | {shown:7} |", flush=True)
        rows.append({"case": what, "benchmark": name, "beside": beside if isinstance(beside, (str, float)) else "torch",
                     "seconds": ours, "beside_seconds": theirs, "ratio": ratio, "bar": shown or None, "met": met,
                     "all": all_ours, "beside_all": all_theirs})
    return rows


if __name__ == "__main__":
    compare_and_write("captured steps beside loops by hand and PyTorch, one thread each", "capture", torch, compare)
