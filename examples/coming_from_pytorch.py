"""The same training code under both imports: where you know PyTorch, you know luge.

usage: coming_from_pytorch.py [luge|torch]      (default: luge, and PyTorch beside it where that is installed)
"""

import importlib
import sys
import time


def train(name):
    """Learns sin(x) by a small network. Every line is PyTorch's; `torch` is whatever was imported under that name."""
    torch = importlib.import_module(name)
    nn, functional = importlib.import_module(f"{name}.nn"), importlib.import_module(f"{name}.nn.functional")

    torch.manual_seed(0)
    x = torch.linspace(-3, 3, 256).unsqueeze(1)
    y = torch.sin(x)

    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=500)

    begin = time.perf_counter()
    for _ in range(500):
        optimizer.zero_grad()
        loss = functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - begin

    with torch.no_grad():
        worst = (model(x) - y).abs().max().item()
    print(f"{name:5}  loss {loss.item():.2e}, largest error {worst:.3f}, {seconds / 500 * 1e6:.0f} us a step")
    return worst


def train_captured():
    """What luge has beyond that: the five steps recorded once and replayed, for a hundred networks at once."""
    import luge
    from luge import nn
    from luge.nn.functional import mse_loss

    x = luge.linspace(-3, 3, 256).unsqueeze(1)
    y = luge.sin(x)
    params = luge.Parameters(sets=100, seed=0)
    model = nn.Sequential(nn.Linear(1, 32, params=params), nn.Tanh(), nn.Linear(32, 1, params=params))
    optimizer = luge.optim.Adam(params, lr=0.01)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = mse_loss(model(x), y, reduction="per_set")  # one loss for each network
        loss.sum().backward()
        optimizer.step()
        return loss

    begin = time.perf_counter()
    loss = step.run(200)
    seconds = time.perf_counter() - begin
    print(f"luge   100 networks at once, captured: best loss {loss.min().item():.2e}, {seconds / 200 * 1e6:.0f} us a step")


names = sys.argv[1:] or ["luge", "torch"]
errors = []
for name in names:
    try:
        errors.append(train(name))
    except ModuleNotFoundError as error:
        print(f"{name:5}  is not installed ({error})")
if "luge" in names:
    train_captured()
sys.exit(0 if errors and max(errors) < 0.2 else 1)
