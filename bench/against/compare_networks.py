#!/usr/bin/env python3
"""Captured steps of Adam on networks, many small ones and larger ones, beside torch.compile and JAX, and beside the matrix
products alone; one thread each, processor time, in turns, medians of ratios.

    bench/against/compare_networks.py --bench build/bench/luge_bench [--filter REGEX] [--repetitions N] [--output FILE]
"""

import os
import re
import statistics

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402

from jax_cases import adam  # noqa: E402
from measure import compare_and_write, readable, time_luge, time_torch  # noqa: E402

SETS, REGRESSIONS, FEATURES, ROWS, BATCH = 256, 1000, 20, 500, 256
WIDTHS = (16, 64, 64, 1)


# ---- the losses, as functions of a library's arrays


def network_loss(relu):
    """Of one network."""

    def loss(w, x, y):
        for i in range(0, 6, 2):
            x = x @ w[i] + w[i + 1]
            x = relu(x) if i < 4 else x
        return ((x - y) ** 2).mean()

    return loss


def regression_loss(softplus):
    def loss(w, x, y):
        z = x @ w[0] + w[1]
        return (softplus(z) - y * z).mean((1, 2)).sum()

    return loss


def shapes(case):
    """Of the parameters and the data."""
    if case == "ensemble":
        layers = list(zip(WIDTHS, WIDTHS[1:]))
        parameters = [shape for i, o in layers for shape in ((SETS, i, o), (SETS, o))]
        return parameters, [(BATCH, WIDTHS[0]), (BATCH, 1)]
    if case == "mlp":
        return [(784, 256), (256,), (256, 10), (10,)], []
    own = [] if case == "shared" else [REGRESSIONS]
    return [(REGRESSIONS, FEATURES, 1), (REGRESSIONS, 1, 1)], [(*own, ROWS, FEATURES), (REGRESSIONS, ROWS, 1)]


# ---- JAX


def jax_step(case, batch=None):
    keys = iter(jax.random.split(jax.random.PRNGKey(1), 16))
    parameters, data = shapes(case)
    weights = [jax.random.uniform(next(keys), s, minval=-0.1, maxval=0.1) for s in parameters]
    arrays = [jax.random.uniform(next(keys), s, minval=-1, maxval=1) for s in data]
    if case == "mlp":
        images, labels = jax.random.uniform(next(keys), (batch, 784)), jax.random.randint(next(keys), (batch,), 0, 10)

        def loss(w):
            logits = jax.nn.relu(images @ w[0] + w[1]) @ w[2] + w[3]
            return -jax.nn.log_softmax(logits)[jnp.arange(batch), labels].mean()

    elif case == "ensemble":
        each = jax.vmap(network_loss(jax.nn.relu), in_axes=(0, None, None))

        def loss(w):
            return each(w, *arrays).sum()

    else:
        arrays[1] = (arrays[1] > 0).astype(jnp.float32)
        whole = regression_loss(jax.nn.softplus)

        def loss(w):
            return whole(w, *arrays)

    update = adam(loss)
    zeros = [jnp.zeros_like(w) for w in weights]
    state = [(weights, zeros, [jnp.copy(z) for z in zeros], jnp.float32(0), jnp.float32(0))]

    def step():
        state[0] = jax.block_until_ready(update(state[0]))

    return step


# ---- torch.compile


