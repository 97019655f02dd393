#!/usr/bin/env python3
"""What stopped sets cost, and an ensemble beside torch.func.vmap, on one thread, by processor time.

    compare_sets.py [--fits 10000] [--members 500] [--runs 5] [--tail 1.5]

First curve fits by Adam whose numbers of steps are heavy-tailed: with compaction, without, and what the steps of active sets
would cost if each cost what it does while all sets are active. Then the networks of examples/ensemble.py, each with its own
rate, weight decay, bootstrap sample and early stop, beside torch.func.vmap over the same networks, which has one rate and one
decay for all and no stop. torch.func takes part where PyTorch 2 is installed.
"""

import argparse
import os
import statistics
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

import luge
from measure import cpu_model

parser = argparse.ArgumentParser()
parser.add_argument("--fits", type=int, default=10_000)
parser.add_argument("--members", type=int, default=500)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--tail", type=float, default=1.5, help="exponent of the Pareto distribution that steps follow")
parser.add_argument("--every", type=int, default=25)
options = parser.parse_args()
luge.set_num_threads(1)


def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def spread(values, unit=1.0):
    return f"{statistics.median(values) * unit:8.2f}  (least {min(values) * unit:.2f}, greatest {max(values) * unit:.2f})"


# ---- heavy tails


class Fits:
    """y = a exp(-x / t) on 50 points, by Adam, until a fit is as good as its 1e-6; rates are Pareto-distributed downwards, and
    so are the numbers of steps upwards."""

    def __init__(self, most=8000):
        sets, generator = options.fits, np.random.default_rng(1)
        self.params = luge.Parameters(sets=sets)
        self.a, self.t = (self.params.add(name, (), luge.init.ones()) for name in "at")
        rates = 0.05 * generator.uniform(0, 1, sets) ** (1 / options.tail)
        self.optimizer = luge.optim.Adam(self.params, lr=luge.tensor(rates.astype(np.float32)))
        self.rule = luge.stop.when(self.optimizer, loss_below=1e-6, max_steps=most)
        truth = generator.uniform(1.2, 3, (2, sets, 1))
        self.x = luge.linspace(0, 5, 50)
        self.y = luge.tensor((truth[0] * np.exp(-np.linspace(0, 5, 50) / truth[1])).astype(np.float32))

    def step(self, live):
        a, t = live.params["a"].unsqueeze(1), live.params["t"].unsqueeze(1)
        live.optimizer.zero_grad()
        loss = ((a * luge.exp(-self.x / t) - live.data["y"]) ** 2).mean(1)
        loss.sum().backward()
        live.rule.check(loss)
        live.optimizer.step()
        return loss

    def train(self, **how):
        return luge.stop.train(self.step, self.optimizer, self.rule, data={"y": self.y}, every=options.every, **how)


def heavy_tails():
    taken, ideal, trainings = {True: [], False: []}, [], {}
    for _ in range(options.runs):
        fits = Fits()
        fits.train(max_steps=10)  # memory, and the recording
        first = seconds(lambda: fits.train(max_steps=10))
        ideal.append((seconds(lambda: fits.train(max_steps=60)) - first) / 50 / options.fits)
        for compact in (True, False):
            fits = Fits()
            taken[compact].append(seconds(lambda: trainings.__setitem__(compact, fits.train(compact=compact))))
    steps = np.asarray(fits.rule.stopped_at)
    whole = trainings[True]
    least = [cost * whole.needed for cost in ideal]
    print(f"{options.fits} fits of a exp(-x / t), 50 points, Adam, float32, every={options.every}, {options.runs} runs, seconds")
    print(f"steps: median {np.median(steps):.0f}, mean {steps.mean():.0f}, 99 % {np.quantile(steps, 0.99):.0f}, most {steps.max()}")
    print(f"  steps of active sets, each at the cost of a full batch {spread(least)}")
    print(f"  with compaction                                        {spread(taken[True])}")
    print(f"  without                                                {spread(taken[False])}")
    middle = statistics.median
    print(f"  with compaction / active steps {middle(taken[True]) / middle(least):.2f} (bar: 1.3 at most)")
    print(f"  without / with compaction {middle(taken[False]) / middle(taken[True]):.2f} (bar: 3 at least)")
    sizes = len({r.size for r in whole.rounds})
    print(f"  {sizes} sizes; sets computed for each active one: {whole.computed / whole.needed:.2f}\n")


# ---- an ensemble

POINTS, HELD, HIDDEN = 96, 64, 16


