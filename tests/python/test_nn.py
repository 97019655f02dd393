"""Layers."""

import pytest

import luge
from luge import nn
from luge.nn import functional as F


def test_linear():
    layer = nn.Linear(3, 2)
    x = luge.rand(5, 3)
    assert layer.weight.shape == (2, 3) and layer.bias.shape == (2,) and layer(x).equal(F.linear(x, layer.weight, layer.bias))
    assert abs(layer.weight).max().item() <= 3**-0.5 and len(list(layer.parameters())) == 2
    assert nn.Linear(3, 2, bias=False).bias is None and "in_features=3" in repr(layer)
    ones = nn.Linear(2, 1, weight_init=luge.init.ones(), bias_init=luge.init.constant(0.5))
    assert ones(luge.ones(1, 2)).item() == 2.5


def test_linear_in_an_arena():
    params = luge.Parameters(sets=4, seed=2)
    layers = [nn.Linear(3, 2, params=params, name="hidden"), nn.Linear(2, 1, params=params)]
    assert params.names() == ["hidden.weight", "hidden.bias", "Linear2.weight", "Linear2.bias"]
    assert layers[0].weight.shape == (4, 2, 3) and layers[0](luge.ones(5, 3)).shape == (4, 5, 2)
    assert layers[1](layers[0](luge.ones(4, 5, 3))).shape == (4, 5, 1)
    alone = luge.Parameters(sets=1, seed=2, first_set=2)
    assert nn.Linear(3, 2, params=alone, name="hidden").weight[0].equal(layers[0].weight[2])
    with pytest.raises(ValueError, match="in use"):
        nn.Linear(3, 2, params=params, name="hidden")
    for action in (lambda: layers[0](luge.ones(5, 4)), lambda: layers[0](luge.ones(3, 5, 3))):
        with pytest.raises(luge.ShapeError):
            action()


@pytest.mark.parametrize("sizes", [(0, 1), (1, -1)])
def test_bad_sizes(sizes):
    for kind in (nn.Linear, nn.Embedding):
        with pytest.raises(ValueError, match=kind.__name__):
            kind(*sizes)


def test_embedding():
    layer = nn.Embedding(10, 4)
    index = luge.tensor([[1, 2, 3], [1, 0, 9]])
    assert layer(index).shape == (2, 3, 4) and layer(index)[1, 2].equal(layer.weight[9])
    batched = nn.Embedding(10, 4, params=luge.Parameters(sets=3))
    assert batched(index[0]).shape == (3, 3, 4) and batched(luge.tensor([[1], [2], [3]]))[2, 0].equal(batched.weight[2, 3])
    layer(index).sum().backward()
    assert layer.weight.grad[1].tolist() == [2, 2, 2, 2] and layer.weight.grad[5].tolist() == [0, 0, 0, 0]
    with pytest.raises(IndexError):
        layer(luge.tensor([10]))
    assert F.embedding(luge.tensor([1]), layer.weight).equal(layer.weight[1:2]) and "10, 4" in repr(layer)


ACTIVATIONS = [
    (nn.ReLU(), F.relu), (nn.GELU(), F.gelu), (nn.SiLU(), F.silu), (nn.Sigmoid(), F.sigmoid), (nn.Tanh(), F.tanh),
    (nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)), (nn.Softplus(2.0), lambda x: F.softplus(x, 2.0)),
    (nn.Hardshrink(0.3), lambda x: F.hardshrink(x, 0.3)),
    (nn.Softmax(0), lambda x: F.softmax(x, 0)), (nn.LogSoftmax(-1), lambda x: F.log_softmax(x, -1)), (nn.Flatten(), lambda x: x),
]  # fmt: skip


@pytest.mark.parametrize("layer, function", ACTIVATIONS, ids=lambda value: type(value).__name__)
def test_activations(layer, function):
    x = luge.randn(3, 4)
    assert layer(x).equal(function(x)) and list(layer.parameters()) == []


