"""Reductions, products, softmax, losses, joining and picking, against NumPy."""

import pytest

import luge

numpy = pytest.importorskip("numpy")

REDUCTIONS = {"sum": "sum", "mean": "mean", "prod": "prod", "amax": "max", "amin": "min", "argmax": "argmax", "argmin": "argmin"}
DIMS = [None, 0, 1, -1, (0, 2), (0, 1, 2), [1]]


def random(*shape):
    return numpy.asarray(numpy.random.RandomState(0).randn(*shape))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("name", list(REDUCTIONS))
def test_reductions(name, dim, keepdim):
    x = random(3, 4, 5)
    t = luge.tensor(x)
    found = getattr(luge, name)(t, dim=dim, keepdim=keepdim)
    assert found.equal(getattr(t, name)(dim, keepdim))
    axis = tuple(dim) if isinstance(dim, list) else dim
    if name.startswith("arg"):
        if isinstance(axis, tuple) and len(axis) > 1:
            return  # NumPy has one axis only
        axis = axis[0] if isinstance(axis, tuple) else axis
    expected = getattr(numpy, REDUCTIONS[name])(x, axis=axis, keepdims=keepdim)
    assert found.shape == expected.shape
    assert numpy.allclose(found.numpy(), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("dim", [None, 0, (1, 2)])
@pytest.mark.parametrize("correction", [0, 1])
def test_variance(dim, correction):
    x = random(3, 4, 5)
    for name in ("var", "std"):
        expected = getattr(numpy, name)(x, axis=dim, ddof=correction)
        for found in (getattr(luge, name)(luge.tensor(x), dim, correction=correction),
                      getattr(luge.tensor(x), name)(dim=dim, correction=correction)):
            assert numpy.allclose(found.numpy(), expected, rtol=1e-13)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("dim", [None, 1, (0, 2)])
def test_logsumexp(dim):
    x = random(3, 4, 5) * 500
    expected = numpy.log(numpy.sum(numpy.exp(x - x.max()), axis=dim)) + x.max()
    close = numpy.isclose(luge.logsumexp(luge.tensor(x), dim).numpy(), expected) | numpy.isinf(expected)
    assert close.all()


@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes(name):
    x = random(3, 4)
    t, function, arg = luge.tensor(x), getattr(numpy, name), getattr(numpy, "arg" + name)
    assert getattr(luge, name)(t).item() == function(x) and getattr(t, name)().item() == function(x)
    values, indices = getattr(luge, name)(t, dim=1)
    assert numpy.array_equal(values.numpy(), function(x, axis=1)) and numpy.array_equal(indices.numpy(), arg(x, axis=1))
    kept = getattr(t, name)(0, keepdim=True)
    assert kept.values.shape == (1, 4) and kept.indices.dtype is luge.int64
    both = numpy.maximum if name == "max" else numpy.minimum
    assert numpy.array_equal(getattr(luge, name)(t, -t).numpy(), both(x, -x))
    with pytest.raises(TypeError, match="amax"):
        getattr(t, name)((0, 1))


def test_all_and_any():
    for values in ([1, 1], [1, 0], [0, 0]):
        t = luge.tensor(values)
        assert bool(luge.all(t)) == bool(t.all()) == all(values) and bool(luge.any(t)) == bool(t.any()) == any(values)


def test_integers_sum_to_int64():
    assert luge.tensor([True, True]).sum().dtype is luge.int64 and luge.tensor([1, 2], dtype=luge.int32).sum().item() == 3
    with pytest.raises(luge.DTypeError, match="mean"):
        luge.tensor([1, 2]).mean()


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "amax", "argmin", "var", "logsumexp", "nansum"])
@pytest.mark.parametrize("dim, error", [(2, IndexError), (-3, IndexError), ((0, 0), IndexError), ("a", TypeError), (1.5, TypeError),
                                        (2**40, IndexError)])  # fmt: skip
