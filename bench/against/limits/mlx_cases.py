"""The cases in MLX on the CPU, for what its compiled functions do without its optimizers."""

import mlx.core as mx
import mlx.nn as nn

from . import inputs

mx.set_default_device(mx.cpu)
version = mx.__version__


def set_threads(count):
    if count != 1:
        raise ValueError("MLX is measured on one thread")


def demo(sets, steps=1, returned=True):
    gradient = mx.value_and_grad(lambda x: (3 * x * x - 2 * x + 3).sum())

    def update(x):
        value, g = gradient(x)
        return x - inputs.DEMO_RATE * g, value / sets

    compiled, state = mx.compile(update), [mx.array(inputs.demo(sets)), None]

    def step():
        state[:] = compiled(state[0])
        mx.eval(state)
        return state[1]

    return (step if steps == 1 else lambda: [step() for _ in range(steps)]), None  # its sum is 1 % off (0.32.4)


def one(call, value):
    return (lambda: mx.eval(call())), float(value(call()))


def function(name):
    x = mx.array(inputs.elements(name))
    call = nn.gelu if name == "gelu" else getattr(mx, name)
    return one(lambda: call(x), lambda y: y[:1000].mean())


def softmax():
    x = mx.array(inputs.matrix()[0])
    return one(lambda: mx.softmax(x, -1), lambda y: y[0, 0])


def cross_entropy():
    x, labels = (mx.array(array) for array in inputs.matrix())
    return one(lambda: nn.losses.cross_entropy(x, labels, reduction="mean"), lambda y: y)
