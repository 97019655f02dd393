"""Pooling layers against PyTorch's: every option, gradients, capture, sets."""

import numpy
import pytest

import luge

torch = pytest.importorskip("torch")
nn = luge.nn

KINDS = (
    (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d),
    (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d),
)
SHAPES = {1: (2, 3, 9), 2: (2, 3, 7, 8), 3: (2, 3, 6, 5, 4)}


def numbers(shape, seed=0, dtype="float64"):
    return numpy.random.default_rng(seed).normal(size=shape).astype(dtype)


def close(ours, theirs):
    ours, theirs = numpy.asarray(ours.detach()), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def same_pass(ours, theirs, x):
    """Values, places and gradients."""
    our_x, their_x = luge.tensor(x).requires_grad_(), torch.from_numpy(x).requires_grad_()
    our_y, their_y = ours(our_x), theirs(their_x)
    assert isinstance(our_y, tuple) == isinstance(their_y, tuple)
    if isinstance(our_y, tuple):
        assert our_y[1].tolist() == their_y[1].tolist()
        our_y, their_y = our_y[0], their_y[0]
    close(our_y, their_y)
    gradient = numbers(tuple(their_y.shape), 99)
    our_y.backward(luge.tensor(gradient))
    their_y.backward(torch.from_numpy(gradient))
    close(our_x.grad, their_x.grad)


def cases():
    for dims in (1, 2, 3):
        for options in (
            (2,),
            (3, 2),
            (3, 2, 1),
            (2, 1, 1, 2),
            (2, None, 0, 1, True),
            (3, 2, 1, 1, True, True),
            (3, 2, 0, 1, False, True),
            (2, 3, 1, 1, True, True),
            (1,),
            (2, 4),
        ):
            yield f"MaxPool{dims}d", options
        for options in (
            (2,),
            (3, 2),
            (3, 2, 1),
            (3, 2, 1, False, False),
            (3, 2, 1, True),
            (3, 2, 1, True, False),
            (2, 3, 1, True, True),
            (1,),
        ):
            yield f"AvgPool{dims}d", options
        if dims > 1:
            yield f"AvgPool{dims}d", (3, 2, 1, True, False, 5)
            yield f"AvgPool{dims}d", (2, None, 0, False, True, -3)
        for size in (1, 2, 3, 5, 9):
            yield f"AdaptiveAvgPool{dims}d", (size,)
            yield f"AdaptiveMaxPool{dims}d", (size,)
            yield f"AdaptiveMaxPool{dims}d", (size, True)
        if hasattr(torch.nn, f"LPPool{dims}d"):
            yield f"LPPool{dims}d", (2, 2)
            yield f"LPPool{dims}d", (3.0, 3, 2, True)
    yield "MaxPool2d", ((2, 3), (1, 2), (1, 0), (1, 2), True, True)
    yield "MaxPool2d", ((7, 8),)
    yield "MaxPool1d", (8, 3, 4, 1, True)
    yield "AvgPool2d", ((2, 3), (1, 2), (1, 0))
    yield "AvgPool2d", ((7, 8),)
    yield "AdaptiveAvgPool2d", ((None, 3),)
    yield "AdaptiveAvgPool3d", ((4, None, 2),)
    yield "AdaptiveMaxPool2d", ((3, None), True)


@pytest.mark.parametrize("kind, options", list(cases()))
def test_a_layer_is_pytorchs(kind, options):
    ours, theirs = getattr(nn, kind)(*options), getattr(torch.nn, kind)(*options)
    shape = SHAPES[int(kind[-2])]
    x = numpy.abs(numbers(shape)) if kind.startswith("LP") else numbers(shape)
    same_pass(ours, theirs, x)
    same_pass(ours, theirs, x[0])
    if kind.startswith(("Max", "AdaptiveMax")):
        same_pass(ours, theirs, numpy.round(x))  # equals
        same_pass(ours, theirs, numpy.where(numbers(shape, 3) > 0.5, numpy.nan, numpy.round(x)))
        same_pass(ours, theirs, numpy.where(numbers(shape, 4) > -1, -numpy.inf, x))


