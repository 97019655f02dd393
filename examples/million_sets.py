"""A million parameter sets: the loop of parabola.py, run from a million starts with a million learning rates at once.

Only two lines differ: the arena has sets, and the learning rate is a tensor. Beside million_sets.cpp.
"""

import sys
import time

import luge

SETS = 1_000_000
EPOCHS = 80

params = luge.Parameters(SETS, device="cuda" if luge.cuda.is_available() else "cpu", seed=1)
x = params.add("x", (), luge.init.uniform(-2, 2))  # shape (sets): one x for every set
lr = luge.linspace(0.01, 0.29, SETS, device=params.device)
start = x.detach().clone()

optimizer = luge.optim.SGD(params, lr=lr)
begin = time.perf_counter()
for epoch in range(EPOCHS):
    optimizer.zero_grad()
    loss = 3 * x * x - 2 * x + 3  # (sets): one loss per set
    loss.sum().backward()  # sets do not meet, so each gets its own gradient
    optimizer.step()

mean = x.detach().mean().item()  # reading a value waits for the device
seconds = time.perf_counter() - begin

# Every set against its own closed form x_k = 1/3 + (x_0 - 1/3) (1 - 6 lr)^k, in float64.
with luge.no_grad():
    shrink = (1 - 6 * lr.to(luge.float64)) ** EPOCHS
    expected = 1 / 3 + (start.to(luge.float64) - 1 / 3) * shrink
    worst = (x.to(luge.float64) - expected).abs().max().item()
print(f"{SETS} sets, {EPOCHS} steps in {seconds:.2f} s")
print(f"mean x = {mean:.6f}, largest distance to the closed form {worst:.2g}")
sys.exit(0 if worst < 1e-5 else 1)
