"""Population-based training of sixty small networks: the worst take over weights and rates of the best; beside population.cpp."""

import math
import sys

import luge

luge.manual_seed(1)
nn = luge.nn
members, points, batch = 60, 256, 64
x = luge.linspace(-1, 1, points).unsqueeze(1)
y = luge.sin(6 * x) + 0.05 * luge.randn(points, 1)
held = luge.linspace(-0.99, 0.99, 100).unsqueeze(1)
held_y = luge.sin(6 * held)


def trained(evolves):
    params = luge.Parameters(sets=members, seed=1)
    hidden = nn.Linear(1, 24, params=params, name="hidden")
    model = nn.Sequential(hidden, nn.Tanh(), nn.Linear(24, 1, params=params, name="output"))
    spread = luge.init.uniform(math.log(1e-5), math.log(1e-2))  # many rates are too small
    rates = luge.population.resample(luge.zeros(members), spread, seed=2).exp()
    optimizer = luge.optim.Adam(params, lr=rates)
    count = luge.tensor(0)

    @luge.capture
    def step():
        sample = luge.data.minibatch(points, batch, members, seed=3, step=count).view(-1)  # each its own order
        own_x, own_y = (data.index_select(0, sample).view(members, batch, 1) for data in (x, y))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(own_x), own_y, reduction="per_set").sum().backward()
        optimizer.step()
        count.add_(1)

    def losses():
        with luge.no_grad():
            return nn.functional.mse_loss(model(held), held_y, reduction="per_set")

    @luge.capture
    def evolve():
        source = luge.population.exploit(optimizer, losses(), 0.2)
        luge.population.explore(optimizer, source, "lr", 0.5, 2.0)

    for _ in range(30):
        step.run(20)
        if evolves:
            evolve()
    return losses().sqrt(), optimizer.lr


alone, _ = trained(False)
together, rates = trained(True)
best, median = [
    [errors[luge.population.best(errors, members)[place]].item() for errors in (alone, together)] for place in (0, members // 2)
]
print(f"error of the median network: {median[0]:.3f} alone, {median[1]:.3f} in the population")
print(f"error of the best: {best[0]:.3f} and {best[1]:.3f}")
print(f"rates at the end: {rates.min().item():.4f} to {rates.max().item():.4f}")
sys.exit(0 if median[1] < median[0] / 3 and best[1] < 0.1 else 1)
