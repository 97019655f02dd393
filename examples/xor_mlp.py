"""XOR: the smallest problem that a single neuron cannot solve and one hidden layer can; beside xor_mlp.cpp.

Some starts of such a small network get stuck, so twenty networks with their own random starts train at once.
"""

import sys

import luge
from luge import nn
from luge.nn.functional import mse_loss

SETS = 20
inputs = luge.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
wanted = luge.tensor([0.0, 1.0, 1.0, 0.0])

params = luge.Parameters(SETS, seed=3)
model = nn.Sequential(
    nn.Linear(2, 4, params=params, name="hidden"), nn.Tanh(), nn.Linear(4, 1, params=params, name="output"), nn.Sigmoid()
)
optimizer = luge.optim.Adam(params, lr=0.05)
for epoch in range(500):
    optimizer.zero_grad()
    output = model(inputs).squeeze(2)  # (sets, 4)
    loss = mse_loss(output, wanted, reduction="per_set")  # (sets)
    loss.sum().backward()
    optimizer.step()
    if epoch % 100 == 99:
        print(f"epoch {epoch + 1:3d}: best loss {loss.min().item():.6f}, worst {loss.max().item():.6f}")

with luge.no_grad():
    output = model(inputs).squeeze(2)
    right = ((output > 0.5) == (wanted > 0.5)).float().sum(1)  # (sets): 0 to 4
    solved = int((right == 4).sum())
    best = int(mse_loss(output, wanted, reduction="per_set").argmin())
    for i, value in enumerate(output[best].tolist()):
        print(f"{i // 2} xor {i % 2} = {value:.3f}")
print(f"{solved} of {SETS} networks learned XOR")
sys.exit(0 if solved >= SETS / 2 and right[best].item() == 4 else 1)
