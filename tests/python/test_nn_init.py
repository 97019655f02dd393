"""luge.nn.init and luge.nn.utils: moments, bounds and fans as PyTorch has them."""

import math

import pytest

import luge
from luge import nn
from luge.nn import init, utils

torch = pytest.importorskip("torch")

SHAPES = [(300, 200), (40, 30, 3), (20, 10, 3, 5)]


def moments(tensor):
    values = tensor.double().reshape(-1)
    return values.mean().item(), values.std().item(), values.abs().max().item()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name, kwargs", [
    ("uniform_", {"a": -2.0, "b": 5.0}), ("normal_", {"mean": 1.0, "std": 3.0}), ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {"gain": 0.5}), ("kaiming_uniform_", {"a": math.sqrt(5)}), ("kaiming_uniform_", {"mode": "fan_out"}),
    ("kaiming_normal_", {"nonlinearity": "relu"}), ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "selu"}),
    ("trunc_normal_", {}), ("trunc_normal_", {"mean": 0.5, "std": 2.0, "a": 0.0, "b": 1.0}),
])  # fmt: skip
def test_moments_are_pytorchs(name, kwargs, shape):
    luge.manual_seed(1)
    torch.manual_seed(1)
    ours, theirs = luge.empty(shape), torch.empty(shape)
    assert getattr(init, name)(ours, **kwargs) is ours
    getattr(torch.nn.init, name)(theirs, **kwargs)
    (mean, std, most), (their_mean, their_std, their_most) = moments(ours), moments(theirs)
    count = math.prod(shape)
    assert abs(mean - their_mean) < 8 * their_std / math.sqrt(count)
    assert abs(std / their_std - 1) < 8 / math.sqrt(count)
    if "uniform" in name or "trunc" in name:
        assert most == pytest.approx(their_most, rel=0.02)


@pytest.mark.parametrize("name, shape, kwargs", [
    ("constant_", (2, 3), {"val": 0.3}), ("ones_", (4,), {}), ("zeros_", (), {}), ("eye_", (3, 5), {}), ("eye_", (4, 2), {}),
    ("dirac_", (4, 3, 5), {}), ("dirac_", (2, 6, 3, 2), {}), ("dirac_", (6, 2, 1, 2, 3), {"groups": 3}), ("dirac_", (4, 1, 3), {"groups": 2}),
    ("kaiming_uniform_", (0, 3), {}),
])  # fmt: skip
def test_values_are_pytorchs(name, shape, kwargs):
    ours, theirs = luge.full(shape, 7.0), torch.full(shape, 7.0)
    getattr(init, name)(ours, **kwargs)
    getattr(torch.nn.init, name)(theirs, **kwargs)
    assert ours.tolist() == theirs.tolist()


def test_sparse():
    matrix = init.sparse_(luge.empty(7, 50), 0.3)
    assert ((matrix == 0).sum(0) == 3).all() and 0.008 < matrix[matrix != 0].std().item() < 0.012


def test_parameters_start_anew():
    layer, seed = nn.Linear(3, 2), 5
    luge.manual_seed(seed)
    init.normal_(layer.weight)
    first = layer.weight.tolist()
    luge.manual_seed(seed)
    init.normal_(layer.weight)
    assert layer.weight.tolist() == first and layer.weight.requires_grad and layer.weight.is_leaf
    double = init.uniform_(luge.empty(1000, dtype=luge.float64))
    assert len(set(double.tolist())) == 1000 and (double.float().double() != double).any()


@pytest.mark.parametrize("nonlinearity, param", [("linear", None), ("conv2d", None), ("sigmoid", None), ("tanh", None), ("relu", None),
                                                 ("leaky_relu", None), ("leaky_relu", 0.2), ("selu", None)])  # fmt: skip
def test_gains(nonlinearity, param):
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(torch.nn.init.calculate_gain(nonlinearity, param))


