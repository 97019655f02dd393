"""The cases in luge: captured steps, and single operations. A case gives what one call does, and a number that says what the
first calls computed."""

import ctypes
import ctypes.util

import numpy as np

import luge

from . import inputs

version = luge.__version__
set_threads = luge.set_num_threads


def captured(step, **options):
    """The step captured; its losses after three steps."""
    step = luge.capture(step, **options)
    first = [float(step().mean()) for _ in range(3)][-1]
    return step, first


def parameters(arrays, sets=None):
    """An arena with these values; with sets their first dimension counts them."""
    params = luge.Parameters() if sets is None else luge.Parameters(sets=sets)
    tensors = []
    for i, array in enumerate(arrays):
        tensor = params.add(f"p{i}", array.shape if sets is None else array.shape[1:], luge.init.zeros())
        with luge.no_grad():
            tensor.copy_(luge.tensor(array))
        tensors.append(tensor)
    return params, tensors


def adam_step(params, loss_of):
    optimizer = luge.optim.Adam(params, lr=inputs.ADAM_RATE)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss

    return captured(step, keep_gradients=False)


def demo(sets, steps=1, returned=True):
    """With `returned`, run(steps) records the mean loss of every step."""
    params, (x,) = parameters([inputs.demo(sets)], sets)
    optimizer = luge.optim.SGD(params, lr=inputs.DEMO_RATE)
    monitor = luge.Monitor(progress=False) if returned and steps > 1 else None

    def step():
        optimizer.zero_grad()
        loss = (3 * x * x - 2 * x + 3).sum()
        loss.backward()
        optimizer.step()
        mean = loss / sets
        if monitor is not None:
            monitor.record(mean)
        return mean if returned else None

    if returned:
        step, first = captured(step, keep_gradients=False)
    else:
        step, first = luge.capture(step, keep_gradients=False), None
        step()
    return (step if steps == 1 else lambda: step.run(steps)), first


def curve_fit():
    x, y, starts = inputs.curves()
    params, (a, t, c) = parameters(starts, inputs.FITS)
    x, y = luge.tensor(x), luge.tensor(y)

    def loss_of():
        model = a.unsqueeze(1) * luge.exp(-x / t.unsqueeze(1)) + c.unsqueeze(1)
        return ((model - y) ** 2).mean(1).sum()

    step, first = adam_step(params, loss_of)
    return step, first / inputs.FITS


def ensemble():
    x, y, layers = inputs.ensemble()
    params, weights = parameters(layers, inputs.MEMBERS)
    x, y = luge.tensor(x), luge.tensor(y)

    def loss_of():
        h = x
        for i in range(0, len(weights), 2):
            h = luge.nn.functional.linear(h, weights[i], weights[i + 1])
            if i + 2 < len(weights):
                h = luge.relu(h)
        return ((h - y) ** 2).mean((1, 2)).sum()

    step, first = adam_step(params, loss_of)
    return step, first / inputs.MEMBERS


def regressions():
    x, y, start = inputs.regressions()
    params, (w, b) = parameters(start, inputs.REGRESSIONS)
    x, y = luge.tensor(x), luge.tensor(y)

    def loss_of():
        z = x @ w + b
        return (luge.softplus(z) - z * y).mean((1, 2)).sum()

    step, first = adam_step(params, loss_of)
    return step, first / inputs.REGRESSIONS


def mlp(batch):
    images, labels, layers = inputs.mlp(batch)
    params, (w1, b1, w2, b2) = parameters(layers)
    images, labels, linear = luge.tensor(images), luge.tensor(labels), luge.nn.functional.linear
    return adam_step(params, lambda: luge.nn.functional.cross_entropy(
        linear(luge.relu(linear(images, w1, b1)), w2, b2), labels))


def adam(count):
    params, (p,) = parameters([inputs.uniform(60, count)])
    optimizer = luge.optim.Adam(params, lr=1e-6)
    p.square().sum().backward()
    return optimizer.step, None


def function(name):
    x = luge.tensor(inputs.elements(name))
    call = luge.nn.functional.gelu if name == "gelu" else getattr(luge, name)
    return (lambda: call(x)), float(call(x)[:1000].mean())


def softmax():
    x = luge.tensor(inputs.matrix()[0])
    return (lambda: luge.softmax(x, -1)), float(luge.softmax(x, -1)[0, 0])


def exp_matrix():
    x = luge.tensor(inputs.matrix()[0])
    return (lambda: luge.exp(x)), float(luge.exp(x).mean())


def cross_entropy():
    x, labels = (luge.tensor(array) for array in inputs.matrix())
    return (lambda: luge.nn.functional.cross_entropy(x, labels)), float(luge.nn.functional.cross_entropy(x, labels))


# ---- what they are measured by


def copy():
    source = luge.rand(inputs.ELEMENTS)
    target = luge.zeros(inputs.ELEMENTS)
    return (lambda: target.copy_(source)), None


def blas():
    library = ctypes.CDLL(ctypes.util.find_library("openblas") or "libopenblas.so.0")
    library.openblas_set_num_threads(1)

    def sgemm(ta, tb, a, b, c):
        (m, n), k = c.shape, (a.shape[0] if ta else a.shape[1])
        pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)  # noqa: E731
        library.cblas_sgemm(101, 112 if ta else 111, 112 if tb else 111, m, n, k, ctypes.c_float(1), pointer(a), a.shape[1],
                            pointer(b), b.shape[1], ctypes.c_float(0), pointer(c), n)

    return sgemm


def products(batch):
    """The five matrix products of the MLP's step and nothing else, by the BLAS that luge uses."""
    sgemm = blas()
    x, _, (w1, b1, w2, b2) = inputs.mlp(batch)
    h, z = np.zeros((batch, 256), np.float32), np.zeros((batch, 10), np.float32)
    dh, d1, d2 = np.zeros_like(h), np.zeros_like(w1), np.zeros_like(w2)

    def call():
        sgemm(False, True, x, w1, h)
        sgemm(False, True, h, w2, z)
        sgemm(True, False, z, h, d2)
        sgemm(False, False, z, w2, dh)
        sgemm(True, False, dh, x, d1)

    return call, None


def sgemm(size):
    call = blas()
    a, b, c = (inputs.uniform(70 + i, (size, size)) for i in range(3))
    return (lambda: call(False, False, a, b, c)), None
