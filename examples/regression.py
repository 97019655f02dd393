"""Linear regression: find w and b so that w x + b is as close as it gets to noisy measurements; beside regression.cpp.

Gradient descent is compared with the answer of the normal equations.
"""

import sys

import luge

luge.manual_seed(42)
x = 10 * luge.rand(500)
y = 1.5 * x - 4 + luge.randn(500)  # the truth, and measurement noise of deviation 1

w = luge.zeros((), requires_grad=True)
b = luge.zeros((), requires_grad=True)
optimizer = luge.optim.SGD([w, b], lr=0.01, momentum=0.9)  # loose tensors, as in PyTorch
for epoch in range(500):
    optimizer.zero_grad()
    loss = luge.nn.functional.mse_loss(w * x + b, y)
    loss.backward()
    optimizer.step()
    if epoch % 100 == 99:
        print(f"epoch {epoch + 1}: loss {loss.item():.6f}, w {w.item():.5f}, b {b.item():.5f}")

dx, dy = x - x.mean(), y - y.mean()
best_w = ((dx * dy).sum() / (dx * dx).sum()).item()
best_b = y.mean().item() - best_w * x.mean().item()
print(f"gradient descent  w = {w.item():.5f}, b = {b.item():.5f}")
print(f"least squares     w = {best_w:.5f}, b = {best_b:.5f}")
sys.exit(0 if abs(w.item() - best_w) < 1e-4 and abs(b.item() - best_b) < 1e-3 else 1)
