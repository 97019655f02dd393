"""What the cases train and on what: the same numbers for luge and its peers, so that their losses can be compared."""

import numpy as np

DEMO_RATE, ADAM_RATE = 0.01, 1e-3
FITS, POINTS = 100_000, 50
MEMBERS, BATCH, WIDTHS = 256, 256, (16, 64, 64, 1)
REGRESSIONS, FEATURES, ROWS = 1000, 20, 500
ELEMENTS = 1 << 24  # 64 MB of float32
MATRIX = (2048, 8192)
FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "gelu")


def uniform(seed, shape, low=-1.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def demo(sets):
    return uniform(1, sets, -2, 2)


def curves():
    """x, y of each set, and where a, t and c start."""
    x = np.linspace(0, 5, POINTS, dtype=np.float32)
    a, t, c = (uniform(2 + i, (FITS, 1), low, high) for i, (low, high) in enumerate(((1, 3), (0.5, 3), (0, 1))))
    y = a * np.exp(-x / t) + c + uniform(5, (FITS, POINTS), -0.05, 0.05)
    return x, y.astype(np.float32), [np.ones(FITS, np.float32) for _ in range(3)]


def ensemble():
    """x and y, which all members share, and the weights, (members, outputs, inputs), and biases of each layer."""
    layers = []
    for i, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        bound = inputs**-0.5
        layers += [uniform(10 + i, (MEMBERS, outputs, inputs), -bound, bound), uniform(20 + i, (MEMBERS, outputs), -bound, bound)]
    return uniform(7, (BATCH, WIDTHS[0])), uniform(8, (BATCH, WIDTHS[-1])), layers


def ensemble_flops():
    """Multiplications and additions of all products of a step: forward, to the weights, to the hidden layers."""
    pairs = [a * b for a, b in zip(WIDTHS, WIDTHS[1:])]
    return 2 * BATCH * MEMBERS * (2 * sum(pairs) + sum(pairs[1:]))


def regressions():
    """Each set its own rows: (sets, rows, features), labels 0 and 1, weights, bias."""
    x = uniform(30, (REGRESSIONS, ROWS, FEATURES))
    truth = uniform(31, (REGRESSIONS, FEATURES, 1), -2, 2)
    y = (x @ truth + uniform(32, (REGRESSIONS, ROWS, 1)) > 0).astype(np.float32)
    return x, y, [np.zeros((REGRESSIONS, FEATURES, 1), np.float32), np.zeros((REGRESSIONS, 1, 1), np.float32)]


def mlp(batch):
    """Images, labels, and weights, (outputs, inputs), and biases of 784-256-10."""
    labels = np.random.default_rng(41).integers(0, 10, batch)
    layers = []
    for i, (inputs, outputs) in enumerate(((784, 256), (256, 10))):
        bound = inputs**-0.5
        layers += [uniform(42 + i, (outputs, inputs), -bound, bound), uniform(44 + i, outputs, -bound, bound)]
    return uniform(40, (batch, 784), 0, 1), labels, layers


def function_range(name):
    return (0.1, 3) if name == "log" else (-3, 3)


def elements(name):
    return uniform(50, ELEMENTS, *function_range(name))


def matrix():
    return uniform(51, MATRIX, -4, 4), np.random.default_rng(52).integers(0, MATRIX[1], MATRIX[0])