def test_bad_dims(name, dim, error):
    with pytest.raises(error):
        getattr(luge, name)(luge.ones(2, 3), dim)


SHAPES = [((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 5)), ((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (6, 4, 5))]


@pytest.mark.parametrize("left, right", SHAPES)
def test_matmul(left, right):
    a, b = random(*left), random(*right)
    expected = a @ b
    for found in (luge.tensor(a) @ luge.tensor(b), luge.matmul(luge.tensor(a), luge.tensor(b)), luge.tensor(a).matmul(luge.tensor(b))):
        assert found.shape == expected.shape and numpy.allclose(found.numpy(), expected, rtol=1e-13)
    x, y = luge.tensor(a, requires_grad=True), luge.tensor(b, requires_grad=True)
    assert luge.autograd.gradcheck(luge.matmul, [x, y])


def test_other_products():
    a, b = luge.tensor(random(3, 4)), luge.tensor(random(4, 5))
    assert luge.mm(a, b).equal(a @ b) and a.mm(b).equal(a @ b)
    assert numpy.allclose(luge.bmm(a[None], b[None])[0].numpy(), (a @ b).numpy()) and a[None].bmm(b[None]).shape == (1, 3, 5)
    x, w, bias = luge.tensor(random(7, 4)), luge.tensor(random(5, 4)), luge.tensor(random(5))
    assert numpy.allclose(luge.linear(x, w, bias).numpy(), x.numpy() @ w.numpy().T + bias.numpy())
    assert numpy.allclose(luge.nn.functional.linear(x, w).numpy(), x.numpy() @ w.numpy().T)
    for bad in (lambda: a @ a, lambda: luge.matmul(a, luge.tensor(1.0, dtype=luge.float64))):
        with pytest.raises(luge.ShapeError, match="matmul"):
            bad()
    for bad in (lambda: a @ 3, lambda: 3 @ a, lambda: a @ a.numpy().tolist()):
        with pytest.raises(TypeError):
            bad()


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(dim):
    x = random(3, 4)
    expected = numpy.exp(x) / numpy.exp(x).sum(axis=dim, keepdims=True)
    t = luge.tensor(x)
    for found in (luge.softmax(t, dim), t.softmax(dim), luge.nn.functional.softmax(t, dim=dim)):
        assert numpy.allclose(found.numpy(), expected)
    for found in (luge.log_softmax(t, dim), t.log_softmax(dim), luge.nn.functional.log_softmax(t, dim=dim)):
        assert numpy.allclose(found.numpy(), numpy.log(expected))


def test_picking():
    x = random(4, 3)
    t, index = luge.tensor(x), luge.tensor([2, 0, 2])
    assert numpy.array_equal(luge.index_select(t, 0, index).numpy(), x[[2, 0, 2]])
    assert t.index_select(0, index).equal(t[index])
    columns = numpy.array([[1], [0], [2], [2]])
    assert numpy.array_equal(luge.gather(t, 1, luge.tensor(columns)).numpy(), numpy.take_along_axis(x, columns, 1))
    assert t.gather(1, luge.tensor(columns)).equal(luge.gather(t, 1, luge.tensor(columns)))
    for bad in (luge.tensor([4]), luge.tensor([-1])):
        with pytest.raises(IndexError):
            t.index_select(0, bad)
    with pytest.raises(luge.DTypeError):
        t.index_select(0, luge.tensor([0.5]))


def test_joining():
    a, b = random(2, 3), random(2, 3)
    pair = [luge.tensor(a), luge.tensor(b)]
    for dim in (0, 1, -1):
        assert numpy.array_equal(luge.cat(pair, dim).numpy(), numpy.concatenate([a, b], dim))
        assert luge.concat(pair, dim=dim).equal(luge.cat(tuple(pair), dim=dim))
        assert numpy.array_equal(luge.stack(pair, dim).numpy(), numpy.stack([a, b], dim))
    for bad in (lambda: luge.cat([]), lambda: luge.cat([pair[0], luge.ones(2)]), lambda: luge.stack([luge.ones(1), luge.ones(2)])):
        with pytest.raises((ValueError, TypeError)):
            bad()
    alone = [lambda join=join: join(luge.ones(2, 2)) for join in (luge.cat, luge.concat, luge.stack, luge.hstack, luge.vstack, luge.dstack)]
    for bad in (lambda: luge.cat([1, 2]), lambda: luge.cat(3), lambda: luge.stack(None), lambda: luge.cat("text"), *alone):
        with pytest.raises(TypeError):
            bad()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "per_set"])
