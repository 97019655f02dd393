"""What can be assigned to a tensor, and what it says of itself beyond shape and dtype."""

import pytest

import luge


def test_gradients_can_be_assigned():
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    given = luge.tensor([3.0, 4.0])
    x.grad = given
    given.zero_()
    assert x.grad.tolist() == [3, 4]
    (x * x).sum().backward()
    assert x.grad.tolist() == [5, 8]
    x.grad = x.grad * 2
    assert x.grad.tolist() == [10, 16]
    x.grad = x.grad
    assert x.grad.tolist() == [10, 16]
    x.grad = None
    assert x.grad is None


def test_optimizers_step_by_assigned_gradients():
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    optimizer = luge.optim.SGD([x], lr=0.5)
    x.grad = luge.tensor([2.0, 4.0])
    optimizer.step()
    assert x.tolist() == [0, 0]


def test_assigned_gradients_that_do_not_fit_change_nothing():
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    x.grad = luge.ones(2)
    for error, value in ((luge.ShapeError, luge.ones(3)), (luge.DTypeError, luge.ones(2, dtype=luge.float64)), (TypeError, [1.0, 2.0])):
        with pytest.raises(error, match="grad: "):
            x.grad = value
    assert x.grad.tolist() == [1, 1]
    for other in (luge.ones(2), x * 2):
        with pytest.raises(luge.AutogradError, match="grad: it can be set on a leaf"):
            other.grad = luge.ones(2)


def test_data_is_the_tensor_outside_the_graph():
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    assert not x.data.requires_grad and x.data.data_ptr() == x.data_ptr()
    x.data.mul_(2)
    x.data += 1
    assert x.tolist() == [3, 5] and x.requires_grad and x.is_leaf
    address = x.data_ptr()
    x.data = luge.tensor([7.0, 8.0])
    assert x.tolist() == [7, 8] and x.data_ptr() == address and x.requires_grad
    with pytest.raises(luge.ShapeError, match="data: a tensor of shape"):
        x.data = luge.zeros(3)
    with pytest.raises(TypeError, match="data: it was set to"):
        x.data = 3
    assert x.tolist() == [7, 8]


def test_captured_steps_see_assigned_data():
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    step = luge.capture(lambda: x * 2)
    step()
    x.data = luge.tensor([7.0, 8.0])
    assert step().tolist() == [14, 16]


def test_what_a_tensor_says_of_itself():
    x = luge.zeros(2, 3)
    assert x.is_cpu and x.get_device() == -1 and x.ndimension() == 2
    assert x.is_same_size(luge.ones(2, 3)) and not x.is_same_size(luge.ones(3, 2))
