"""What belongs to a module: registering, tied weights, state dicts, other dtypes."""

import collections
import copy
import pickle

import pytest

import luge
from luge import nn
from luge.nn import functional as F
from luge.nn.module import IncompatibleKeys

np = pytest.importorskip("numpy")


class Tied(nn.Module):
    """An embedding and a head that share a weight, with a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.body(luge.tanh(self.body(self.embedding(x)))))


def names(module, **kwargs):
    return [name for name, _ in module.named_parameters(**kwargs)]


# ---- registering


def test_deleting_unregisters():
    net = Tied()
    del net.head
    assert not hasattr(net, "head") and names(net) == ["embedding.weight", "body.weight", "body.bias"]
    del net.body.bias
    assert list(net.state_dict()) == ["embedding.weight", "body.weight"]
    net.note = 1
    del net.note
    for name in ("head", "note", "never"):
        with pytest.raises(AttributeError, match=name):
            delattr(net, name)
    with pytest.raises(AttributeError, match="'Tied' object has no attribute 'head'"):
        net.head  # noqa: B018


def test_a_frozen_parameter_is_one():
    net = nn.Module()
    net.scale = nn.Parameter(luge.ones(2), requires_grad=False)
    net.table = nn.Parameter(luge.tensor([1, 2]), requires_grad=False)
    net.data = luge.zeros(2)
    assert list(net.state_dict()) == ["scale", "table"] and not net.scale.requires_grad
    assert isinstance(net.scale, nn.Parameter) and not isinstance(net.data, nn.Parameter) and not isinstance(1, nn.Parameter)
    net.scale.requires_grad_(True)
    net.scale.requires_grad_(False)
    net.scale = net.scale
    assert names(net) == ["scale", "table"]
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert names(again) == ["scale", "table"] and not again.scale.requires_grad and isinstance(again.table, nn.Parameter)
    with pytest.raises(luge.DTypeError):
        nn.Parameter(luge.tensor([1, 2]))
    with pytest.raises(TypeError, match="Parameter: data is of type list; it must be a tensor"):
        nn.Parameter([1.0])


def test_an_optimizer_takes_a_model_with_frozen_parameters():
    net = nn.Linear(2, 1)
    net.scale = nn.Parameter(luge.full((1,), 3.0), requires_grad=False)
    net.table = nn.Parameter(luge.tensor([1, 2]), requires_grad=False)
    before = net.weight.tolist()
    optimizer = luge.optim.SGD(net.parameters(), lr=1.0)
    (net(luge.ones(1, 2)) * net.scale).sum().backward()
    optimizer.step()
    assert net.scale.item() == 3 and np.allclose(np.array(before) - net.weight.detach().numpy(), 3)


@pytest.mark.parametrize("value", [luge.zeros(2), 1.0, "text", nn.Linear(1, 1)], ids=lambda value: type(value).__name__)
def test_a_parameter_gives_way_to_parameters_only(value):
    net = nn.Linear(1, 2)
    weight = net.weight
    with pytest.raises(TypeError, match="Linear: 'weight' is a parameter; it can become a Parameter or None"):
        net.weight = value
    assert net.weight is weight and names(net) == ["weight", "bias"]
    with pytest.raises(TypeError, match="'weight' can become a Parameter or None"):
        net.register_parameter("weight", value)


def test_a_parameter_can_be_none():
    net = nn.Linear(1, 2)
    net.bias = None
    assert names(net) == ["weight"] and list(net.state_dict()) == ["weight"] and net(luge.ones(1, 1)).shape == (1, 2)
    net.bias = nn.Parameter(luge.zeros(2))
    assert names(net) == ["weight", "bias"]
    bare = nn.Linear(1, 2, bias=False)
    with pytest.raises(TypeError, match="bias"):
        bare.bias = luge.zeros(2)


def test_a_module_gives_way_to_modules_only():
    net = nn.Sequential(nn.Linear(1, 2))
    net.extra = nn.Tanh()
    with pytest.raises(TypeError, match="Sequential: 'extra' is a module; it can become a Module or None"):
        net.extra = 3
    net.extra = None
    assert net.extra is None and len(list(net.modules())) == 2
    net.extra = nn.Parameter(luge.ones(1))
    assert names(net) == ["extra", "0.weight", "0.bias"]
    plain = nn.Module()
    plain.x = 1
    plain.x = nn.Parameter(luge.ones(1))
    assert names(plain) == ["x"] and plain.x.item() == 1 and "x" in dir(plain)
    for bad in ("", "a.b"):
        with pytest.raises(KeyError, match="cannot be a name"):
            plain.register_parameter(bad, None)


def test_what_comes_before_init():
    class Early(nn.Module):
        def __init__(self):
            self.size = 3
            super().__init__()
            self.layer = nn.Linear(self.size, 1)

    assert names(Early()) == ["layer.weight", "layer.bias"]


def test_calls_take_keyword_arguments():
    class Masked(nn.Module):
        def forward(self, x, *, mask, scale=1.0):
            return x * mask * scale

    assert Masked()(luge.ones(2), mask=luge.tensor([0.0, 1.0]), scale=3).tolist() == [0, 3]
    with pytest.raises(TypeError, match="mask"):
        Masked()(luge.ones(2))


def test_what_a_module_is_made_of():
    net = Tied()
    assert [name for name, _ in net.named_children()] == ["embedding", "body", "head"] == list(dict(net.named_children()))
    assert [name for name, _ in net.named_modules()] == ["", "embedding", "body", "head"]
    net.register_module("again", net.body)
    net.add_module("last", nn.Tanh())
    assert [name for name, _ in net.named_modules(prefix="net")] == ["net", "net.embedding", "net.body", "net.head", "net.last"]
    assert "net.again" in dict(net.named_modules(prefix="net", remove_duplicate=False))
    for add in (net.register_module, net.add_module):
        with pytest.raises(TypeError, match="'extra' can become a Module or None, not of type int"):
            add("extra", 3)


def test_lists_of_modules():
    layers = nn.ModuleList(nn.Linear(1, n) for n in (1, 2, 3))
    layers.insert(1, nn.Tanh())
    del layers[0]
    layers[0] = nn.ReLU()
    assert [type(layer) for layer in layers] == [nn.ReLU, nn.Linear, nn.Linear] and layers[-1].out_features == 3
    assert names(layers) == ["1.weight", "1.bias", "2.weight", "2.bias"] and len(layers[1:]) == 2
    model = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1))
    assert type(model[:2]) is nn.Sequential and model[:2](luge.ones(1, 1)).shape == (1, 2)
    with pytest.raises(IndexError):
        layers[3]


# ---- tied weights


def test_a_tensor_counts_once():
    net = Tied()
    assert names(net) == ["embedding.weight", "body.weight", "body.bias"] and len(list(net.parameters())) == 3
    assert names(net, remove_duplicate=False) == [*names(net), "head.weight"]
    state = net.state_dict()
    assert list(state) == [*names(net), "head.weight"] and state["head.weight"] is state["embedding.weight"]
    params = luge.Parameters()
    params.add("w", 2, luge.init.zeros())
    views = nn.Module()
    views.a, views.b = params["w"], params["w"]  # two objects, one tensor
    assert names(views) == ["a"]
    twice = nn.Linear(2, 2)
    model = nn.Sequential(twice, nn.Tanh(), twice)
    assert names(model) == ["0.weight", "0.bias"] and len(list(model.modules())) == 3 and len(list(model.children())) == 2
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"] and len(model) == 3
    x = luge.randn(1, 2)
    assert model(x).equal(twice(luge.tanh(twice(x))))
    assert names(model[0], prefix="layer", recurse=False) == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("kind", [luge.optim.SGD, luge.optim.Adam])
def test_tied_weights_train_as_one(kind, captured):
    """Against the same model written with one weight."""
    luge.manual_seed(1)
    tied = Tied()
    table, weight, bias = (p.detach().clone().requires_grad_() for p in tied.parameters())
    x, y = luge.tensor([1, 2, 5, 0]), luge.tensor([3, 3, 1, 6])

    def by_hand(at):
        inner = luge.tanh(F.linear(F.embedding(at, table), weight, bias))
        return F.linear(F.linear(inner, weight, bias), table)

    def train(model, parameters):
        optimizer = kind(parameters, lr=0.1)

        def step():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.clip_grad_norm_(parameters, 0.5)
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        return [run().item() for _ in range(6)]

    losses = train(tied, list(tied.parameters()))
    assert losses == train(by_hand, [table, weight, bias]) and losses[-1] < losses[0]
    assert tied.head.weight is tied.embedding.weight and tied.head.weight.equal(table)
    assert tied.body.weight.equal(weight)


def test_tied_weights_stay_tied_in_another_dtype():
    net = Tied()
    outside = nn.Linear(4, 7, bias=False)
    outside.weight = net.embedding.weight  # tied to what is no part of net
    (net(luge.tensor([1])).sum() * 1).backward()
    gradient = net.head.weight.grad.double()
    assert net.to(luge.float64) is net
    assert net.head.weight is net.embedding.weight is outside.weight and outside.weight.dtype is luge.float64
    assert net.head.weight.grad.dtype is luge.float64 and net.head.weight.grad.equal(gradient)
    assert len(list(net.parameters())) == 3 and net(luge.tensor([1, 2])).dtype is luge.float64
    optimizer = luge.optim.SGD(net.parameters(), lr=0.1)
    assert len(optimizer.parameters) == 3
    with pytest.raises(ValueError, match=r"Tied.to: a parameter .* belongs to an optimizer"):
        net.to(luge.float32)
    assert net.to("cpu", luge.float64) is net and net.to(luge.zeros(1, dtype=luge.float64)) is net
    for wrong, error in ((luge.int64, luge.DTypeError), (3, TypeError)):
        with pytest.raises(error):
            net.to(wrong)


def test_short_names_of_to():
    net = nn.Linear(2, 1)
    assert net.double().weight.dtype is luge.float64 and net.float().cpu().weight.dtype is luge.float32
    if not luge.cuda.is_available():
        with pytest.raises(luge.DeviceError):
            net.cuda()
    assert net.weight.device == luge.device("cpu")


def test_layers_of_an_arena_keep_its_dtype():
    params = luge.Parameters(sets=3)
    layer = nn.Linear(2, 2, params=params)
    with pytest.raises(ValueError, match=r"Linear.to: .*Parameters, which keeps its dtype \(float32\)"):
        layer.to(luge.float64)
    assert layer.weight.dtype is luge.float32


def test_freezing_a_module():
    net = Tied().requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in net.parameters()) and len(net.state_dict()) == 4
    assert all(parameter.requires_grad for parameter in net.requires_grad_().parameters())
    seen = []
    assert net.apply(seen.append) is net and seen[-1] is net and len(seen) == 4


# ---- state dicts


def values(net):
    return {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


def test_loading_takes_arrays_and_other_dtypes():
    source, net = Tied(), Tied()
    state = source.state_dict()
    for convert in (lambda t: t, lambda t: t.numpy(), lambda t: t.double(), lambda t: t.double().numpy()):
        net = Tied()
        assert net.load_state_dict({name: convert(value) for name, value in state.items()}) == ([], [])
        assert values(net) == values(source) and net.head.weight is net.embedding.weight
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[3, 4]]), "bias": np.array([True])})
    assert layer.weight.tolist() == [[3, 4]] and layer.bias.tolist() == [1] and layer.weight.dtype is luge.float32


def test_loading_takes_pytorchs_state():
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.Linear(3, 2), nn.Linear(3, 2)
    ours.load_state_dict(theirs.state_dict())
    assert ours.weight.tolist() == theirs.weight.tolist() and ours.bias.tolist() == theirs.bias.tolist()
    before = values(ours)
    with pytest.raises(TypeError, match=r"load_state_dict: weight is of type Parameter \(.*grad"):  # PyTorch's own words
        ours.load_state_dict({"bias": luge.zeros(2), "weight": theirs.weight})
    assert values(ours) == before


def test_loading_is_all_or_nothing():
    net = Tied()
    state = Tied().state_dict()
    before = values(net)
    bad = {
        "missing": (ValueError, {name: value for name, value in state.items() if name != "body.bias"}),
        "unexpected": (ValueError, {**state, "other": luge.zeros(1)}),
        "shape": (luge.ShapeError, {**state, "head.weight": luge.zeros(4, 7)}),
        "type": (TypeError, {**state, "head.weight": "text"}),
        "objects": (TypeError, {**state, "head.weight": np.array([None])}),
        "none": (TypeError, {**state, "head.weight": None}),
        "no dict": (TypeError, list(state.items())),
    }
    for error, given in bad.values():
        with pytest.raises(error, match="load_state_dict"):
            net.load_state_dict(given)
        assert values(net) == before


def test_loading_names_all_faults_at_once():
    net = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    state = net.state_dict()
    wrong = {"0.weight": luge.zeros(3), "1.bias": luge.zeros(2), "2.weight": luge.zeros(1), "1.weight": state["1.weight"]}
    with pytest.raises(luge.ShapeError) as caught:
        net.load_state_dict(wrong)
    assert str(caught.value) == (
        "load_state_dict: missing are ['0.bias']; unexpected are ['2.weight']; 0.weight has shape (3,) and must have (2, 1); "
        "1.bias has shape (2,) and must have (1,)"
    )


def test_loading_a_part():
    net = nn.Linear(2, 1)
    bias = net.bias.item()
    found = net.load_state_dict({"weight": luge.ones(1, 2), "more": 1}, strict=False)
    assert type(found) is IncompatibleKeys and found.missing_keys == ["bias"] and found.unexpected_keys == ["more"]
    assert net.weight.tolist() == [[1, 1]] and net.bias.item() == bias
    with pytest.raises(luge.ShapeError):
        net.load_state_dict({"weight": luge.zeros(2), "more": 1}, strict=False)


def test_loading_its_own_memory():
    net = nn.Module()
    net.a, net.b = nn.Parameter(luge.ones(2)), nn.Parameter(luge.zeros(2))
    state = net.state_dict()
    net.load_state_dict({"a": state["b"], "b": state["a"]})
    assert net.a.tolist() == [0, 0] and net.b.tolist() == [1, 1]


def test_loading_under_an_optimizer_and_a_captured_step():
    net = nn.Linear(2, 1)
    optimizer = luge.optim.SGD(net.parameters(), lr=0.5)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = net(luge.ones(1, 2)).sum()
        loss.backward()
        optimizer.step()
        return loss

    step()
    net.load_state_dict({"weight": luge.ones(1, 2), "bias": luge.zeros(1)})
    assert step().item() == 2 and net.weight.tolist() == [[0.5, 0.5]]


def test_a_dict_names_the_modules_of_a_sequential():
    layers = {"hidden": luge.nn.Linear(2, 3), "act": luge.nn.ReLU(), "out": luge.nn.Linear(3, 1)}
    model = luge.nn.Sequential(collections.OrderedDict(layers))
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert model.hidden is layers["hidden"] and model[1] is layers["act"] and len(model) == 3
    assert model(input=luge.zeros(4, 2)).shape == (4, 1)
    with pytest.raises(TypeError):
        luge.nn.Sequential({"a": 3})
