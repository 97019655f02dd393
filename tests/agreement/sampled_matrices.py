"""Matrices that samples of linear algebra share."""

import numpy as np

from agreement import A, V, error

DTYPES = ("float32", "float64")
BATCHES = ((), (2,), (2, 3), (0,), (1, 0))


def near_unit(*shape, dtype="float64", seed=0, scale=0.5):
    """A matrix that is easy to invert."""
    x = np.random.default_rng(seed).uniform(-scale, scale, shape) + 1.5 * np.eye(*shape[-2:])
    return V(np.round(x, 3).tolist(), dtype)


def definite(*shape, dtype="float64", seed=0):
    x = np.round(np.random.default_rng(seed).uniform(-1, 1, shape), 2)
    return V(np.round(x @ x.swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1]), 4).tolist(), dtype)


#: PyTorch 2.15 has torch.cholesky and torch.qr, which raise.
REMOVED = "PyTorch 2.15 sends its users to linalg"


def diagonal(*values, dtype="float64"):
    return V(np.diag(values).tolist(), dtype)


ZEROS = V([[0.0, 0.0], [0.0, 0.0]], "float64")
SINGULAR = V([[1.0, 2.0], [2.0, 4.0]], "float64")
SECOND_SINGULAR = V([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [2.0, 4.0]]], "float64")
NOT_DEFINITE = V([[1.0, 2.0], [2.0, 1.0]], "float64")
NOT_FINITE = V([[float("nan"), 1.0], [1.0, 2.0]], "float64")


def square_errors(name, *rest, first=0, **kwargs):
    """What no function of square matrices takes."""
    for bad in (A((3,)), A((2, 3)), A(()), A((2, 2), "int64"), A((2, 2), "float16"), A((2, 2), "bool"), A((2, 3, 2))):
        error(name, bad, *rest, **kwargs)