def test_losses(reduction):
    x, y = random(3, 4), random(3, 4)
    how = {"mean": numpy.mean, "sum": numpy.sum, "none": lambda a: a, "per_set": lambda a: a.mean(axis=1)}[reduction]
    found = luge.nn.functional.mse_loss(luge.tensor(x), luge.tensor(y), reduction=reduction)
    assert numpy.allclose(found.numpy(), how((x - y) ** 2))
    labels = numpy.array([[0, 3], [1, 1], [2, 0]])
    dim = 2 if reduction == "per_set" else 1  # behind the sets
    logits = random(3, 2, 4) if dim == 2 else random(3, 4, 2)
    log = logits - numpy.log(numpy.exp(logits).sum(dim, keepdims=True))
    expected = -numpy.take_along_axis(log, numpy.expand_dims(labels, dim), dim).squeeze(dim)
    found = luge.nn.functional.cross_entropy(luge.tensor(logits), luge.tensor(labels), reduction=reduction)
    assert numpy.allclose(found.numpy(), how(expected))
    for loss in (luge.nn.functional.mse_loss, luge.nn.functional.cross_entropy):
        with pytest.raises(ValueError, match="reduction"):
            loss(luge.tensor(x), luge.tensor(y), reduction="average")


def test_cross_entropy_is_that_of_torch():
    torch = pytest.importorskip("torch")
    labels = numpy.array([[0, 3, 1], [1, -100, 2]])
    logits, weight, soft = random(2, 4, 3), random(4) ** 2 + 0.5, random(2, 4, 3) ** 2
    for target in (labels, soft / soft.sum(1, keepdims=True)):
        for w in (None, weight):
            for smoothing in (0.0, 0.2):
                for reduction in ("none", "mean", "sum"):
                    x, y = luge.tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
                    ignore = {"ignore_index": -100} if target is labels else {}
                    found = luge.nn.functional.cross_entropy(
                        x,
                        luge.tensor(target),
                        None if w is None else luge.tensor(w),
                        reduction=reduction,
                        label_smoothing=smoothing,
                        **ignore,
                    )
                    expected = torch.nn.functional.cross_entropy(
                        y,
                        torch.tensor(target),
                        None if w is None else torch.tensor(w),
                        reduction=reduction,
                        label_smoothing=smoothing,
                    )
                    assert numpy.allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
                    found.sum().backward()
                    expected.sum().backward()
                    assert numpy.allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_losses_do_not_broadcast():
    with pytest.raises(luge.ShapeError, match=r"mse_loss.*\(442, 1\).*\(442,\)"):
        luge.nn.functional.mse_loss(luge.zeros(442, 1), luge.zeros(442))
    with pytest.raises(luge.ShapeError, match=r"cross_entropy.*\(4, 3\).*\(1,\)"):
        luge.nn.functional.cross_entropy(luge.zeros(4, 3), luge.tensor([1]))


def test_labels_are_checked():
    with pytest.raises(IndexError, match="cross_entropy"):
        luge.nn.functional.cross_entropy(luge.zeros(2, 3), luge.tensor([0, 3]))


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "amax", "amin", "var", "std", "logsumexp", "nansum"])
@pytest.mark.parametrize("dim", [None, 0, (0, 1)])
def test_gradients(name, dim):
    x = luge.tensor(random(3, 4), requires_grad=True)
    assert luge.autograd.gradcheck(lambda t: getattr(luge, name)(t, dim), x)
