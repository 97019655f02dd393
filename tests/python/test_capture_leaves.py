"""Captured steps that make leaves: the bits of eager ones, recorded once."""

import pytest

import luge
from luge import nn


def saliency(make):
    def step(x):
        z = make(x)
        (z**3).sum().backward()
        return z.grad, z.grad.sum()

    return step


def attack(x):
    start = x
    for _ in range(4):
        x = x.detach().clone().requires_grad_(True)
        (x**2).sum().backward()
        with luge.no_grad():
            x = start + (x + 0.1 * x.grad.sign() - start).clamp(-0.3, 0.3)
    return (x,)


def the_leaf(x):
    z = nn.Parameter(x)
    (z * z).sum().backward()
    return z, z.grad


def zeros(x):
    z = luge.zeros_like(x, requires_grad=True)
    ((z + x) ** 2).sum().backward()
    return (z.grad,)


def penalty(x):
    z = x.clone().requires_grad_()
    slope = luge.autograd.grad((z**3).sum(), z, create_graph=True)[0]
    ((slope.norm(dim=1) - 1) ** 2).mean().backward()
    return slope, z.grad


@pytest.mark.parametrize("function", [
    saliency(lambda x: x.detach().clone().requires_grad_(True)), saliency(lambda x: x.detach().requires_grad_(True)), saliency(nn.Parameter),
    attack, the_leaf, zeros, penalty,
])  # fmt: skip
@pytest.mark.parametrize("keep_gradients", [True, False])
def test_leaves_of_the_steps_own(function, keep_gradients):
    runs = []
    step = luge.capture(lambda x: (runs.append(1), function(x))[1], keep_gradients=keep_gradients)
    luge.manual_seed(1)
    for _ in range(12):
        x = luge.randn(3, 2)
        assert [y.tolist() for y in step(x)] == [y.tolist() for y in function(x)]
    assert len(runs) == 1


def test_a_network_trained_on_its_own_derivative():
    def train(captured):
        luge.manual_seed(3)
        model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = luge.optim.Adam(model.parameters(), lr=0.01)
        runs = []

        def step(t):
            runs.append(1)
            optimizer.zero_grad()
            t = t.clone().requires_grad_()
            u = model(t)
            slope = luge.autograd.grad(u, t, luge.ones_like(u), create_graph=True)[0]
            loss = ((slope + u) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        losses = [run(luge.rand(16, 1)).item() for _ in range(20)]
        assert len(runs) == (1 if captured else 20)
        return losses

    assert train(True) == train(False)


def test_a_leaf_that_the_program_keeps():
    class Program:
        pass

    program, runs = Program(), []

    @luge.capture
    def step(x):
        runs.append(1)
        program.z = nn.Parameter(x)
        (program.z**2).sum().backward()

    for i in range(12):
        step(luge.full((2,), float(i)))
        assert program.z.tolist() == [i, i] and program.z.grad.tolist() == [2 * i, 2 * i]
    assert len(runs) <= 3
