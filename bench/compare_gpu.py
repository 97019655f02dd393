#!/usr/bin/env python3
"""The steps that `luge bench` measures, in PyTorch (eager, compiled, as a CUDA graph) or JAX (jit) on the same machine.

    bench/compare_gpu.py torch|jax OUTPUT.json [--device cuda|cpu] [--seconds S]

Both measure as `luge bench` does: medians of groups of steps, a synchronisation after each group, nothing
read in between. Where the library is not installed the file says so.
"""

import argparse
import json
import statistics
import sys
import time

SETS = [1_000, 1_000_000, 10_000_000, 100_000_000]
BATCH, PIXELS, HIDDEN, CLASSES = 64, 784, 256, 10
GROUPS = 9


def seconds_per_step(step, wait, seconds):
    """`step` queues one; `wait` waits for all of them."""

    def run(count):
        begin = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        return (time.perf_counter() - begin) / count

    for _ in range(3):  # compilation, memory, clocks
        run(1)
    count = max(1, round(seconds / GROUPS / max(run(3), 1e-9)))
    return statistics.median(run(count) for _ in range(GROUPS))


class Torch:
    def __init__(self, device):
        import torch

        self.torch, self.device, self.version = torch, device, torch.__version__
        self.ways = {"eager": lambda f: f}
        if hasattr(torch, "compile"):
            self.ways["compiled"] = torch.compile
        if device == "cuda":
            self.ways["graph"] = None

    def wait(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def graph(self, step):
        """The whole step as one CUDA graph, as PyTorch's documentation says: warmed up on a side stream first."""
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay

    def demo(self, sets, way):
        torch = self.torch
        x = torch.empty(sets, device=self.device).uniform_(-2, 2).requires_grad_()
        optimizer = torch.optim.SGD([x], lr=0.01)
        loss_of = (way or (lambda f: f))(lambda x: (3 * x * x - 2 * x + 3).sum())

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss_of(x).backward()
            optimizer.step()

        return step if way else self.graph(step)

    def training(self, way):
        torch = self.torch
        model = torch.nn.Sequential(torch.nn.Linear(PIXELS, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES))
        model.to(self.device)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, capturable=way is None)
        images = torch.rand(BATCH, PIXELS, device=self.device)
        labels = torch.randint(0, CLASSES, (BATCH,), device=self.device)
        loss_of = (way or (lambda f: f))(lambda images, labels: torch.nn.functional.cross_entropy(model(images), labels))

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss_of(images, labels).backward()
            optimizer.step()

        return step if way else self.graph(step)


class Jax:
    def __init__(self, device):
        import jax

        self.jax, self.version = jax, jax.__version__
        self.device = jax.devices(device if device == "cpu" else "gpu")[0]
        self.ways = {"jit": None}
        self.state = None

    def wait(self):
        self.jax.block_until_ready(self.state)

    def repeat(self, update, state):
        self.state = self.jax.device_put(state, self.device)

        def step():
            self.state = update(self.state)

        return step

    def demo(self, sets, _):
        jax = self.jax
        loss = lambda x: (3 * x * x - 2 * x + 3).sum()  # noqa: E731
        update = jax.jit(lambda x: x - 0.01 * jax.grad(loss)(x), donate_argnums=0)
        return self.repeat(update, jax.random.uniform(jax.random.PRNGKey(1), (sets,), minval=-2, maxval=2))

    def training(self, _):
        jax, jnp = self.jax, self.jax.numpy
        keys = jax.random.split(jax.random.PRNGKey(1), 3)
        weights = [jax.random.normal(keys[0], (PIXELS, HIDDEN)) * 0.05, jnp.zeros(HIDDEN),
                   jax.random.normal(keys[1], (HIDDEN, CLASSES)) * 0.05, jnp.zeros(CLASSES)]
        images = jax.device_put(jax.random.uniform(keys[2], (BATCH, PIXELS)), self.device)
        labels = jnp.arange(BATCH) % CLASSES

        def loss(w):
            logits = jax.nn.relu(images @ w[0] + w[1]) @ w[2] + w[3]
            return -jax.nn.log_softmax(logits)[jnp.arange(BATCH), labels].mean()

        def adam(state):
            w, m, v, t = state
            g, t = jax.grad(loss)(w), t + 1
            m = [0.9 * a + 0.1 * b for a, b in zip(m, g)]
            v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g)]
            w = [a - 1e-3 * (b / (1 - 0.9**t)) / (jnp.sqrt(c / (1 - 0.999**t)) + 1e-8) for a, b, c in zip(w, m, v)]
            return w, m, v, t

        zeros = [jnp.zeros_like(a) for a in weights]
        return self.repeat(jax.jit(adam, donate_argnums=0), (weights, zeros, [jnp.copy(z) for z in zeros], jnp.float32(0)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=["torch", "jax"])
    parser.add_argument("output")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--largest", type=int, default=SETS[-1], help="largest number of sets")
    options = parser.parse_args()
    result = {"library": options.library, "device": options.device}
    try:
        library = {"torch": Torch, "jax": Jax}[options.library](options.device)
    except Exception as error:  # not installed, or without this device
        result["missing"] = f"{type(error).__name__}: {error}"
        library = None
    if library:
        result["version"], result["demo_step"], result["training_step"] = library.version, [], []
        for name, way in library.ways.items():
            cases = [({"way": name, "sets": n}, "demo_step", lambda n=n: library.demo(n, way))
                     for n in SETS if n <= options.largest]
            cases.append(({"way": name, "models": 1}, "training_step", lambda: library.training(way)))
            for row, kind, prepare in cases:
                try:
                    row["seconds_per_step"] = seconds_per_step(prepare(), library.wait, options.seconds)
                except Exception as error:  # one way that fails is a row, not the end
                    row["failed"] = f"{type(error).__name__}: {error}"[:200]
                result[kind].append(row)
    with open(options.output, "w") as file:
        json.dump(result, file, indent=1)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
