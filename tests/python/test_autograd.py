"""The graph from Python."""

import gc
import weakref

import pytest

import luge


def leaf(*values):
    return luge.tensor(values, dtype=luge.float64, requires_grad=True)


def test_backward():
    x = leaf(1, 2)
    assert x.grad is None
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 8]
    x.zero_grad()
    (3 * x).backward(luge.tensor([1.0, 10.0], dtype=luge.float64))
    assert x.grad.tolist() == [3, 30]
    x.grad = None
    assert x.grad is None
    with pytest.raises(TypeError):
        x.grad = 5


@pytest.mark.parametrize("action, error", [
    (lambda x: (x * 2).backward(), luge.AutogradError), (lambda x: (x * 2).backward(luge.ones(3)), luge.ShapeError),
    (lambda x: (x * 2).backward(luge.ones(2)), luge.DTypeError), (lambda x: luge.ones(1).backward(), luge.AutogradError),
    (lambda x: (x * 2).backward(5), TypeError), (lambda x: [y.backward() or y.backward() for y in [x.sum()]], luge.AutogradError),
    (lambda x: setattr(x * 2, "requires_grad", False), luge.AutogradError), (lambda x: x.mul_(2), luge.AutogradError),
])  # fmt: skip
def test_errors(action, error):
    with pytest.raises(error):
        action(leaf(1, 2))


def test_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]


def test_no_grad():
    x = leaf(1)
    with luge.no_grad():
        assert not luge.is_grad_enabled() and not (x * 2).requires_grad
        with luge.enable_grad():
            assert (x * 2).requires_grad
        assert not luge.is_grad_enabled()
        with luge.set_grad_enabled(True):
            assert luge.is_grad_enabled()
        assert not luge.is_grad_enabled()
    assert luge.is_grad_enabled()


def test_no_grad_as_decorator():
    @luge.no_grad()
    def first():
        return luge.is_grad_enabled()

    @luge.no_grad
    def second(value, *, more=0):
        """Documented."""
        return luge.is_grad_enabled(), value + more

    @luge.enable_grad()
    def third():
        return luge.is_grad_enabled()

    assert first() is False and second(1, more=2) == (False, 3) and second.__doc__ == "Documented."
    with luge.no_grad():
        assert third() is True
    assert luge.is_grad_enabled()


def test_no_grad_after_an_exception():
    for guard in (luge.no_grad(), luge.enable_grad()):
        with pytest.raises(KeyError), guard:
            raise KeyError
        assert luge.is_grad_enabled()
    guard = luge.no_grad()
    with guard, guard:
        pass
    assert luge.is_grad_enabled()
    luge.set_grad_enabled(False)
    assert not luge.is_grad_enabled()
    luge.set_grad_enabled(True)


def test_grad():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * w
    loss = (y * y).sum()
    gx, gy = luge.autograd.grad(loss, [x, y])
    assert gx.tolist() == [18, 64] and gy.tolist() == [6, 16] and x.grad is None and w.grad is None
    assert luge.autograd.grad([x.sum(), (x * 2).sum()], x)[0].tolist() == [3, 3]
    assert luge.autograd.grad(x * 2, x, luge.tensor([1.0, 5.0], dtype=luge.float64))[0].tolist() == [2, 10]
    assert luge.autograd.grad([x * 2], [x], [luge.ones(2, dtype=luge.float64)])[0].tolist() == [2, 2]
    assert luge.autograd.grad(x.sum(), [w, x], allow_unused=True)[0] is None
    with pytest.raises(luge.AutogradError, match="input 0"):
        luge.autograd.grad(x.sum(), w)
    for bad in (lambda: luge.autograd.grad(x * 2, x), lambda: luge.autograd.grad(x.sum(), luge.ones(1))):
        with pytest.raises(luge.AutogradError):
            bad()


def test_backward_of_several():
    x = leaf(1, 2)
    y = x * x
    luge.autograd.backward([y.sum(), (y * 2).sum()])
    assert x.grad.tolist() == [6, 12]
    with pytest.raises(ValueError, match="gradients"):
        luge.autograd.backward([x.sum()], [None, None])


