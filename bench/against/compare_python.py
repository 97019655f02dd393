#!/usr/bin/env python3
"""What a call costs from Python: luge beside the same call in C++ and in PyTorch, on tensors of one element, one thread,
in one run.

All sides of a row are timed in turns and their medians are compared. Prints a table and writes a JSON file with machine,
versions and date. To be run by an interpreter that has luge and PyTorch (`make bench-python` does all that).

    bench/against/compare_python.py --bench build/bench/luge_bench [--filter REGEX] [--repetitions N] [--output FILE]
"""

import os
import re
import statistics
import time
import timeit

os.environ["OMP_NUM_THREADS"] = os.environ["LUGE_NUM_THREADS"] = "1"

import torch  # noqa: E402

import luge  # noqa: E402
from measure import compare_and_write, readable, time_luge  # noqa: E402

CHAIN = "x.grad = None\ny = x\nfor _ in range(10): y = y * 0.999\ny.backward()"

# (what, statement, luge's C++ benchmark, the bar: most nanoseconds over C++, or None)
CASES = [
    ("add", "a + b", "autograd/add/untaped", 150),
    ("mul", "a * b", "autograd/mul/untaped", 150),
    ("add, a function", "m.add(a, b)", "autograd/add/untaped", 150),
    ("matmul", "a @ b", "autograd/matmul/untaped", 150),
    ("sum", "a.sum()", "autograd/sum/untaped", 150),
    ("add, taped", "x + x", "autograd/add/taped", 150),
    ("chain of ten, backward", CHAIN, "autograd/chain_of_10/forward_backward", None),
    ("captured step of 20 calls", "step()", "calls/20/captured", 500),
]


def scope_of(module):
    scope = {"m": module, "a": module.tensor([0.5]), "b": module.tensor([0.25]), "x": module.tensor([0.5], requires_grad=True)}
    if module is luge:
        tensors = [luge.tensor([1.0]) for _ in range(20)]
        scope["step"] = luge.capture(lambda: [t.mul_(0.999) for t in tensors][0])
        scope["step"]()
    return scope


def time_statement(statement, scope, seconds):
    """Processor seconds of one execution, over at least `seconds`, without those of an empty statement."""
    timer = timeit.Timer(statement, globals=scope, timer=time.process_time)
    empty = timeit.Timer("pass", timer=time.process_time)
    count = 100
    while timer.timeit(count) < seconds:
        count *= 2
    return (timer.timeit(count) - empty.timeit(count)) / count


def compare(arguments):
    rows = []
    print(f"{'':28} {'luge':>9} {'C++':>9} {'over C++':>9} {'PyTorch':>9} {'ratio':>6}  bar")
    for what, statement, benchmark, bar in CASES:
        if not re.search(arguments.filter, what):
            continue
        scopes = {module: scope_of(module) for module in (luge, torch)}
        ours, cpp, theirs = [], [], []
        for _ in range(arguments.repetitions):
            ours.append(time_statement(statement, scopes[luge], arguments.seconds))
            cpp.append(time_luge(arguments.bench, benchmark, arguments.seconds)[0])
            if "step" not in statement:
                theirs.append(time_statement(statement, scopes[torch], arguments.seconds))
        median, base = statistics.median(ours), statistics.median(cpp)
        other = statistics.median(theirs) if theirs else None
        over = (median - base) * 1e9
        verdict = [] if bar is None else [f"<= {bar} ns over C++: {'yes' if over <= bar else 'no'}"]
        if other is not None:
            verdict.append(f"below PyTorch: {'yes' if median < other else 'no'}")
        print(f"{what:28} {readable(median):>9} {readable(base):>9} {over:>6.0f} ns "
              f"{readable(other) if other else '':>9} {f'{other / median:.2f}' if other else '':>6}  {'; '.join(verdict)}")
        rows.append({"case": what, "statement": statement, "luge_seconds": median, "cpp_seconds": base,
                     "torch_seconds": other, "luge_all": ours, "cpp_all": cpp, "torch_all": theirs, "bar_ns": bar})
    return rows


if __name__ == "__main__":
    compare_and_write(__doc__.splitlines()[0], "python", torch, compare)
