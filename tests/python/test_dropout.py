"""Dropout: how often, what stays, channels, in place, captured steps, and sets."""

import math

import luge
import pytest
from luge import nn
from luge.nn import functional as F

KINDS = {
    "Dropout": F.dropout, "Dropout1d": F.dropout1d, "Dropout2d": F.dropout2d, "Dropout3d": F.dropout3d,
    "AlphaDropout": F.alpha_dropout, "FeatureAlphaDropout": F.feature_alpha_dropout,
}  # fmt: skip
SHAPES = {"Dropout": (6, 5), "Dropout1d": (4, 3, 5), "Dropout2d": (4, 3, 2, 5), "Dropout3d": (4, 3, 2, 1, 5), "AlphaDropout": (6, 5), "FeatureAlphaDropout": (4, 3, 5)}


@pytest.mark.parametrize("name", KINDS)
def test_module_and_function(name):
    kind, function, x = getattr(nn, name), KINDS[name], luge.randn(*SHAPES[name])
    assert repr(kind(0.25, True)) == f"{name}(p=0.25, inplace=True)"
    assert kind(0.5).eval()(x).equal(x) and function(x, 0.5, training=False).equal(x) and kind(0.0)(x).equal(x)
    assert kind(1.0)(x).count_nonzero().item() == 0
    for dtype in (luge.float16, luge.bfloat16, luge.float32, luge.float64):
        luge.manual_seed(3)
        y = kind(0.5)(x.to(dtype))
        luge.manual_seed(3)
        assert y.dtype is dtype and y.equal(function(x.to(dtype), 0.5, True)) and not y.equal(x.to(dtype))
    for p in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=f"^{name}: p is"):
            kind(p)
        with pytest.raises(ValueError, match=f"^{function.__name__}: p is"):
            function(x, p)
    with pytest.raises(luge.DTypeError):
        function(luge.ones(*SHAPES[name], dtype=luge.int64), 0.5, True)


@pytest.mark.parametrize("name", KINDS)
def test_in_place(name):
    x = luge.randn(*SHAPES[name])
    luge.manual_seed(5)
    expected = KINDS[name](x, 0.4, True)
    luge.manual_seed(5)
    y = x.clone()
    assert KINDS[name](y, 0.4, True, True) is y and y.equal(expected)
    leaf = x.clone().requires_grad_(True)
    luge.manual_seed(5)
    (leaf * 1).mul_(1).sum()
    z = leaf * 1
    KINDS[name](z, 0.4, True, inplace=True).sum().backward()
    assert z.equal(expected) and leaf.grad is not None


def test_share_that_is_dropped():
    luge.manual_seed(0)
    x = luge.ones(100_000)
    y = F.dropout(x, 0.3)
    dropped = (y == 0).double().mean().item()
    assert abs(dropped - 0.3) < 0.01 and abs(y.mean().item() - 1) < 0.02 and y.unique().tolist() == pytest.approx([0, 1 / 0.7])
    z = F.alpha_dropout(luge.randn(100_000), 0.3, True)
    assert abs(z.mean().item()) < 0.02 and abs(z.std().item() - 1) < 0.02


def test_gradient_is_the_mask():
    x = luge.randn(50).requires_grad_(True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    assert x.grad.equal(luge.where(y == 0, 0.0, 2.0))
    assert luge.isnan(F.dropout(luge.full((4,), math.nan), 0.5)).all()


def test_channels_fall_together():
    luge.manual_seed(1)
    for function, shape in ((F.dropout1d, (20, 10, 4)), (F.dropout2d, (20, 10, 3, 2)), (F.dropout3d, (20, 10, 3, 2, 2)), (F.dropout2d, (20, 10, 4))):
        y = function(luge.ones(*shape), 0.5)
        channels = y.flatten(2)
        assert (channels == channels[..., :1]).all() and 60 < (channels[..., 0] == 0).sum().item() < 140
    assert {tuple(row) for row in F.dropout1d(luge.ones(50, 4), 0.5).tolist()} == {(0.0,) * 4, (2.0,) * 4}
    sample = F.dropout3d(luge.ones(50, 1, 2, 2), 0.5).flatten(1)
    assert (sample == sample[:, :1]).all() and 0 < (sample == 0).sum().item() < 200
    y = F.feature_alpha_dropout(luge.ones(20, 10, 4), 0.5, True)
    assert (y == y[..., :1]).all() and len(y.unique()) == 2


def test_shapes_that_do_not_fit():
    for function, shape in ((F.dropout1d, (3,)), (F.dropout1d, (1, 1, 1, 1)), (F.dropout2d, (3,)), (F.feature_alpha_dropout, (3,))):
        with pytest.raises(luge.ShapeError, match=f"^{function.__name__}: input has shape"):
            function(luge.ones(*shape), 0.5, True)
    with pytest.raises(TypeError, match="^dropout: input is of type list"):
        F.dropout([1.0])


def test_functions_of_luge():
    assert luge.feature_dropout(luge.ones(1, 2), 1.0, True).tolist() == [[0, 0]]
    in_place = "dropout_ alpha_dropout_ feature_dropout_ feature_alpha_dropout_".split()
    for name in (changed[:-1] for changed in in_place):
        x = luge.randn(4, 5, 3)
        luge.manual_seed(2)
        y = getattr(luge, name)(x, 0.5, True)
        luge.manual_seed(2)
        z = x.clone()
        assert getattr(luge, f"{name}_")(z, 0.5, True) is z and z.equal(y) and getattr(luge, name)(x, 0.5, False).equal(x)


def test_captured_steps_draw_anew():
    layer, x = nn.Dropout(0.5), luge.ones(64)
    step = luge.capture(lambda x: layer(x))
    seen = [step(x).tolist() for _ in range(3)]
    assert seen[0] != seen[1] != seen[2] and seen[0] != seen[2]
    luge.manual_seed(9)
    eager = [layer(x).tolist() for _ in range(3)]
    luge.manual_seed(9)
    assert [step(x).tolist() for _ in range(3)] == eager


@pytest.mark.parametrize("name", KINDS)
def test_sets_draw_as_alone(name):
    sets = 4
    shape = SHAPES[name]

    def drawn(count, first):
        params = luge.Parameters(sets=count, first_set=first)
        with nn.build_in(params):
            layer = getattr(nn, name)(0.5)
        luge.manual_seed(11)
        return layer(luge.ones(count, *shape)), layer(luge.ones(count, *shape))

    together = drawn(sets, 0)
    for i in range(sets):
        alone = drawn(1, i)
        assert alone[0][0].equal(together[0][i]) and alone[1][0].equal(together[1][i])
    assert not together[0][0].equal(together[0][1]) and not together[0][0].equal(together[1][0])
    if name.startswith("Dropout") and name != "Dropout":
        channels = together[0].flatten(3)
        assert (channels == channels[..., :1]).all()
