"""The cases in PyTorch: loss and optimizer compiled, as its documentation advises."""

import torch
import torch.nn.functional as F

from . import inputs

version = torch.__version__
set_threads = torch.set_num_threads


def adam_step(arrays, loss_of, scale=1.0):
    leaves = [torch.tensor(array).requires_grad_() for array in arrays]
    optimizer = torch.optim.Adam(leaves, lr=inputs.ADAM_RATE)
    loss_of, update = torch.compile(loss_of, dynamic=False), torch.compile(optimizer.step, dynamic=False)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(*leaves)
        loss.backward()
        update()
        return loss.detach()

    return step, [float(step()) / scale for _ in range(3)][-1]


def curve_fit():
    x, y, starts = inputs.curves()
    x, y = torch.tensor(x), torch.tensor(y)

    def loss_of(a, t, c):
        return ((a[:, None] * torch.exp(-x / t[:, None]) + c[:, None] - y) ** 2).mean(1).sum()

    return adam_step(starts, loss_of, inputs.FITS)


def ensemble():
    x, y, layers = inputs.ensemble()
    x, y = torch.tensor(x), torch.tensor(y)

    def one(*layers):
        h = x
        for i in range(0, len(layers), 2):
            h = F.linear(h, layers[i], layers[i + 1])
            if i + 2 < len(layers):
                h = F.relu(h)
        return F.mse_loss(h, y)

    return adam_step(layers, lambda *layers: torch.func.vmap(one)(*layers).sum(), inputs.MEMBERS)


def regressions():
    x, y, start = inputs.regressions()
    x, y = torch.tensor(x), torch.tensor(y)
    return adam_step(start, lambda w, b: F.binary_cross_entropy_with_logits(
        torch.bmm(x, w) + b, y, reduction="none").mean((1, 2)).sum(), inputs.REGRESSIONS)


def mlp(batch):
    images, labels, layers = inputs.mlp(batch)
    images, labels = torch.tensor(images), torch.tensor(labels)
    return adam_step(layers, lambda w1, b1, w2, b2: F.cross_entropy(
        F.linear(F.relu(F.linear(images, w1, b1)), w2, b2), labels))


def function(name):
    x = torch.tensor(inputs.elements(name))
    call = F.gelu if name == "gelu" else getattr(torch, name)
    return (lambda: call(x)), float(call(x)[:1000].mean())


def softmax():
    x = torch.tensor(inputs.matrix()[0])
    return (lambda: torch.softmax(x, -1)), float(torch.softmax(x, -1)[0, 0])


def cross_entropy():
    x, labels = (torch.tensor(array) for array in inputs.matrix())
    return (lambda: F.cross_entropy(x, labels)), float(F.cross_entropy(x, labels))
