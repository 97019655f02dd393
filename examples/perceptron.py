"""Rosenblatt's perceptron (1958): one neuron that separates two classes of points in the plane; beside perceptron.cpp.

Its rule "move the line only for points on the wrong side" is gradient descent on the loss relu(-y (w x + b)), where y is
+1 or -1: the loss is zero where the side is right.
"""

import sys

import luge
from luge import nn

luge.manual_seed(7)
# Points whose distance to the line x_0 + 2 x_1 = 0.5 is not tiny: a perceptron finds a line then.
points = luge.rand(2000, 2) * 4 - 2
side = points[:, 0] + 2 * points[:, 1] - 0.5
clear = (side.abs() > 0.4).float()
y = side.sign() * clear  # 0 for points too close to call: they have no loss

params = luge.Parameters()
neuron = nn.Linear(2, 1, params=params, weight_init=luge.init.zeros(), bias_init=luge.init.zeros())
optimizer = luge.optim.SGD(params, lr=0.1)
for epoch in range(2000):
    optimizer.zero_grad()
    output = neuron(points).squeeze(1)
    # With weights of zero no side is taken yet; the small offset asks for one.
    loss = luge.relu(0.01 - y * output) * clear
    loss.sum().backward()
    optimizer.step()
    wrong = ((y * output <= 0).float() * clear).sum().item()
    if epoch % 5 == 0:
        print(f"epoch {epoch:4d}: {wrong:4.0f} of {clear.sum().item():.0f} points on the wrong side")
    if wrong == 0:
        break
w0, w1 = neuron.weight.detach().flatten().tolist()
offset = -neuron.bias.detach().item() / w0
print(f"no point is wrong: {'yes' if wrong == 0 else 'no'}; the line found is x_0 + {w1 / w0:.2f} x_1 = {offset:.2f}")
sys.exit(0 if wrong == 0 else 1)
