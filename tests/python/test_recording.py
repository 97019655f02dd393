"""no_grad and its kin around functions and generators."""

import pytest

import luge

X = luge.ones(1, requires_grad=True)


@pytest.mark.parametrize(
    "without", [luge.no_grad(), luge.no_grad, luge.inference_mode(), lambda function: luge.set_grad_enabled(False)(function)]
)
def test_steps_of_a_generator_are_not_recorded_and_its_callers_are(without):
    @without
    def batches():
        given = yield (X * 2).requires_grad
        try:
            yield (given * 2).requires_grad
        except KeyError:
            yield "caught", (X * 2).requires_grad
        return 5

    assert luge.is_grad_enabled()
    steps = batches()
    assert next(steps) is False and luge.is_grad_enabled()
    assert steps.send(X) is False and luge.is_grad_enabled()
    assert steps.throw(KeyError()) == ("caught", False) and luge.is_grad_enabled()
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == 5 and luge.is_grad_enabled()


def test_a_generator_that_is_closed_ends_within():
    ends = []

    @luge.no_grad()
    def batches():
        try:
            yield 1
        finally:
            ends.append(luge.is_grad_enabled())

    steps = batches()
    next(steps)
    steps.close()
    assert ends == [False] and luge.is_grad_enabled()


def test_an_error_in_a_generator_leaves_recording_on():
    @luge.no_grad()
    def broken():
        yield 1
        raise KeyError("x")

    with pytest.raises(KeyError):
        list(broken())
    assert luge.is_grad_enabled()


def test_set_grad_enabled_is_for_the_calls_of_a_function():
    @luge.set_grad_enabled(False)
    def evaluated():
        return (X * 2).requires_grad

    assert luge.is_grad_enabled() and not evaluated() and luge.is_grad_enabled()


class Square(luge.autograd.Function):
    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 * x


def test_a_function_may_set_its_context_up_apart():
    x = luge.tensor([3.0, -1.0], requires_grad=True)
    y = Square.apply(x)
    assert y.tolist() == [9, 1]
    (slope,) = luge.autograd.grad(y.sum(), x, create_graph=True)
    assert slope.tolist() == [6, -2]
    assert luge.autograd.grad(slope.sum(), x)[0].tolist() == [2, 2]


def test_a_result_that_is_marked_has_no_gradient():
    class Sign(luge.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            result = x.sign()
            ctx.mark_non_differentiable(result)
            return result

    assert not Sign.apply(X).requires_grad


def test_an_argument_that_is_marked_dirty_is_refused():
    class Twice(luge.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)

    with pytest.raises(luge.AutogradError, match="mark_dirty says that forward"):
        Twice.apply(X)


def test_grad_has_the_options_of_pytorch():
    y = luge.ones(2, requires_grad=True)
    found = luge.autograd.grad((X * X).sum(), [X, y], only_inputs=True, materialize_grads=True)
    assert [g.tolist() for g in found] == [[2], [0, 0]]
    with pytest.raises(ValueError, match="grad: only_inputs is False; it must be True"):
        luge.autograd.grad(X.sum(), X, only_inputs=False)
    with pytest.raises(ValueError, match="grad: materialize_grads is True and allow_unused False"):
        luge.autograd.grad(X.sum(), X, allow_unused=False, materialize_grads=True)
    with pytest.raises(luge.AutogradError):
        luge.autograd.grad(X.sum(), y)
