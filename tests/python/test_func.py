"""luge.func: gradients, products with Jacobians, Jacobians and Hessians, alone, nested and beside PyTorch's."""

import collections

import pytest

import luge
from luge.func import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp

float64 = luge.float64


def tensor(*values):
    return luge.tensor(values, dtype=float64)


def close(actual, expected, tolerance=1e-12):
    assert tuple(actual.shape) == tuple(expected.shape)
    return bool((abs(actual - expected) <= tolerance * (1 + abs(expected))).all()) if actual.numel() else True


def test_grad():
    x = tensor(1, 2, 3)
    assert grad(lambda x: (x * x).sum())(x).tolist() == [2, 4, 6]
    assert not x.requires_grad and x.grad is None
    assert not grad(lambda x: (x * x).sum())(x).requires_grad
    assert grad(lambda x, y: (x * y).sum(), argnums=1)(x, x + 1).tolist() == [1, 2, 3]
    both = grad(lambda x, y: (x * y).sum(), argnums=(0, -1))(x, x + 1)
    assert isinstance(both, tuple) and [g.tolist() for g in both] == [[2, 3, 4], [1, 2, 3]]
    assert grad(lambda x, scale=1: (x * scale).sum())(x, scale=5).tolist() == [5, 5, 5]
    assert grad(lambda x, y: (y * y).sum())(x, x).tolist() == [0, 0, 0]
    assert grad(lambda x: luge.tensor(1.0))(x).tolist() == [0, 0, 0]


def test_grad_and_value():
    gradient, value = grad_and_value(lambda x: (x * x).sum())(tensor(1, 2))
    assert gradient.tolist() == [2, 4] and value.item() == 5 and not value.requires_grad
    gradient, (value, aux) = grad_and_value(lambda x: ((x * x).sum(), {"double": x * 2, "text": "kept"}), has_aux=True)(tensor(3))
    assert gradient.tolist() == [6] and value.item() == 9
    assert aux["double"].tolist() == [6] and not aux["double"].requires_grad and aux["text"] == "kept"
    gradient, aux = grad(lambda x: ((x * x).sum(), [x]), has_aux=True)(tensor(3))
    assert gradient.tolist() == [6] and aux[0].tolist() == [3]


def test_trees():
    Pair = collections.namedtuple("Pair", "left right")
    parameters = {"w": tensor(1, 2), "rest": [tensor(3), Pair(tensor(4), tensor(5))]}

    def loss(parameters, x):
        pair = parameters["rest"][1]
        return (parameters["w"] * x).sum() * parameters["rest"][0].sum() + (pair.left * pair.right).sum()

    found = grad(loss)(parameters, tensor(10, 20))
    assert found["w"].tolist() == [30, 60]
    assert found["rest"][0].tolist() == [50]
    assert isinstance(found["rest"][1], Pair) and found["rest"][1].left.tolist() == [5] and found["rest"][1].right.tolist() == [4]


def test_nested():
    cube = lambda x: x * x * x  # noqa: E731
    x = luge.tensor(2.0, dtype=float64)
    assert grad(grad(cube))(x).item() == 12
    assert grad(grad(grad(cube)))(x).item() == 6
    # The inner one's argument is a constant of the outer one, whose argument it closes over.
    outer = grad(lambda w: grad(lambda x: w * w * x * x)(x))(luge.tensor(3.0, dtype=float64))
    assert outer.item() == 24 and not outer.requires_grad
    # Perturbations are told apart.
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(x).item() == 4


def test_arguments_may_be_changed_in_place():
    def f(x):
        x.mul_(3)
        return (x * x).sum()

    x = tensor(1, 2)
    assert grad(f)(x).tolist() == [18, 36] and x.tolist() == [3, 6] and not x.requires_grad
    with pytest.raises(luge.AutogradError, match="in place"):
        grad(f)(luge.tensor([1.0], requires_grad=True))


def test_with_tensors_of_a_graph():
    w, x = luge.tensor(3.0, dtype=float64, requires_grad=True), luge.tensor(2.0, dtype=float64)
    slope = grad(lambda x: w * x * x)(x)  # 2 w x
    slope.backward()
    assert w.grad.item() == 4
    x.requires_grad = True
    hidden = x * x
    slope, value = grad_and_value(lambda h: h * h * h)(hidden)  # 3 x^4, x^6
    (found,) = luge.autograd.grad(slope, x, retain_graph=True)
    assert found.item() == 96
    (found,) = luge.autograd.grad(value, x)
    assert found.item() == 192
    with luge.no_grad():
        assert not grad(lambda x: w * x * x)(x).requires_grad
    # The graph that a function closes over is left as it was.
    shared = (w * w).exp()
    with luge.no_grad():
        grad(lambda x: shared * x)(x)
    shared.backward()
    with luge.no_grad():
        assert not grad(lambda x: (x * x).detach())(x).item()


