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


# ---- gradients of gradients


def test_create_graph():
    x = leaf(1, 2)
    (slope,) = luge.autograd.grad((x * x * x).sum(), x, create_graph=True)
    assert slope.requires_grad and slope.tolist() == [3, 12]
    (curvature,) = luge.autograd.grad(slope.sum(), x, create_graph=True)
    assert curvature.tolist() == [6, 12]
    (third,) = luge.autograd.grad(curvature.sum(), x)
    assert third.tolist() == [6, 6] and x.grad is None
    y = (x * x).sum()
    luge.autograd.grad(y, x, create_graph=True)
    luge.autograd.grad(y, x, None, False, True)
    with pytest.raises(luge.AutogradError, match="has been used and freed"):
        luge.autograd.grad(y, x)


def test_backward_with_create_graph():
    x = leaf(1, 2)
    (x * x * x).sum().backward(create_graph=True)
    slope = x.grad
    assert slope.requires_grad
    x.grad = None
    (slope * slope).sum().backward()  # of 9 x^4
    assert x.grad.tolist() == [36, 288]
    x.grad = None
    luge.autograd.backward([(x * x).sum(), (x * x * x).sum()], create_graph=True)
    assert x.grad.requires_grad and x.grad.tolist() == [5, 16]
    x.grad = None
    optimizer = luge.optim.SGD([x], lr=0.1)
    with pytest.raises(luge.AutogradError, match="create_graph"):
        (x * x).sum().backward(create_graph=True)
    del optimizer  # and its arena
    (x * x).sum().backward(create_graph=True)
    assert x.grad.requires_grad and x.grad.tolist() == [2, 4]
    x.grad = None
    (x * x).sum().backward()
    assert not x.grad.requires_grad and x.grad.tolist() == [2, 4]


def test_a_leaf_is_freed_once_its_gradient_is_gone():
    x = leaf(1, 2)
    gc.collect()
    before = luge.memory_stats().allocated
    other = leaf(1, 2)
    (other * other).sum().backward(create_graph=True)
    other.grad = None
    del other
    assert luge.memory_stats().allocated == before
    del x


def test_gradgradcheck():
    x = leaf(0.5, 1.5)
    assert luge.autograd.gradgradcheck(lambda t: luge.sin(t) * t, x)

    class HalfRight(luge.autograd.Function):
        """The derivative of the square, which has none itself."""

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[0].detach() * 2

    assert luge.autograd.gradcheck(HalfRight.apply, x)
    assert luge.autograd.gradgradcheck(HalfRight.apply, x, raise_exception=False) is False
    with pytest.raises(luge.AutogradError, match="input 0, element"):
        luge.autograd.gradgradcheck(HalfRight.apply, x, eps=1e-5)


class Exponential(luge.autograd.Function):
    """Reads its result."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0]


class Product(luge.autograd.Function):
    """Reads its arguments."""

    @staticmethod
    def forward(ctx, a, power, b):
        ctx.save_for_backward(b, a)
        ctx.power = power
        return a**power * b

    @staticmethod
    def backward(ctx, grad):
        b, a = ctx.saved_tensors
        return grad * ctx.power * a ** (ctx.power - 1) * b, None, grad * a**ctx.power


def test_functions_are_differentiated_twice():
    x, y = leaf(0.5, 1.5), leaf(2, -1)
    assert luge.autograd.gradgradcheck(Exponential.apply, x)
    assert luge.autograd.gradgradcheck(lambda a: Exponential.apply(a * a), x)
    assert luge.autograd.gradgradcheck(lambda a, b: Product.apply(a, 3, b), [x, y])
    assert luge.autograd.gradgradcheck(lambda a, b: Product.apply(a * b, 3, Exponential.apply(b)), [x, y])
    (slope,) = luge.autograd.grad(Exponential.apply(x).sum(), x, create_graph=True)
    (curvature,) = luge.autograd.grad(slope.sum(), x, create_graph=True)
    (third,) = luge.autograd.grad(curvature.sum(), x)
    assert third.tolist() == x.exp().tolist()


def test_functions_that_record_nothing_are_constants():
    class Frozen(luge.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x * 1)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            assert not ctx.saved_tensors[0].requires_grad
            return grad * 2 * ctx.saved_tensors[0]

    x = leaf(1, 2)
    (slope,) = luge.autograd.grad(Frozen.apply(x).sum(), x, create_graph=True)
    assert slope.tolist() == [2, 4] and not slope.requires_grad


def test_functions_leave_no_cycles():
    x = leaf(1, 2)
    gc.collect()
    before = luge.memory_stats().allocated
    (slope,) = luge.autograd.grad(Product.apply(x, 2, Exponential.apply(x)).sum(), x, create_graph=True)
    (slope * slope).sum().backward()
    x.grad = None
    del slope
    gc.collect()
    assert luge.memory_stats().allocated == before


def test_inference_mode():
    x = luge.ones(2, requires_grad=True)
    with luge.inference_mode():
        y = x * 2
        with luge.inference_mode(False):
            assert (x * 2).requires_grad
        assert not luge.is_grad_enabled()
    assert not y.requires_grad and luge.is_grad_enabled()

    @luge.inference_mode
    def plain(value):
        return value * 2

    @luge.inference_mode()
    def called(value):
        return value * 2

    @luge.inference_mode(False)
    def recorded(value):
        return value * 2

    with luge.no_grad():
        assert recorded(x).requires_grad
    assert not plain(x).requires_grad and not called(x).requires_grad and luge.autograd.inference_mode is luge.inference_mode
    (y * x).sum().backward()  # what was made within can be used
    assert x.grad.tolist() == [2.0, 2.0]