def test_every_kind_has_a_case():
    tested = {kind for kind, _ in cases()} | {f"MaxUnpool{dims}d" for dims in (1, 2, 3)} | {"LPPool3d"}
    assert {kind.__name__ for kinds in KINDS for kind in kinds} == tested


def test_long_windows():
    for seed in range(3):
        x = numpy.where(numbers((2, 40), seed) > 1, numpy.nan, numpy.round(numbers((2, 40), seed)))
        for options in ((17, 1, 8, 1, True), (20, 3, 10, 1, True), (40, None, 0, 1, True)):
            same_pass(nn.MaxPool1d(*options), torch.nn.MaxPool1d(*options), x)
        same_pass(nn.AvgPool1d(17, 3, 8, True, False), torch.nn.AvgPool1d(17, 3, 8, True, False), numbers((2, 40), seed))
    same_pass(nn.MaxPool2d(20, 3, 10, return_indices=True), torch.nn.MaxPool2d(20, 3, 10, return_indices=True), numbers((1, 1, 23, 24)))


@pytest.mark.parametrize("dims", (1, 2, 3))
def test_unpooling_puts_values_back(dims):
    x = numbers((2, 3, 7, 6, 5)[: 2 + dims])
    for options in ((2,), (2, 2, 1), (3, 2), (3,)):
        our_y, our_places = getattr(nn, f"MaxPool{dims}d")(*options, return_indices=True)(luge.tensor(x))
        their_y, their_places = getattr(torch.nn, f"MaxPool{dims}d")(*options, return_indices=True)(torch.from_numpy(x))
        our_y, their_y = our_y.detach().requires_grad_(), their_y.detach().requires_grad_()
        ours, theirs = getattr(nn, f"MaxUnpool{dims}d")(*options), getattr(torch.nn, f"MaxUnpool{dims}d")(*options)
        if options == (3, 2) and dims == 3:
            continue  # PyTorch's gradient of places that several windows share is another one each time
        for size in (x.shape, x.shape[2:]):
            a, b = ours(our_y, our_places, size), theirs(their_y, their_places, size)
            close(a, b)
        gradient = numbers(x.shape, 9)
        a.backward(luge.tensor(gradient))
        b.backward(torch.from_numpy(gradient))
        close(our_y.grad, their_y.grad)


def test_dimensions_before_the_channels_are_batch():
    x = luge.tensor(numbers((4, 2, 3, 6, 8), dtype="float32"))
    for layer in (nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(5), nn.AdaptiveMaxPool2d((4, 2)), nn.LPPool2d(2, 2)):
        y = layer(x)
        for index in range(4):  # a set has the same bits alone
            assert luge.equal(y[index], layer(x[index]))


def test_strides_of_the_input_do_not_matter():
    x = luge.tensor(numbers((2, 8, 3, 6))).permute(0, 2, 1, 3)
    for layer in (nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(5)):
        assert luge.equal(layer(x), layer(x.contiguous()))


@pytest.mark.parametrize("dtype", ("float16", "bfloat16", "float32"))
def test_halves_are_rounded_once(dtype):
    x = luge.tensor(numbers((1, 2, 6, 6), dtype="float32")).to(getattr(luge, dtype))
    assert luge.equal(nn.AvgPool2d(3)(x), nn.AvgPool2d(3)(x.float()).to(x.dtype))
    assert luge.equal(nn.MaxPool2d(2)(x), nn.MaxPool2d(2)(x.float()).to(x.dtype))


@pytest.mark.parametrize("dtype", ("uint8", "int8", "int16", "int32", "int64"))
def test_largest_integers(dtype):
    x = (numpy.abs(numbers((1, 2, 6, 6))) * 40).astype(dtype)
    ours = nn.functional.max_pool2d(luge.tensor(x), 3, 2, 1, return_indices=True)
    theirs = torch.nn.functional.max_pool2d(torch.from_numpy(x.astype("float64")), 3, 2, 1, return_indices=True)
    assert ours[0].tolist() == theirs[0].tolist() and ours[1].tolist() == theirs[1].tolist()
    assert str(ours[0].dtype).endswith(dtype)