def test_losses():
    x, y, labels = luge.randn(3, 4), luge.randn(3, 4), luge.tensor([0, 1, 3])
    assert nn.MSELoss()(x, y).equal(F.mse_loss(x, y)) and nn.MSELoss(reduction="sum")(x, y).equal(F.mse_loss(x, y, "sum"))
    assert nn.CrossEntropyLoss()(x, labels).equal(F.cross_entropy(x, labels))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.scale = nn.Parameter(luge.ones(1))
        self.offset = luge.zeros(1)

    def forward(self, x):
        return self.body(x) * self.scale + self.offset


def test_module():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names == ["scale", "body.0.weight", "body.0.bias", "body.2.weight", "body.2.bias"]
    assert len(list(net.modules())) == 5 and len(list(net.children())) == 1 and len(net.body) == 3
    assert isinstance(net.body[1], nn.Tanh) and [type(m) for m in net.body][0] is nn.Linear
    assert net.training and not net.eval().training and not net.body.training and net.train().body.training
    assert "(body): Sequential(\n" in repr(net) and "(0): Linear(in_features=2" in repr(net)
    net(luge.ones(4, 2)).sum().backward()
    assert net.scale.grad is not None
    net.zero_grad()
    net.scale = nn.Parameter(luge.zeros(1))
    assert [name for name, _ in net.named_parameters()][0] == "scale" and net.scale.item() == 0
    net.scale = None
    assert "scale" not in dict(net.named_parameters())


def test_state_dict():
    first, second = Net(), Net()
    second.load_state_dict(first.state_dict())
    x = luge.randn(3, 2)
    assert first(x).equal(second(x))
    state = first.state_dict()
    with pytest.raises(ValueError, match="missing.*scale"):
        second.load_state_dict({name: value for name, value in state.items() if name != "scale"})
    with pytest.raises(luge.ShapeError, match="scale"):
        second.load_state_dict({**state, "scale": luge.zeros(2)})
    assert first(x).equal(second(x))


def test_module_to():
    net = Net().to(luge.float64)
    assert all(parameter.dtype is luge.float64 and parameter.requires_grad for parameter in net.parameters())
    assert net.body(luge.ones(1, 2, dtype=luge.float64)).dtype is luge.float64


def test_modules_with_mistakes():
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)

    class NoInit(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="super"):
        NoInit()


def test_module_list():
    layers = nn.ModuleList([nn.Linear(1, 1)]).append(nn.Linear(1, 2))
    assert len(list(layers.parameters())) == 4 and layers[1].out_features == 2


def test_training_learns():
    net = Net()
    x = luge.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = luge.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimizer = luge.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-2


def test_modules_are_built_in_an_arena():
    params = luge.Parameters(sets=3)
    with luge.nn.build_in(params) as inner:
        model = luge.nn.Sequential(luge.nn.Linear(3, 4), luge.nn.Linear(4, 2))
    assert inner is params and len(params) == 4
    assert [tuple(p.shape) for p in model.parameters()] == [(3, 4, 3), (3, 4), (3, 2, 4), (3, 2)]
    assert luge.nn.Linear(3, 4).weight.shape == (4, 3)
    with pytest.raises(TypeError, match="build_in: params is of type int"), luge.nn.build_in(3):
        pass


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "per_set"])
def test_labels_of_minus_100_count_for_nothing(reduction):
    shape = (3, 5, 4) if reduction == "per_set" else (5, 4)

    start = luge.randn(shape)
    x = start.clone().requires_grad_()

    def step(y):
        x.grad = None
        loss = F.cross_entropy(x, y, reduction=reduction)
        loss.sum().backward()
        return loss, x.grad

    captured = luge.capture(step)
    for labels in ([1, 2, 0, 3, 1], [1, -100, 0, -100, 1]):  # replayed with other labels
        y = luge.tensor(labels)
        loss, gradient = (found.clone() for found in step(y))
        replayed = captured(y)
        assert replayed[0].equal(loss) and replayed[1].equal(gradient)
        kept = [i for i, label in enumerate(labels) if label >= 0]
        if reduction in ("mean", "per_set"):
            rest = F.cross_entropy(start[..., kept, :], luge.tensor([labels[i] for i in kept]), reduction=reduction)
            assert loss.allclose(rest)
    assert F.cross_entropy(luge.zeros(2, 3), luge.tensor([-100, -100])).isnan()
