"""Learning rate, weight decay and first moment of 192 networks at once, with successive halving; beside sweep.cpp."""

import sys

import luge

luge.manual_seed(4)
nn, sweep = luge.nn, luge.sweep
x, held = luge.linspace(-1, 1, 64).unsqueeze(1), luge.linspace(-0.98, 0.98, 100).unsqueeze(1)
y = luge.sin(4 * x) + 0.2 * luge.randn(64, 1)
held_y = luge.sin(4 * held)

space = {"lr": sweep.log_uniform(1e-4, 1), "weight_decay": sweep.log_uniform(1e-3, 10), "beta1": sweep.choice(0.5, 0.9, 0.99)}
settings = sweep.space(space, sets=192, seeds=3, seed=1)  # 64 settings, each from three starts
params = luge.Parameters(sets=settings.sets, seed=0)
model = nn.Sequential(nn.Linear(1, 16, params=params, name="hidden"), nn.Tanh(), nn.Linear(16, 1, params=params, name="output"))
optimizer = luge.optim.AdamW(params, **settings.hyper())
rule = luge.stop.when(optimizer)  # a set that diverges is left alone


def step(live):  # of the sets that still go on
    live.optimizer.zero_grad()
    loss = nn.functional.mse_loss(live.module(model)(x), y, reduction="per_set")
    loss.sum().backward()
    live.rule.check(loss)
    live.optimizer.step()
    return loss


def validate():
    return nn.functional.mse_loss(model(held), held_y, reduction="per_set")


result = sweep.run(step, optimizer, settings, steps=1000, halving=4, validate=validate, rule=rule, compact=True)
lines = [f"setting {s.setting}: mean {s.mean:.6g}, deviation {s.deviation:.3g}" for s in result.by_setting()[:3]]
lines += [f"{a.name}: rank correlation {a.rank_correlation:.2f}, explained {a.explained:.2f}" for a in result.associations()]
print(result.table(5), *lines, sep="\n")
if len(sys.argv) > 1:
    print(result.report(sys.argv[1], title="A sweep"))
sys.exit(0 if result.scores.min().item() < 0.02 and result.total_steps < 192 * 1000 / 4 else 1)