def test_vjp():
    x, y = tensor(1, 2), tensor(3, 4)
    output, product = vjp(lambda x, y: (x * y, x.sum()), x, y)
    assert output[0].tolist() == [3, 8] and output[1].item() == 3 and not output[0].requires_grad
    found = product((tensor(1, 10), luge.tensor(100.0, dtype=float64)))
    assert [g.tolist() for g in found] == [[103, 140], [1, 20]]
    again = product(tensor(1, 10), luge.tensor(100.0, dtype=float64))
    assert [g.tolist() for g in again] == [[103, 140], [1, 20]]
    output, product, aux = vjp(lambda x: (x * x, "aux"), x, has_aux=True)
    assert aux == "aux" and product(tensor(1, 1))[0].tolist() == [2, 4]
    # Linear in the cotangent, and differentiable in it.
    assert jacrev(lambda v: product(v)[0])(tensor(1, 1)).tolist() == [[2, 0], [0, 4]]


def test_jvp():
    x, t = tensor(1, 2), tensor(10, 1)
    output, product = jvp(lambda x: x * x, (x,), (t,))
    assert output.tolist() == [1, 4] and product.tolist() == [20, 4] and not product.requires_grad
    output, product = jvp(lambda x, y: {"a": x * y, "b": x, "c": tensor(7)}, (x, x), (t, t))
    assert product["a"].tolist() == [20, 4] and product["b"].tolist() == [10, 1] and product["c"].tolist() == [0]
    output, product, aux = jvp(lambda x: (x.exp().sum(), x), (x,), (t,), has_aux=True)
    assert close(product, (x.exp() * t).sum()) and aux.tolist() == [1, 2]
    # In both arguments: a second derivative in two directions.
    second = jvp(lambda x: jvp(lambda x: x * x * x, (x,), (t,))[1], (x,), (t,))[1]
    assert second.tolist() == [600, 12]


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians(jacobian):
    x, y = tensor(1, 2, 3), luge.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=float64)
    assert jacobian(lambda x: x * x)(x).tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]]
    of_matrix = jacobian(lambda y: y.sum(0))(y)
    assert of_matrix.shape == (2, 2, 2) and of_matrix[0].tolist() == [[1, 0], [1, 0]]
    assert jacobian(lambda y: y.sum())(y).tolist() == [[1, 1], [1, 1]]
    pair = jacobian(lambda x, y: (x[:2] @ y, x.sum()), argnums=(0, 1))(x, y)
    assert pair[0][0].tolist() == [[1, 3, 0], [2, 4, 0]] and pair[0][1].shape == (2, 2, 2)
    assert pair[1][0].tolist() == [1, 1, 1] and pair[1][1].tolist() == [[0, 0], [0, 0]]
    found, aux = jacobian(lambda x: (x * 2, "aux"), has_aux=True)(x)
    assert found.shape == (3, 3) and aux == "aux"
    assert jacobian(lambda x: x[:0] * 2)(x).shape == (0, 3)
    assert jacobian(lambda x: x.sum())(x[:0]).shape == (0,)
    assert jacobian(lambda x: tensor(1, 1))(x).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_all_of_them_compose():
    x = tensor(0.3, -0.7)
    f = lambda x: (x.sin() * x.prod()).exp().sum()  # noqa: E731
    expected = hessian(f)(x)
    for outer in (jacrev, jacfwd):
        for inner in (jacrev, jacfwd, grad):
            assert close(outer(inner(f))(x), expected), (outer, inner)
    third = grad(lambda x: hessian(f)(x).sum())(x)
    step = 1e-5
    for number in range(2):
        shift = luge.zeros_like(x)
        shift[number] = step
        slope = (hessian(f)(x + shift).sum() - hessian(f)(x - shift).sum()) / (2 * step)
        assert abs(third[number].item() - slope.item()) < 1e-6 * (1 + abs(slope.item()))


