"""Layers that see in their first call how many inputs they have, against PyTorch's."""

import copy
import pickle

import luge
import numpy as np
import pytest
from errors import check_error

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
KINDS = {
    "LazyLinear": ((4,), {"bias": False}, (5, 3)),
    "LazyConv1d": ((4, 3), {"padding": 1}, (2, 3, 7)), "LazyConv2d": ((4, 3), {"stride": 2}, (2, 3, 7, 6)),
    "LazyConv3d": ((4, 2), {"bias": False}, (2, 3, 4, 4, 4)), "LazyConvTranspose1d": ((4, 3), {}, (2, 3, 7)),
    "LazyConvTranspose2d": ((4, 3), {"stride": 2, "groups": 1}, (2, 3, 5, 6)), "LazyConvTranspose3d": ((4, 2), {}, (2, 3, 3, 4, 4)),
    "LazyBatchNorm1d": ((), {"momentum": 0.3}, (5, 3)), "LazyBatchNorm2d": ((1e-3,), {}, (2, 3, 4, 4)),
    "LazyBatchNorm3d": ((), {"affine": False}, (2, 3, 3, 4, 4)), "LazyInstanceNorm1d": ((), {}, (2, 3, 7)),
    "LazyInstanceNorm2d": ((1e-3,), {}, (2, 3, 4, 4)), "LazyInstanceNorm3d": ((), {"affine": False}, (2, 3, 3, 4, 4)),
}  # fmt: skip


def values(tensor):
    return np.asarray(tensor.detach().numpy())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_layers(name, training):
    args, options, shape = KINDS[name]
    ours = getattr(luge.nn, name)(*args, **options, dtype=luge.float64).train(training)
    theirs = getattr(torch.nn, name)(*args, **options, dtype=torch.float64).train(training)
    assert isinstance(ours, getattr(luge.nn, name[4:]))
    x = RNG.normal(size=shape)
    ours(luge.from_numpy(x)), theirs(torch.from_numpy(x))
    assert type(ours) is getattr(luge.nn, name[4:]) and ours.training == training
    expected = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == expected
    ours.load_state_dict({key: values(value).copy() for key, value in theirs.state_dict().items()})
    np.testing.assert_allclose(values(ours(luge.from_numpy(x))), values(theirs(torch.from_numpy(x))), rtol=0, atol=1e-12)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(values(ours.state_dict()[key]), values(value), rtol=0, atol=1e-12)


def test_first_call_makes_what_the_layer_makes():
    luge.manual_seed(3)
    lazy = luge.nn.LazyLinear(4)
    lazy(luge.zeros(2, 3))
    luge.manual_seed(3)
    plain = luge.nn.Linear(3, 4)
    assert lazy.weight.equal(plain.weight) and lazy.bias.equal(plain.bias) and repr(lazy) == repr(plain)


def test_models_train():
    model = luge.nn.Sequential(luge.nn.LazyConv1d(4, 3), luge.nn.LazyBatchNorm1d(), luge.nn.ReLU(), luge.nn.Flatten(), luge.nn.LazyLinear(1))
    x = luge.from_numpy(RNG.normal(size=(8, 2, 6)).astype("float32"))
    with pytest.raises(ValueError, match="LazyConv1d: its parameters are made in its first call"):
        luge.optim.SGD(model.parameters(), lr=0.1)
    with luge.no_grad():
        model(x)
    optimizer = luge.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4 and model[4].in_features == 16
    for made in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert made.eval()(x).equal(model.eval()(x))


@pytest.mark.parametrize("name", KINDS)
def test_sets(name):
    """Parameters go into the arena that the layer was made for, also when that is left."""
    args, options, shape = KINDS[name]
    params = luge.Parameters(sets=7)
    with luge.nn.build_in(params):
        shared, own = getattr(luge.nn, name)(*args, **options), getattr(luge.nn, name)(*args, **options)
    x = luge.from_numpy(RNG.normal(size=shape).astype("float32"))
    y, z = shared(x), own(x.unsqueeze(0).expand(7, *shape))
    assert y.shape[0] == z.shape[0] == 7 and y.shape == z.shape
    assert len(params) == 2 * len(list(own.parameters())) and all(leaf.shape[0] == 7 for leaf in own.parameters())


def test_hooks_stay():
    seen = []
    layer = luge.nn.LazyLinear(2)
    layer.register_forward_hook(lambda module, args, result: seen.append(type(module).__name__))
    for _ in range(2):
        layer(luge.zeros(1, 3))
    assert seen == ["Linear", "Linear"]


UNMADE = luge.nn.LazyConv2d(4, 3)
ERRORS = [
    (lambda: list(UNMADE.parameters()), ValueError, "LazyConv2d: its parameters are made in its first call"),
    (lambda: UNMADE.state_dict(), ValueError, "LazyConv2d: its parameters are made in its first call"),
    (lambda: UNMADE.double(), ValueError, "LazyConv2d: its parameters are made in its first call"),
    (lambda: UNMADE(luge.zeros(3)), ValueError, "LazyConv2d: input has shape (3,)"),
    (lambda: UNMADE([1.0]), TypeError, "LazyConv2d: input is of type list"),
    (lambda: luge.nn.LazyConv2d(4), TypeError, "missing a required argument: 'kernel_size'"),
    (lambda: luge.nn.LazyLinear(2, nonsense=1), TypeError, "got an unexpected keyword argument 'nonsense'"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, start", ERRORS)
def test_bad_input_is_named(call, error, start):
    check_error(call, error, start)
