#!/usr/bin/env python3
"""The same work in luge and in PyTorch, on the same machine, in the same run.

Each case is timed in turns, PyTorch in this process and luge in a child (luge_bench), one thread each,
and the medians are compared. With one thread each, what counts is processor time, which the neighbours'
load does not stretch. Prints a table and writes a JSON file with machine, versions and date.

    bench/against/compare_torch.py --bench build/bench/luge_bench [--filter REGEX] [--repetitions N] [--output FILE]

PyTorch is called from Python, as its users do, with its defaults, except that gradients are dropped
rather than zeroed (zero_grad(set_to_none=True), today's default and the faster one). To see it without
the page faults of its allocator, set GLIBC_TUNABLES=glibc.malloc.mmap_threshold=17179869184:
glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1 (one line); the file notes it.
"""

import os
import re
import statistics

os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from measure import compare_and_write, readable, time_luge, time_torch  # noqa: E402

LARGE = 1 << 24
SIDE = 4096


def uniform(*shape, low=-1.0, high=1.0):
    return torch.empty(*shape).uniform_(low, high)


def demo_step(n):
    x = uniform(n, low=-2, high=2).requires_grad_()
    optimizer = torch.optim.SGD([x], lr=0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = 3 * x * x - 2 * x + 3
        loss.sum().backward()
        optimizer.step()

    return step


def mlp_step(optimizer_class):
    hidden, output = torch.nn.Linear(784, 256), torch.nn.Linear(256, 10)
    parameters = [*hidden.parameters(), *output.parameters()]
    optimizer = optimizer_class(parameters, lr=1e-3)
    images, labels = uniform(64, 784, low=0), torch.randint(0, 10, (64,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(output(torch.relu(hidden(images))), labels)
        loss.backward()
        optimizer.step()

    return step


def update(optimizer_class, **options):
    p = uniform(10_000_000).requires_grad_()
    p.grad = 2 * p.detach()
    return optimizer_class([p], lr=1e-6, **options).step


def unary(function, low=-3.0, high=3.0):
    def prepare():
        x = uniform(LARGE, low=low, high=high)
        return lambda: function(x)

    return prepare


def binary(function):
    def prepare():
        a, b = uniform(LARGE), uniform(LARGE)
        return lambda: function(a, b)

    return prepare


def reduction(function):
    def prepare():
        x = uniform(SIDE, SIDE, low=0.5, high=1.5)
        return lambda: function(x)

    return prepare


def softmax():
    x = uniform(2048, 8192, low=-4, high=4)
    return lambda: torch.softmax(x, -1)


def taped_add():
    a, b = uniform(1).requires_grad_(), uniform(1).requires_grad_()
    return lambda: a + b


def chain():
    x = uniform(1).requires_grad_()

    def step():
        x.grad = None
        y = x
        for _ in range(10):
            y = y * 0.999
        y.backward()

    return step


def matmul(n):
    a, b = uniform(n, n), uniform(n, n)
    return lambda: a @ b


# (what, luge's benchmark, PyTorch's twin)
CASES = [
    *((f"demo step, N = {n:,}", f"demo/eager/one_thread/{n}", lambda n=n: demo_step(n)) for n in (1, 1000, 10**6, 10**7)),
    ("MLP 784-256-10 step, batch 64, SGD", "mlp/784-256-10/batch_64/sgd", lambda: mlp_step(torch.optim.SGD)),
    ("MLP 784-256-10 step, batch 64, Adam", "mlp/784-256-10/batch_64/adam", lambda: mlp_step(torch.optim.Adam)),
    ("Adam, 10,000,000", "optimizer/adam/10000000", lambda: update(torch.optim.Adam)),
    ("SGD, 10,000,000", "optimizer/sgd/10000000", lambda: update(torch.optim.SGD)),
    ("a + b, one element, taped", "autograd/add/taped", taped_add),
    ("chain of 10, forward and backward", "autograd/chain_of_10/forward_backward", chain),
    ("add, 64 MB", f"elementwise/add/forward/{LARGE}", binary(torch.add)),
    ("mul, 64 MB", f"elementwise/mul/forward/{LARGE}", binary(torch.mul)),
    ("exp, 64 MB", f"elementwise/exp/forward/{LARGE}", unary(torch.exp)),
    ("tanh, 64 MB", f"elementwise/tanh/forward/{LARGE}", unary(torch.tanh)),
    ("sigmoid, 64 MB", f"elementwise/sigmoid/forward/{LARGE}", unary(torch.sigmoid)),
    ("relu, 64 MB", f"elementwise/relu/forward/{LARGE}", unary(torch.relu)),
    ("sum of all, 64 MB", "reduction/sum/all", reduction(torch.sum)),
    ("sum of rows, 64 MB", "reduction/sum/rows", reduction(lambda x: torch.sum(x, 1))),
    ("sum of columns, 64 MB", "reduction/sum/columns", reduction(lambda x: torch.sum(x, 0))),
    ("max of all, 64 MB", "reduction/max/all", reduction(torch.max)),
    ("softmax, 2048 x 8192", "softmax/forward/2048x8192", softmax),
    ("matmul, 1024 x 1024", "matmul/1x1024x1024x1024", lambda: matmul(1024)),
]


def compare(arguments):
    rows = []
    print(f"| {'one thread, medians':38} | {'PyTorch':>9} | {'luge':>9} | ratio | of bandwidth |")
    print(f"| {'---':38} | {'---:':>9} | {'---:':>9} | ----: | -----------: |")
    for what, name, prepare in CASES:
        if not re.search(arguments.filter, what):
            continue
        call = prepare()
        torch_times, luge_times, fractions = [], [], []
        for _ in range(arguments.repetitions):
            torch_times.append(time_torch(call, arguments.seconds))
            seconds, fraction = time_luge(arguments.bench, name, arguments.seconds)
            luge_times.append(seconds)
            if fraction is not None:
                fractions.append(fraction)
        theirs, ours = statistics.median(torch_times), statistics.median(luge_times)
        fraction = statistics.median(fractions) if fractions else None
        shown = f"{fraction:.0%}" if fraction is not None else ""
        print(f"| {what:38} | {readable(theirs):>9} | {readable(ours):>9} | {theirs / ours:5.1f} | {shown:>12} |", flush=True)
        rows.append({"case": what, "benchmark": name, "torch_seconds": theirs, "luge_seconds": ours,
                     "ratio": theirs / ours, "of_bandwidth": fraction, "torch_all": torch_times, "luge_all": luge_times})
    return rows


if __name__ == "__main__":
    compare_and_write("luge beside PyTorch on the CPU, one thread each", "torch", torch, compare)
