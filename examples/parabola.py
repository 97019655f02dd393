"""One parameter: minimise f(x) = 3 x^2 - 2 x + 3 by gradient descent from x = -1; beside parabola.cpp.

The loop is the one of every training: forget the old gradient, compute the loss, let autograd find the gradient, take a
step against it, watch. The minimum is at x = 1/3, f = 8/3.
"""

import sys

import luge

params = luge.Parameters()
x = params.add("x", (), luge.init.constant(-1))
optimizer = luge.optim.SGD(params, lr=0.01)
monitor = luge.Monitor(total=80)

for epoch in range(80):
    optimizer.zero_grad()
    loss = 3 * x * x - 2 * x + 3
    loss.backward()
    optimizer.step()
    monitor.record(loss)
monitor.finish()

# Descent on a parabola has a closed form, so the result can be checked.
expected = 1 / 3 + (-1 - 1 / 3) * (1 - 6 * 0.01) ** 80
history = monitor.history
print(f"first loss {history.mean[0]:.7f}, last loss {history.mean[-1]:.7f}")
print(f"x = {x.item():.7f} after 80 steps, closed form {expected:.7f}, minimum at {1 / 3:.7f}")
sys.exit(0 if abs(x.item() - expected) < 1e-6 else 1)