@pytest.mark.parametrize("call, kind, text", [
    (lambda: init.eye_(luge.ones(2)), ValueError, r"eye_: tensor has shape \(2,\)"),
    (lambda: init.dirac_(luge.ones(2, 2)), ValueError, r"dirac_: tensor has shape \(2, 2\)"),
    (lambda: init.dirac_(luge.ones(3, 2, 2), groups=2), ValueError, "dirac_: groups is 2"),
    (lambda: init.sparse_(luge.ones(2), 0.5), ValueError, "sparse_: tensor has shape"),
    (lambda: init.xavier_uniform_(luge.ones(2)), ValueError, "xavier_uniform_: tensor has shape"),
    (lambda: init.kaiming_normal_(luge.ones(2, 2), mode="fan"), ValueError, "kaiming_normal_: mode is 'fan'"),
    (lambda: init.kaiming_uniform_(luge.ones(2, 2), nonlinearity="x"), ValueError, "calculate_gain: nonlinearity is 'x'"),
    (lambda: init.calculate_gain("leaky_relu", "x"), ValueError, "calculate_gain: param is 'x'"),
    (lambda: init.trunc_normal_(luge.ones(2), a=2, b=1), ValueError, "trunc_normal_: a is 2 and b is 1"),
    (lambda: utils.clip_grad_value_([luge.ones(1)], -1), ValueError, "clip_grad_value_: clip_value is -1"),
    (lambda: utils.vector_to_parameters(luge.ones(3), [luge.ones(2)]), luge.ShapeError, r"vec has shape \(3,\); the parameters have 2"),
    (lambda: utils.vector_to_parameters([1.0], [luge.ones(1)]), TypeError, "vec is of type list"),
])  # fmt: skip
def test_errors(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


# ---- functions on parameters


def test_vectors_and_parameters():
    net = nn.Linear(3, 2)
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.tolist() == [v for row in net.weight.tolist() for v in row] + net.bias.tolist() and vector.requires_grad
    (2 * vector).sum().backward()
    assert (net.weight.grad == 2).all() and (net.bias.grad == 2).all()
    utils.vector_to_parameters(luge.arange(8.0), net.parameters())
    assert net.weight.tolist() == [[0, 1, 2], [3, 4, 5]] and net.bias.tolist() == [6, 7] and net.weight.is_leaf


@pytest.mark.parametrize("norm_type", [2.0, 1.0, math.inf, 0.5])
def test_norms_of_all_gradients(norm_type):
    def run(package):
        net = package.nn.Linear(2, 2)
        (net(package.tensor([[1.0, -3.0]])) * package.tensor([2.0, 0.5])).sum().backward()
        gradients = [leaf.grad for leaf in net.parameters()]
        total = package.nn.utils.get_total_norm(gradients, norm_type)
        package.nn.utils.clip_grads_with_norm_(net.parameters(), 1.5, total)
        return [total.item()] + [v for g in gradients for v in g.reshape(-1).tolist()]

    found = run(luge)
    assert found[0] > 1.5 and luge.nn.utils.get_total_norm([]).item() == 0
    if hasattr(torch.nn.utils, "get_total_norm"):
        assert found == pytest.approx(run(torch), rel=1e-6)
    with pytest.raises(ValueError, match="get_total_norm: the norm is nan"):
        utils.get_total_norm(luge.tensor([math.nan]), error_if_nonfinite=True)


def test_clipping_values():
    net = nn.Linear(2, 1)
    (net.weight * luge.tensor([[5.0, -0.5]])).sum().backward()
    utils.clip_grad_value_(net.parameters(), 1.0)
    assert net.weight.grad.tolist() == [[1, -0.5]] and net.bias.grad is None
    utils.clip_grad_value_(net.weight, 0.25)
    assert net.weight.grad.tolist() == [[0.25, -0.25]]


def test_orthogonal_matrices():
    """Orthonormal rows, or columns, of the flattened weight, and a random one: no sign is preferred."""
    for shape in ((5, 3), (3, 5), (4, 4), (4, 2, 3)):
        weight = luge.nn.init.orthogonal_(luge.empty(*shape, dtype=luge.float64), gain=2.0).flatten(1)
        product = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
        assert luge.allclose(product, 4 * luge.eye(product.shape[0], dtype=luge.float64), atol=1e-12)
    corners = [luge.nn.init.orthogonal_(luge.empty(3, 3))[0, 0].item() > 0 for _ in range(200)]
    assert 60 < sum(corners) < 140
    assert luge.nn.init.orthogonal_(luge.empty(0, 3)).shape == (0, 3)
    leaf = luge.nn.Linear(3, 3).weight
    assert luge.nn.init.orthogonal_(leaf) is leaf and leaf.requires_grad
    assert luge.nn.init.orthogonal_(luge.empty(4, 4, dtype=luge.float16)).dtype == luge.float16
    with pytest.raises(ValueError, match=r"orthogonal_: tensor has shape \(3,\)"):
        luge.nn.init.orthogonal_(luge.empty(3))
