"""luge.nn.utils' fusions of a layer with the batch normalization behind it, and skip_init, against PyTorch's."""

import luge
import numpy as np
import pytest
from errors import check_error

torch = pytest.importorskip("torch")

#: PyTorch 1.13 makes every fused parameter a trained one.
KEEPS_FROZEN = hasattr(torch.Tensor, "register_post_accumulate_grad_hook")
RNG = np.random.default_rng(0)
LAYERS = {
    "Conv1d": (("Conv1d", 4, 6, 3), {"groups": 2}, "BatchNorm1d", (3, 4, 7)),
    "Conv2d": (("Conv2d", 4, 6, 3), {"padding": 1, "bias": False}, "BatchNorm2d", (3, 4, 5, 5)),
    "Conv3d": (("Conv3d", 2, 3, 2), {"stride": 2}, "BatchNorm3d", (2, 2, 4, 4, 4)),
    "ConvTranspose1d": (("ConvTranspose1d", 4, 6, 3), {"bias": False}, "BatchNorm1d", (3, 4, 7)),
    "ConvTranspose2d": (("ConvTranspose2d", 4, 6, 3), {"stride": 2}, "BatchNorm2d", (3, 4, 5, 5)),
    "Linear": (("Linear", 4, 6), {}, "BatchNorm1d", (3, 4)),
    "Linear without bias": (("Linear", 4, 6), {"bias": False}, "BatchNorm1d", (3, 4)),
}  # fmt: skip


def values(tensor):
    return np.asarray(tensor.detach().numpy())


def fuse(library, layer, bn):
    name = type(layer).__name__
    if name == "Linear":
        return library.nn.utils.fusion.fuse_linear_bn_eval(layer, bn)
    return library.nn.utils.fusion.fuse_conv_bn_eval(layer, bn, **({"transpose": True} if "Transpose" in name else {}))


def pair(library, key, affine, state):
    (kind, *sizes), options, norm, _ = LAYERS[key]
    layer = getattr(library.nn, kind)(*sizes, **options, dtype=library.float64)
    bn = getattr(library.nn, norm)(sizes[1], affine=affine, dtype=library.float64)
    for module, numbers in zip((layer, bn), state):
        module.load_state_dict({name: library.from_numpy(number.copy()) for name, number in numbers.items()})
    return layer.eval(), bn.eval()


@pytest.mark.parametrize("key", LAYERS)
@pytest.mark.parametrize("affine", [True, False])
def test_fused_layers(key, affine):
    (kind, *sizes), options, norm, shape = LAYERS[key]
    layer = getattr(torch.nn, kind)(*sizes, **options, dtype=torch.float64)
    bn = getattr(torch.nn, norm)(sizes[1], affine=affine, dtype=torch.float64)
    state = [{name: values(value).copy() for name, value in module.state_dict().items()} for module in (layer, bn)]
    state[1]["running_mean"][...] = RNG.normal(size=sizes[1])
    state[1]["running_var"][...] = RNG.uniform(0.5, 2, size=sizes[1])
    if affine:
        state[1]["weight"][...], state[1]["bias"][...] = RNG.normal(size=(2, sizes[1]))
    ours, our_bn = pair(luge, key, affine, state)
    theirs, their_bn = pair(torch, key, affine, state)
    before = [value.clone() for value in ours.state_dict().values()]
    made = fuse(luge, ours, our_bn)
    assert type(made) is type(ours) and made is not ours
    # PyTorch cannot fuse a Linear with a normalization that has no weight.
    expected = [] if kind == "Linear" and not affine else fuse(torch, theirs, their_bn).named_parameters()
    for name, value in expected:
        found = dict(made.named_parameters())[name]
        if KEEPS_FROZEN:
            assert found.requires_grad == value.requires_grad
        np.testing.assert_allclose(values(found), values(value), rtol=0, atol=1e-13)
    x = luge.from_numpy(RNG.normal(size=shape))
    assert luge.allclose(made(x), our_bn(ours(x)), rtol=0, atol=1e-12)
    assert all(old.equal(new) for old, new in zip(before, ours.state_dict().values()))


def test_fused_weights():
    """The functions on tensors give what the layers get; without a normalization's weight, too."""
    conv, bn = luge.nn.Conv1d(2, 3, 2).eval(), luge.nn.BatchNorm1d(3, affine=False).eval()
    given = (conv.weight, None, bn.running_mean, bn.running_var, bn.eps, None, None)
    weight, bias = luge.nn.utils.fuse_conv_bn_weights(*given)
    expected = torch.nn.utils.fusion.fuse_conv_bn_weights(*(torch.from_numpy(values(one)) if isinstance(one, luge.Tensor) else one for one in given))
    for ours, theirs in zip((weight, bias), expected):
        np.testing.assert_allclose(values(ours), values(theirs), rtol=0, atol=1e-7)
    linear = luge.nn.Linear(2, 3)
    ones = luge.ones(3)
    weight, bias = luge.nn.utils.fuse_linear_bn_weights(linear.weight, linear.bias, ones, ones, 0.0, 2 * ones, ones)
    assert luge.allclose(weight, 2 * linear.weight) and luge.allclose(bias, 2 * (linear.bias - 1) + 1)


def test_modules_in_an_arena():
    """The copy stands by itself: the model in the arena goes on as it was."""
    params = luge.Parameters()
    conv, bn = luge.nn.Conv1d(2, 3, 2, params=params, bias=False).eval(), luge.nn.BatchNorm1d(3, params=params).eval()
    made = luge.nn.utils.fuse_conv_bn_eval(conv, bn)
    x = luge.ones(1, 2, 4)
    assert luge.allclose(made(x), bn(conv(x)), rtol=0, atol=1e-6) and conv.bias is None and len(params) == 3


def test_skip_init():
    made = luge.nn.utils.skip_init(luge.nn.Linear, 3, 2, bias=False, dtype=luge.float64)
    assert made.weight.shape == (2, 3) and made.weight.dtype == luge.float64 and made.bias is None


EVAL = luge.nn.Conv1d(2, 4, 1).eval()
ERRORS = [
    (lambda: luge.nn.utils.fuse_conv_bn_eval(luge.nn.Conv1d(2, 4, 1), luge.nn.BatchNorm1d(4).eval()), ValueError,
     "fuse_conv_bn_eval: a module is in training"),
    (lambda: luge.nn.utils.fuse_conv_bn_eval(EVAL, luge.nn.BatchNorm1d(4)), ValueError, "fuse_conv_bn_eval: a module is in training"),
    (lambda: luge.nn.utils.fuse_conv_bn_eval(EVAL, luge.nn.BatchNorm1d(4, track_running_stats=False).eval()), ValueError,
     "fuse_conv_bn_eval: the normalization has no running statistics"),
    (lambda: luge.nn.utils.fuse_conv_bn_eval(EVAL, luge.nn.BatchNorm1d(3).eval()), luge.ShapeError,
     "fuse_conv_bn_eval: the weight has shape"),
    (lambda: luge.nn.utils.fuse_linear_bn_eval(luge.nn.Linear(2, 4).eval(), luge.nn.BatchNorm1d(3).eval()), luge.ShapeError,
     "fuse_linear_bn_eval: the weight has shape"),
    (lambda: luge.nn.utils.skip_init(luge.nn.Linear, 3), TypeError, ""),
]  # fmt: skip


@pytest.mark.parametrize("call, error, start", ERRORS)
def test_bad_input_is_named(call, error, start):
    check_error(call, error, start)