def test_captured_passes_are_the_eager_ones():
    x = luge.tensor(numbers((2, 3, 6, 8))).requires_grad_()
    for layer in (
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(5, 1),
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1, True, False),
        nn.AdaptiveAvgPool2d(5),
        nn.AdaptiveMaxPool2d(5),
    ):
        both = lambda: luge.autograd.grad(layer(x).square().sum(), [x])  # noqa: E731, B023
        step = luge.capture(both)
        assert luge.equal(step()[0], both()[0])
        assert luge.equal(step()[0], both()[0])


def test_gradients_have_gradients():
    x = luge.tensor(numbers((1, 1, 4, 4))).requires_grad_()
    for layer in (nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(2), nn.AvgPool2d(3, 1, 1), nn.AdaptiveAvgPool2d(3)):
        assert luge.autograd.gradcheck(layer, [x])
        assert luge.autograd.gradgradcheck(layer, [x])


def test_empty_batches():
    for layer in (nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(2), nn.AdaptiveMaxPool2d(5)):
        x = luge.zeros(0, 3, 6, 6).requires_grad_()
        layer(x).sum().backward()
        assert layer(x).shape[0] == 0 and x.grad.shape == x.shape


def test_repr():
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
    assert repr(nn.AvgPool1d(2)) == "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"
    assert repr(nn.AvgPool2d(2)) == "AvgPool2d(kernel_size=2, stride=2, padding=0)"
    assert repr(nn.AdaptiveAvgPool2d((None, 3))) == "AdaptiveAvgPool2d(output_size=(None, 3))"
    assert repr(nn.LPPool2d(2.0, 3)) == "LPPool2d(norm_type=2.0, kernel_size=3, stride=None, ceil_mode=False)"
    assert repr(nn.MaxUnpool2d(3)) == "MaxUnpool2d(kernel_size=(3, 3), stride=(3, 3), padding=(0, 0))"


@pytest.mark.parametrize(
    "error, call",
    (
        (luge.ShapeError, lambda: nn.MaxPool2d(2)(luge.zeros(3, 3))),
        (luge.ShapeError, lambda: nn.MaxPool2d(5)(luge.zeros(1, 3, 3))),
        (ValueError, lambda: nn.MaxPool2d(0)(luge.zeros(1, 3, 3))),
        (ValueError, lambda: nn.MaxPool2d(2, 0)(luge.zeros(1, 3, 3))),
        (ValueError, lambda: nn.MaxPool2d(2, 2, 2)(luge.zeros(1, 3, 3))),
        (ValueError, lambda: nn.MaxPool2d(2, 2, -1)(luge.zeros(1, 3, 3))),
        (ValueError, lambda: nn.MaxPool2d((2, 2, 2))(luge.zeros(1, 3, 3))),
        (luge.DTypeError, lambda: nn.MaxPool2d(2)(luge.zeros(1, 4, 4, dtype=luge.bool))),
        (luge.DTypeError, lambda: nn.AvgPool2d(2)(luge.zeros(1, 4, 4, dtype=luge.int64))),
        (ValueError, lambda: nn.AvgPool2d(2, divisor_override=0)(luge.zeros(1, 4, 4))),
        (ValueError, lambda: nn.AdaptiveAvgPool2d(-1)(luge.zeros(1, 4, 4))),
        (ValueError, lambda: nn.AdaptiveAvgPool2d((1, 2, 3))(luge.zeros(1, 4, 4))),
        (luge.ShapeError, lambda: nn.AdaptiveAvgPool2d(2)(luge.zeros(1, 0, 4))),
        (luge.ShapeError, lambda: nn.MaxUnpool2d(2)(luge.zeros(1, 2, 2), luge.zeros(1, 2, 3, dtype=luge.int64))),
        (luge.DTypeError, lambda: nn.MaxUnpool2d(2)(luge.zeros(1, 2, 2), luge.zeros(1, 2, 2))),
        (IndexError, lambda: nn.MaxUnpool2d(2)(luge.zeros(1, 2, 2), luge.full((1, 2, 2), 16, dtype=luge.int64))),
        (ValueError, lambda: nn.MaxUnpool2d(2)(luge.zeros(1, 2, 2), luge.zeros(1, 2, 2, dtype=luge.int64), (9, 9))),
    ),
)
def test_bad_input(error, call):
    with pytest.raises(error):
        call()
