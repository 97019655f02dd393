"""Two hundred small networks at once: each its own rate, weight decay, bootstrap sample and early stop; beside ensemble.cpp."""

import sys

import luge

luge.manual_seed(3)
nn = luge.nn
members, points = 200, 96
x = luge.linspace(-1, 1, points).unsqueeze(1)
y = luge.sin(4 * x) + 0.1 * luge.randn(points, 1)
held = luge.linspace(-1, 1, 64).unsqueeze(1)
held_y = luge.sin(4 * held) + 0.1 * luge.randn(64, 1)

params = luge.Parameters(sets=members, seed=1)
model = nn.Sequential(nn.Linear(1, 16, params=params, name="hidden"), nn.Tanh(), nn.Linear(16, 1, params=params, name="output"))
optimizer = luge.optim.AdamW(params, lr=luge.linspace(0.002, 0.03, members), weight_decay=luge.linspace(0, 0.1, members))
rule = luge.stop.when(optimizer, plateau=(60, 1e-5), keep_best=True)
sample = luge.randint(0, points, (members * points,))  # each member its own bootstrap
data = {name: values.index_select(0, sample).view(members, points, 1) for name, values in (("x", x), ("y", y))}


def step(live):  # of the members that still go on
    network, mse = live.module(model), nn.functional.mse_loss
    live.optimizer.zero_grad()
    mse(network(live.data["x"]), live.data["y"], reduction="per_set").sum().backward()
    with luge.no_grad():
        loss = mse(network(held), held_y, reduction="per_set")
    live.rule.check(loss)
    live.optimizer.step()


print(luge.stop.train(step, optimizer, rule, data=data, max_steps=1000))
rule.restore_best()
with luge.no_grad():
    prediction = model(x).mean(0)
error = (prediction - luge.sin(4 * x)).square().mean().sqrt().item()
print(f"the mean of {members} networks is off by {error:.4f}")
sys.exit(0 if error < 0.05 else 1)