class Ensemble:
    """The networks of examples/ensemble.py."""

    def __init__(self):
        nn, members = luge.nn, options.members
        luge.manual_seed(3)
        x = luge.linspace(-1, 1, POINTS).unsqueeze(1)
        y = luge.sin(4 * x) + 0.1 * luge.randn(POINTS, 1)
        self.held = luge.linspace(-1, 1, HELD).unsqueeze(1)
        self.held_y = luge.sin(4 * self.held) + 0.1 * luge.randn(HELD, 1)
        params = luge.Parameters(sets=members, seed=1)
        self.model = nn.Sequential(
            nn.Linear(1, HIDDEN, params=params, name="hidden"), nn.Tanh(), nn.Linear(HIDDEN, 1, params=params, name="output")
        )
        rates, decays = luge.linspace(0.002, 0.03, members), luge.linspace(0, 0.1, members)
        self.optimizer = luge.optim.AdamW(params, lr=rates, weight_decay=decays)
        self.rule = luge.stop.when(self.optimizer, plateau=(60, 1e-5), keep_best=True)
        sample = luge.randint(0, POINTS, (members * POINTS,))
        self.data = {name: all.index_select(0, sample).view(members, POINTS, 1) for name, all in (("x", x), ("y", y))}

    def step(self, live):
        model, mse = live.module(self.model), luge.nn.functional.mse_loss
        live.optimizer.zero_grad()
        mse(model(live.data["x"]), live.data["y"], reduction="per_set").sum().backward()
        with luge.no_grad():
            loss = mse(model(self.held), self.held_y, reduction="per_set")
        live.rule.check(loss)
        live.optimizer.step()
        return loss

    def train(self, **how):
        return luge.stop.train(self.step, self.optimizer, self.rule, data=self.data, **how)


def torch_ensemble(torch, ours):
    """A function that takes a step of the same networks."""
    torch.set_num_threads(1)

    def network():
        return torch.nn.Sequential(torch.nn.Linear(1, HIDDEN), torch.nn.Tanh(), torch.nn.Linear(HIDDEN, 1))

    base, models = network(), [network() for _ in range(options.members)]
    params, buffers = torch.func.stack_module_state(models)
    optimizer = torch.optim.AdamW(params.values(), lr=0.016, weight_decay=0.05)
    x, y = (torch.from_numpy(np.array(ours.data[name])) for name in "xy")
    held, held_y = torch.from_numpy(np.array(ours.held)), torch.from_numpy(np.array(ours.held_y))

    def loss_of(own, own_buffers, x, y):
        return torch.nn.functional.mse_loss(torch.func.functional_call(base, (own, own_buffers), (x,)), y)

    gradient = torch.func.vmap(torch.func.grad(loss_of))
    evaluate = torch.func.vmap(loss_of, in_dims=(0, 0, None, None))

    def step():
        for name, value in gradient(params, buffers, x, y).items():
            params[name].grad = value
        with torch.no_grad():
            loss = evaluate(params, buffers, held, held_y)
        optimizer.step()
        return loss

    def autograd_step():
        optimizer.zero_grad()
        torch.func.vmap(loss_of)(params, buffers, x, y).sum().backward()
        with torch.no_grad():
            loss = evaluate(params, buffers, held, held_y)
        optimizer.step()
        return loss

    return {"torch.func.vmap(grad)": step, "torch.func.vmap, backward": autograd_step}


def ensemble():
    steps, ours = 100, Ensemble()
    ours.train(max_steps=2)

    def luge_steps():
        ours.train(max_steps=steps, compact=False)

    works = {"luge, rate, decay, sample, early stop each": luge_steps}
    try:
        import torch

        if not hasattr(torch, "func"):
            raise ImportError(f"PyTorch {torch.__version__} has no torch.func")
        for name, step in torch_ensemble(torch, ours).items():
            works[f"{name} {torch.__version__}, one rate"] = lambda step=step: [step() for _ in range(steps)]
    except ImportError as error:
        print(f"without PyTorch: {error}")
    taken = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(options.runs):
        for name, work in works.items():
            if work is luge_steps:
                ours = Ensemble()
                ours.train(max_steps=2)
            taken[name].append(seconds(work) / steps)
    print(f"{options.members} networks 1-{HIDDEN}-1, {POINTS} points, AdamW, validation loss, {options.runs} runs: ms a step of all")
    reference = statistics.median(next(iter(taken.values())))
    for name, values in taken.items():
        print(f"  {name:<48} {spread(values, 1e3)}  {statistics.median(values) / reference:6.2f} x")
    whole_taken = {}
    for compact in (True, False):
        values = whole_taken[compact] = []
        for _ in range(options.runs):
            whole, training = Ensemble(), []
            values.append(seconds(lambda: training.append(whole.train(max_steps=1000, compact=compact))))
        how = "with" if compact else "without"
        print(f"  luge, until all have stopped or 1000 steps, {how} compaction: seconds {spread(values)}")
    for name, values in list(taken.items())[1:]:
        all_steps = statistics.median(values) * training[0].steps
        ratio = all_steps / statistics.median(whole_taken[True])
        print(f"  as many steps of {name}, which stops no member: {all_steps:.2f} seconds, {ratio:.2f} x (bar: 5)")
    print(f"  steps at which members stopped: {training[0].stops.steps}")


print(f"{cpu_model()}, luge {luge.__version__}, NumPy {np.__version__}; one thread, processor time\n")
heavy_tails()
ensemble()
