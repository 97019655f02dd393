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
own_x = x.index_select(0, sample).view(members, points, 1)
own_y = y.index_select(0, sample).view(members, points, 1)


@luge.capture
def step():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(own_x), own_y, reduction="per_set")
    loss.sum().backward()
    with luge.no_grad():
        rule.check(nn.functional.mse_loss(model(held), held_y, reduction="per_set"))
    optimizer.step()


for _ in range(20):
    step.run(50)
    if rule.all_stopped():
        break
rule.restore_best()
print(rule.report())
with luge.no_grad():
    prediction = model(x).mean(0)
error = (prediction - luge.sin(4 * x)).square().mean().sqrt().item()
print(f"the mean of {members} networks is off by {error:.4f}")
sys.exit(0 if error < 0.05 else 1)
