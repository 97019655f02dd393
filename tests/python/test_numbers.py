"""Numbers that calls are given: NumPy's integers are ints, bools and what is no number are TypeErrors, the rest ValueErrors."""

import numpy as np
import pytest

import luge
from luge import nn

TABLE = [[1.0, 2.0], [3.0, 4.0]]


def lstm(dropout):
    hx = (luge.zeros(1, 3, 2), luge.zeros(1, 3, 2))
    params = [luge.ones(8, 4), luge.ones(8, 2), luge.ones(8), luge.ones(8)]
    return luge.lstm(luge.ones(2, 3, 4), hx, params, True, 1, dropout, True, False, False)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: nn.functional.dropout(luge.ones(2), "a"), TypeError, "dropout: p is of type str"),
        (lambda: nn.functional.dropout2d(luge.ones(1, 1, 1, 2), True), TypeError, "dropout2d: p is of type bool"),
        (lambda: nn.functional.dropout(luge.ones(2), float("nan")), ValueError, "dropout: p is nan; it must be from 0 to 1"),
        (lambda: lstm(2.0), ValueError, "lstm: dropout is 2.0; it must be from 0 to 1"),
        (lambda: luge.embedding(luge.tensor(TABLE), luge.tensor([0]), True), TypeError, "embedding: padding_idx is of type bool"),
        (lambda: nn.functional.embedding(luge.tensor([0]), luge.tensor(TABLE), 0.5), TypeError, "embedding: padding_idx is of type float"),
        (lambda: nn.Unflatten("a", (2,)), TypeError, "Unflatten: dim is of type str; it must be an int"),
        (lambda: luge.Generator().manual_seed(1.5), TypeError, "Generator.manual_seed: seed is of type float"),
        (lambda: luge.Generator().manual_seed(2**64), ValueError, "Generator.manual_seed: seed is 18446744073709551616"),
        (lambda: nn.LSTM(2, 3, num_layers=0), ValueError, "LSTM: num_layers is 0; it must be from 1 to 10000"),
        (lambda: nn.Linear(np.ones(2, int), 3), TypeError, "Linear: in_features is of type ndarray; it must be an int"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value).startswith(message)


def test_integers_of_numpy_are_integers():
    assert nn.Linear(np.int64(2), np.uint8(3)).weight.shape == (3, 2)
    assert luge.Generator().manual_seed(np.int32(3)).initial_seed() == 3
    assert luge.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
    row = luge.tensor(TABLE, requires_grad=True)
    nn.functional.embedding(luge.tensor([0, 1]), row, np.int64(0)).sum().backward()
    assert row.grad.tolist() == [[0.0, 0.0], [1.0, 1.0]]