@pytest.mark.parametrize("action, error, text", [
    (lambda x: grad(lambda x: x)(x), luge.ShapeError, "grad: the function returned a tensor of shape \\(2,\\); it must be 0-d"),
    (lambda x: grad(lambda x: 3.0)(x), TypeError, "grad: the output holds a float"),
    (lambda x: grad(lambda x: (x.sum(), x.sum()))(x), TypeError, "grad: the function returned a tuple; it must return a tensor"),
    (lambda x: grad(lambda x: x.sum(), argnums=1)(x), ValueError, "grad: argnums has 1; there are 1 positional arguments"),
    (lambda x: grad(lambda x, y: x.sum(), argnums=(0, -2))(x, x), ValueError, "grad: argnums \\(0, -2\\) names an argument twice"),
    (lambda x: grad(lambda x: x.sum())(3), TypeError, "grad: a differentiated argument holds a int"),
    (lambda x: grad_and_value(lambda x: x.sum())(x.to(luge.int64)), luge.DTypeError, "grad_and_value: a differentiated argument is .*int64"),
    (lambda x: grad(lambda x: x.sum(), has_aux=True)(x), TypeError, "grad: with has_aux"),
    (lambda x: vjp(lambda x: x, x)[1](x, x), ValueError, "vjp: the cotangent holds 2 tensors; it must hold 1"),
    (lambda x: vjp(lambda x: x, x)[1](x[:1]), luge.ShapeError, "vjp: the cotangent holds a tensor of shape \\(1,\\); it must be \\(2,\\)"),
    (lambda x: jvp(lambda x: x, x, x), TypeError, "jvp: primals and tangents must be tuples"),
    (lambda x: jvp(lambda x: x, (x,), (x.to(luge.float32),)), luge.DTypeError, "jvp: tangents holds a tensor of .*float32; it must be .*float64"),
    (lambda x: jacrev(lambda x: "no")(x), TypeError, "jacrev: the output holds a str"),
    (lambda x: jacfwd(lambda x: x)("no"), TypeError, "jacfwd: a differentiated argument holds a str"),
])  # fmt: skip
def test_errors(action, error, text):
    with pytest.raises(error, match=text):
        action(tensor(1, 2))


ACTIVATIONS = ["tanh", "sigmoid", "silu", "gelu", "softplus", "sin", "erf", "atan", "relu", "leaky_relu"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_hessian_of_a_network_beside_pytorch(name):
    torch = pytest.importorskip("torch")
    np = pytest.importorskip("numpy")
    functional = torch.nn.functional
    theirs = {"erf": torch.erf, "sin": torch.sin, "atan": torch.atan, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
    of_torch = theirs.get(name) or getattr(functional, name)

    def loss(flat, x, y, activation):
        hidden = activation(x @ flat[:12].reshape(4, 3).t() + flat[12:16])
        return ((hidden @ flat[16:20] - y) ** 2).mean()

    random = np.random.default_rng(5)
    flat, x, y = random.normal(size=20), random.normal(size=(6, 3)), random.normal(size=6)
    expected = torch.autograd.functional.hessian(
        lambda flat: loss(flat, torch.tensor(x), torch.tensor(y), of_torch), torch.tensor(flat)
    )
    found = hessian(lambda flat: loss(flat, luge.tensor(x), luge.tensor(y), getattr(luge, name)))(luge.tensor(flat))
    np.testing.assert_allclose(np.asarray(found), expected.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(np.asarray(found), np.asarray(found).T, rtol=1e-9, atol=1e-11)


def test_products_beside_pytorch():
    torch = pytest.importorskip("torch")
    np = pytest.importorskip("numpy")
    x, v = np.linspace(-1, 2, 6).reshape(2, 3), np.linspace(3, 1, 6).reshape(2, 3)

    def f(x):
        return (x.softmax(1) * x.exp()) @ x.t()

    _, expected = torch.autograd.functional.jvp(f, torch.tensor(x), torch.tensor(v))
    _, found = jvp(f, (luge.tensor(x),), (luge.tensor(v),))
    np.testing.assert_allclose(np.asarray(found), expected.numpy(), rtol=1e-11)
    expected = torch.autograd.functional.jacobian(f, torch.tensor(x))
    for jacobian in (jacrev, jacfwd):
        np.testing.assert_allclose(np.asarray(jacobian(f)(luge.tensor(x))), expected.numpy(), rtol=1e-10, atol=1e-13)


def test_bad_functions_and_numbers():
    x = luge.ones(2)
    for action, text in (
        (lambda: luge.func.grad(3)(x), "grad: func is of type int; it must be callable"),
        (lambda: luge.func.grad(lambda t: t.sum(), argnums=[0])(x), r"grad: argnums is \[0\]; it must be an int or a tuple of ints"),
        (lambda: luge.func.jacrev(lambda t: t, argnums="a")(x), "jacrev: argnums is 'a'"),
    ):
        with pytest.raises(TypeError, match=text):
            action()
    with pytest.raises(luge.DTypeError, match="grad: the output is .*int64; it must be floating"):
        luge.func.grad(lambda t: t.sum().long())(x)
    with pytest.raises(luge.DTypeError, match="jacrev: the output is .*bool; it must be floating"):
        luge.func.jacrev(lambda t: t > 0)(x)