def torch_step(case, batch=None):
    torch.manual_seed(1)
    parameters, data = shapes(case)
    weights = [((torch.rand(s) - 0.5) * 0.2).requires_grad_() for s in parameters]
    arrays = [torch.rand(s) * 2 - 1 for s in data]
    if case == "mlp":
        images, labels = torch.rand(batch, 784), torch.randint(0, 10, (batch,))

        def loss():
            logits = torch.relu(images @ weights[0] + weights[1]) @ weights[2] + weights[3]
            return torch.nn.functional.cross_entropy(logits, labels)

    elif case == "ensemble":  # faster than baddbmm and backward()
        gradients = torch.func.vmap(torch.func.grad(network_loss(torch.relu)), in_dims=(0, None, None))
        compiled = torch.compile(lambda: gradients(tuple(w.detach() for w in weights), *arrays))
    else:
        arrays[1] = (arrays[1] > 0).float()
        whole = regression_loss(torch.nn.functional.softplus)

        def loss():
            return whole(weights, *arrays)

    optimizer = torch.optim.Adam(weights, lr=torch.tensor(1e-3))  # as a tensor: no new code for every step
    update = torch.compile(optimizer.step)
    forward = None if case == "ensemble" else torch.compile(loss)

    def step():
        if forward is None:
            for w, gradient in zip(weights, compiled()):
                w.grad = gradient
        else:
            optimizer.zero_grad()
            forward().backward()
        update()

    return step


# (what, luge's benchmark, beside what: a benchmark or a step, the bar: luge so many times faster, or at most so much slower)
ENSEMBLE, MLP = "networks/256x16-64-64-1/batch_256", "networks/784-256-10/batch_{}"
CASES = [
    ("256 MLPs 16-64-64-1 / torch.compile", f"{ENSEMBLE}/adam", lambda: torch_step("ensemble"), ">=", 2),
    ("256 MLPs 16-64-64-1 / JAX", f"{ENSEMBLE}/adam", lambda: jax_step("ensemble"), None, None),
    ("256 MLPs 16-64-64-1 / their products by OpenBLAS", f"{ENSEMBLE}/adam", f"{ENSEMBLE}/products/blas", None, None),
    ("1000 logistic regressions / JAX", "networks/1000xlogistic/20x500/adam", lambda: jax_step("own"), ">=", 2),
    ("1000 logistic regressions / torch.compile", "networks/1000xlogistic/20x500/adam", lambda: torch_step("own"), None, None),
    ("1000 of the same rows / JAX", "networks/1000xlogistic/20x500_shared/adam", lambda: jax_step("shared"), ">=", 2),
    ("1000 of the same rows / torch.compile", "networks/1000xlogistic/20x500_shared/adam", lambda: torch_step("shared"), None,
     None),
]
for size in (64, 512):
    name = MLP.format(size)
    CASES += [
        (f"MLP 784-256-10, batch {size} / JAX", f"{name}/adam", lambda size=size: jax_step("mlp", size), ">=", 1),
        (f"MLP 784-256-10, batch {size} / torch.compile", f"{name}/adam", lambda size=size: torch_step("mlp", size), None, None),
        (f"MLP 784-256-10, batch {size} / products by OpenBLAS", f"{name}/adam", f"{name}/products/blas", "<=", 1.05),
    ]


def compare(arguments):
    rows = []
    print(f"| {'one thread, medians':52} | {'luge':>9} | {'beside':>9} | ratio | bar     |")
    print(f"| {'---':52} | {'---:':>9} | {'---:':>9} | ----: | :------ |")
    for what, name, beside, sense, bar in CASES:
        if not re.search(arguments.filter, what):
            continue
        call = beside() if callable(beside) else None
        ours, theirs = [], []
        for _ in range(arguments.repetitions):
            theirs.append(time_torch(call, arguments.seconds) if call else time_luge(arguments.bench, beside, arguments.seconds)[0])
            ours.append(time_luge(arguments.bench, name, arguments.seconds)[0])
        ratios = [b / a if sense != "<=" else a / b for a, b in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        met = None if sense is None else ratio >= bar if sense == ">=" else ratio <= bar
        shown = "" if sense is None else f"{sense} {bar:g}{'' if met else ' no'}"
        print(f"| {what:52} | {readable(statistics.median(ours)):>9} | {readable(statistics.median(theirs)):>9} | {ratio:5.3g} "
              f"| {shown:7} |", flush=True)
        rows.append({"case": what, "benchmark": name, "ratio": ratio, "bar": shown or None, "met": met, "all": ours,
                     "beside_all": theirs})
    return rows


if __name__ == "__main__":
    compare_and_write(f"networks beside torch.compile and JAX {jax.__version__}, one thread each", "networks", torch, compare)
