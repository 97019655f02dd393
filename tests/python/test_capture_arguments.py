"""Captured steps that change their arguments in place: the values of eager ones."""

import pytest

import luge
from luge import nn


def both(function, x, calls=4):
    """What eager and captured calls return, and what they leave in x."""
    found = []
    for run in (function, luge.capture(function)):
        given = x.clone()
        found.append(([run(given).tolist() for _ in range(calls)], given.tolist()))
    return found


@pytest.mark.parametrize("change", [
    lambda x: (x.mul_(2), x.sum())[1],
    lambda x: x.mul_(2),
    lambda x: x[0].copy_(x[1] + 1).sum(),
    lambda x: (x.__setitem__(0, 5.0), x[1].sub_(1), x * 2)[2],
    lambda x: (x.t().add_(1), x.mean())[1],
    lambda x: nn.functional.relu(x, inplace=True).sum(),
    lambda x: luge.add(x, 1, out=x).sum(),
    lambda x: x + 1,
])  # fmt: skip
def test_what_a_step_changes_in_an_argument_is_there(change):
    eager, captured = both(change, luge.arange(6.0).reshape(2, 3) - 2)
    assert captured == eager


def test_named_arguments_and_many_steps():
    @luge.capture
    def step(x, *, total):
        total.add_(x)
        return total.sum()

    x, total = luge.ones(2), luge.zeros(2)
    assert step(x, total=total).item() == 2 and step(x=x, total=total).item() == 4
    step.run(1000, x, total=total)
    assert total.tolist() == [1002, 1002] and x.tolist() == [1, 1]


def test_running_statistics_as_arguments():
    def step(x, mean, var):
        return nn.functional.batch_norm(x, mean, var, training=True).sum(0)

    luge.manual_seed(1)
    batches, found = [luge.randn(8, 3) for _ in range(4)], []
    for run in (step, luge.capture(step)):
        mean, var = luge.zeros(3), luge.ones(3)
        found.append([run(x, mean, var).tolist() + mean.tolist() + var.tolist() for x in batches])
    assert found[0] == found[1]


def test_an_array_takes_the_change():
    np = pytest.importorskip("numpy")
    array = np.ones(3, np.float32)
    step = luge.capture(lambda x: x.mul_(3).sum())
    for _ in range(3):
        step(luge.from_numpy(array))
    assert array.tolist() == [27.0] * 3


def test_arguments_that_cannot_take_a_change():
    step = luge.capture(lambda x, y: (x.add_(y), x.sum())[1])
    x = luge.ones(4)
    step(luge.zeros(4), x)
    with pytest.raises(luge.CaptureError, match=r"test_capture_arguments.py:\d+\): argument 0 of shape \(4,\) is changed in place.*was expanded"):
        step(luge.ones(1).expand(4), x)
    with pytest.raises(luge.CaptureError, match="argument 0 .* shares memory with argument 1"):
        step(x, x)
    assert x.tolist() == [1] * 4
    step(luge.zeros(4), luge.ones(1).expand(4))
    matrix = luge.zeros(4, 2)
    step(matrix[:, 0], matrix[:, 1] + 1), step(matrix[:, 0], matrix[:, 1])
    assert matrix.tolist() == [[1.0, 0.0]] * 4


def test_an_argument_does_not_become_a_leaf():
    x = luge.ones(2)
    with pytest.raises(luge.CaptureError, match=r"argument 0 of shape \(2,\) is made to require a gradient"):
        luge.capture(lambda x: x.requires_grad_().sum().backward())(x)
    assert not x.requires_grad