def test_gradcheck_finds_mistakes():
    class Wrong(luge.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 3

    x = leaf(0.5)
    with pytest.raises(luge.AutogradError):
        luge.autograd.gradcheck(Wrong.apply, x)
    assert luge.autograd.gradcheck(Wrong.apply, x, raise_exception=False) is False
    with pytest.raises(luge.DTypeError):
        luge.autograd.gradcheck(luge.exp, luge.ones(2, requires_grad=True))


# ---- Function


class Power(luge.autograd.Function):
    """x ** n of a tensor and an int, times another tensor."""

    @staticmethod
    def forward(ctx, x, n, scale):
        result = scale * x**n
        ctx.save_for_backward(x, scale, result)
        ctx.n = n
        return result

    @staticmethod
    def backward(ctx, grad):
        x, scale, _ = ctx.saved_tensors
        by_scale = (grad * x**ctx.n).sum() if ctx.needs_input_grad[2] else None
        return grad * scale * ctx.n * x ** (ctx.n - 1), None, by_scale


def test_function():
    x, scale = leaf(0.5, 1.5), luge.tensor(2.0, dtype=luge.float64, requires_grad=True)
    assert luge.autograd.gradcheck(lambda a, b: Power.apply(a, 3, b), [x, scale])
    Power.apply(x, 3, luge.tensor(1.0, dtype=luge.float64)).sum().backward()
    assert x.grad.tolist() == [0.75, 6.75]
    assert not Power.apply(x.detach(), 3, scale.detach()).requires_grad
    with luge.no_grad():
        assert not Power.apply(x, 3, scale).requires_grad


def test_function_frees_what_it_saved():
    x = leaf(1.0)
    y = Power.apply(x, 2, luge.tensor(1.0, dtype=luge.float64))
    before = luge.memory_stats().allocated
    y.sum().backward()
    alive = weakref.ref(y)
    del y
    gc.collect()
    assert alive() is None and luge.memory_stats().allocated < before


def make(forward, backward):
    return type("Made", (luge.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


@pytest.mark.parametrize("forward, backward, error", [
    (lambda ctx, x: (x, x), lambda ctx, g: g, TypeError), (lambda ctx, x: None, lambda ctx, g: g, TypeError),
    (lambda ctx, x: x * 1, lambda ctx, g: (g, g), luge.AutogradError), (lambda ctx, x: x * 1, lambda ctx, g: g.sum(), luge.ShapeError),
    (lambda ctx, x: x * 1, lambda ctx, g: 1 / 0, ZeroDivisionError), (lambda ctx, x: [][1], lambda ctx, g: g, IndexError),
    (lambda ctx, x: x * 1, lambda ctx, g: "text", Exception),
])  # fmt: skip
def test_functions_with_mistakes(forward, backward, error):
    x = leaf(1, 2)
    with pytest.raises(error):
        make(forward, backward).apply(x).sum().backward()
    assert x.grad is None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_function_without_definitions():
    with pytest.raises(NotImplementedError, match="forward"):
        luge.autograd.Function.apply(leaf(1))

    class Half(luge.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x / 2

    with pytest.raises(NotImplementedError, match="backward"):
        Half.apply(leaf(1)).sum().backward()


def test_saved_tensors_are_guarded():
    x = luge.ones(2, dtype=luge.float64)
    w = leaf(1, 2)

    class Product(luge.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            return grad * b, grad * a

    y = Product.apply(x, w).sum()
    x.add_(1)
    with pytest.raises(luge.AutogradError, match="changed in place"):
        y.backward()


def test_a_captured_function():
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    optimizer = luge.optim.SGD([x], lr=0.1)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = Power.apply(x, 2, luge.ones(()))
        loss.sum().backward()
        optimizer.step()

    step.run(3)
    expected = [1.0 * 0.8**3, 2.0 * 0.8**3]
    assert all(abs(a - b) < 1e-6 for a, b in zip(x.tolist(), expected))
