"""Convolutional layers against PyTorch's: values, every gradient, options, state and sets."""

import itertools

import luge
import numpy as np
import pytest

torch = pytest.importorskip("torch")

SPACE = {1: (9,), 2: (7, 8), 3: (4, 5, 6)}
KINDS = [(f"Conv{'Transpose' if transposed else ''}{dims}d", dims) for transposed in (False, True) for dims in (1, 2, 3)]
CONV = [
    {},
    {"bias": False},
    {"stride": 2, "padding": 1},
    {"padding": "same", "dilation": 2},
    {"padding": "valid"},
    {"groups": 2, "padding": 1},
    {"padding": 2, "padding_mode": "reflect"},
    {"padding": 2, "padding_mode": "replicate", "stride": 2},
    {"padding": 2, "padding_mode": "circular"},
    {"padding": "same", "padding_mode": "circular"},
    {"padding": "same", "padding_mode": "reflect", "dilation": 2},
    {"padding": "valid", "padding_mode": "replicate"},
]
TRANSPOSED = [
    {},
    {"bias": False},
    {"stride": 2, "padding": 1},
    {"stride": 2, "padding": 1, "output_padding": 1},
    {"groups": 2, "dilation": 2},
    {"stride": 3, "output_padding": 2, "groups": 2},
]
CASES = [
    (kind, dims, options)
    for kind, dims in KINDS
    for options in (TRANSPOSED if "Transpose" in kind else CONV)
]


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def values(tensor):
    return tensor.detach().numpy()


def pair(kind, *args, **options):
    """A layer of both libraries in float64, with the same parameters."""
    theirs = getattr(torch.nn, kind)(*args, **options).double()
    mine = getattr(luge.nn, kind)(*args, **options).double()
    mine.load_state_dict({name: luge.tensor(values(value)) for name, value in theirs.state_dict().items()})
    return mine, theirs


def agree(mine, theirs, x, **given):
    """Values and the gradients of input and parameters."""
    xm, xt = luge.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ym, yt = mine(xm, **given), theirs(xt, **given)
    np.testing.assert_allclose(values(ym), values(yt), rtol=0, atol=1e-12)
    weights = images(*yt.shape, seed=1)
    (ym * luge.tensor(weights)).sum().backward()
    (yt * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(xm.grad.numpy(), xt.grad.numpy(), rtol=0, atol=1e-12)
    for (name, p), (other, q) in zip(mine.named_parameters(), theirs.named_parameters()):
        assert name == other
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind, dims, options", CASES)
@pytest.mark.parametrize("batched", [True, False])
def test_agrees(kind, dims, options, batched):
    if not batched and options.get("padding_mode") == "circular" and torch.__version__ < "2":
        pytest.skip("PyTorch 1.13 pads no image without a batch in circles")
    mine, theirs = pair(kind, 4, 6, 3, **options)
    x = images(*((2,) if batched else ()), 4, *SPACE[dims])
    agree(mine, theirs, x)
    assert repr(mine) == repr(theirs)


def test_kernels_of_several_sizes():
    agree(*pair("Conv2d", 2, 3, (2, 3), (1, 2), (0, 1), (2, 1)), images(2, 2, 7, 8))
    agree(*pair("Conv2d", 2, 3, (4, 1), padding="same"), images(2, 2, 7, 8))
    agree(*pair("ConvTranspose2d", 2, 3, (2, 3), (1, 2), (0, 1), (0, 1), 1, True, (2, 1)), images(2, 2, 5, 4))


def test_size_of_a_transposed_result():
    for size in [(9, 9), (10, 9), (2, 3, 10, 10)]:
        agree(*pair("ConvTranspose2d", 2, 3, 3, stride=2, padding=1), images(2, 2, 5, 5), output_size=size)
    with pytest.raises(ValueError, match="ConvTranspose2d: output_size is"):
        luge.nn.ConvTranspose2d(2, 3, 3, stride=2)(luge.zeros(2, 2, 5, 5), output_size=(20, 20))
    with pytest.raises(ValueError, match="ConvTranspose2d: output_size has"):
        luge.nn.ConvTranspose2d(2, 3, 3, stride=2)(luge.zeros(2, 2, 5, 5), output_size=(20,))


def test_fold_and_unfold():
    for options in ({}, {"dilation": 2, "padding": 1}, {"stride": (1, 2), "padding": (0, 1)}):
        x = images(2, 3, 6, 5)
        mine, theirs = luge.nn.Unfold((2, 3), **options), torch.nn.Unfold((2, 3), **options)
        agree(mine, theirs, x)
        columns = values(mine(luge.tensor(x)))
        agree(luge.nn.Fold((6, 5), (2, 3), **options), torch.nn.Fold((6, 5), (2, 3), **options), columns)
        assert repr(mine) == repr(theirs)


def test_state_goes_both_ways():
    mine, theirs = luge.nn.Conv2d(2, 4, 3, groups=2), torch.nn.Conv2d(2, 4, 3, groups=2)
    theirs.load_state_dict({name: torch.tensor(values(value)) for name, value in mine.state_dict().items()})
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(values(mine.state_dict()[name]), values(value))


@pytest.mark.parametrize("kind, dims", KINDS)
def test_initial_values(kind, dims):
    mine = getattr(luge.nn, kind)(16, 32, 3)
    theirs = getattr(torch.nn, kind)(16, 32, 3)
    for p, q in zip(mine.parameters(), theirs.parameters()):
        assert p.shape == tuple(q.shape)
        bound = q.abs().max().item()
        assert bound * 0.8 < abs(p).max().item() < bound * 1.25


def sets_of(kind, sets, options):
    params = luge.Parameters(sets=sets)
    layer = getattr(luge.nn, kind)(4, 6, 3, params=params, name="layer", **options)
    return params, layer


@pytest.mark.parametrize("kind, dims, options", [case for case in CASES if case[1] < 3])
@pytest.mark.parametrize("shared", [True, False])
def test_a_set_has_the_bits_it_has_alone(kind, dims, options, shared):
    _, layer = sets_of(kind, 3, options)
    x = luge.tensor(images(*(() if shared else (3,)), 2, 4, *SPACE[dims]).astype(np.float32), requires_grad=not shared)
    y = layer(x)
    weights = luge.tensor(images(*y.shape, seed=1).astype(np.float32))
    (y * weights).sum().backward()
    for i in range(3):
        _, alone = sets_of(kind, 1, options)
        with luge.no_grad():
            for mine, all_sets in zip(alone.parameters(), layer.parameters()):
                mine.copy_(all_sets[i : i + 1])
        own = x if shared else luge.tensor(values(x)[i : i + 1], requires_grad=True)
        result = alone(own)
        np.testing.assert_array_equal(values(result)[0], values(y)[i])
        (result * weights[i : i + 1]).sum().backward()
        for mine, all_sets in zip(alone.parameters(), layer.parameters()):
            np.testing.assert_array_equal(mine.grad.numpy()[0], all_sets.grad.numpy()[i])
        if not shared:
            np.testing.assert_array_equal(own.grad.numpy()[0], x.grad.numpy()[i])


def test_shared_images_get_the_sum_of_all_sets():
    _, layer = sets_of("Conv2d", 3, {"padding": 1})
    x = luge.tensor(images(2, 4, 7, 8).astype(np.float32), requires_grad=True)
    layer(x).sum().backward()
    weight = torch.tensor(values(layer.weight))
    xt = torch.tensor(values(x), requires_grad=True)
    sum(torch.conv2d(xt, weight[i], padding=1).sum() for i in range(3)).backward()
    np.testing.assert_allclose(x.grad.numpy(), xt.grad.numpy(), atol=1e-4)


def test_an_image_has_the_bits_it_has_alone():
    for kind, dims in KINDS:
        layer = getattr(luge.nn, kind)(4, 6, 3, stride=2)
        x = luge.tensor(images(5, 4, *SPACE[dims]).astype(np.float32))
        whole = values(layer(x))
        for i in range(5):
            np.testing.assert_array_equal(values(layer(x[i])), whole[i])


def test_a_captured_step_gives_the_same():
    def make():
        luge.manual_seed(1)
        params = luge.Parameters(sets=2)
        with luge.nn.build_in(params):
            model = luge.nn.Sequential(
                luge.nn.Conv2d(1, 4, 3, padding=1), luge.nn.ReLU(), luge.nn.ConvTranspose2d(4, 2, 2, stride=2)
            )
        return params, model, luge.optim.SGD(params, lr=0.1)

    x = luge.tensor(images(3, 1, 6, 6).astype(np.float32))
    results = []
    for captured in (False, True):
        params, model, optimizer = make()

        def step():
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        for _ in range(4):
            run()
        results.append([values(p) for p in model.parameters()])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: luge.nn.Conv2d(0, 1, 3), "Conv2d: in_channels is 0"),
        (lambda: luge.nn.Conv2d(3, 4, 3, groups=2), "Conv2d: in_channels is 3"),
        (lambda: luge.nn.Conv2d(4, 3, 3, groups=2), "Conv2d: out_channels is 3"),
        (lambda: luge.nn.Conv2d(1, 1, 0), "Conv2d: kernel_size is 0"),
        (lambda: luge.nn.Conv2d(1, 1, (1, 2, 3)), "Conv2d: kernel_size is"),
        (lambda: luge.nn.Conv1d(1, 1, 3, stride=0), "Conv1d: stride is 0"),
        (lambda: luge.nn.Conv1d(1, 1, 3, padding=-1), "Conv1d: padding is -1"),
        (lambda: luge.nn.Conv1d(1, 1, 3, padding="some"), "Conv1d: padding is 'some'"),
        (lambda: luge.nn.Conv1d(1, 1, 3, padding="same", stride=2), "Conv1d: padding is 'same'"),
        (lambda: luge.nn.Conv3d(1, 1, 3, padding_mode="mirror"), "Conv3d: padding_mode is 'mirror'"),
        (lambda: luge.nn.ConvTranspose1d(1, 1, 3, padding_mode="reflect"), "ConvTranspose1d: padding_mode is 'reflect'"),
        (lambda: luge.nn.ConvTranspose1d(1, 1, 3, padding="same"), "ConvTranspose1d: padding is 'same'"),
    ],
)
def test_errors_of_layers(make, text):
    with pytest.raises(ValueError) as raised:
        make()
    assert str(raised.value).startswith(text)


def test_errors_of_shapes():
    layer = luge.nn.Conv2d(2, 3, 3)
    for shape in [(2, 3, 8, 8), (8, 8), (1, 1, 2, 8, 8), (1, 2, 2, 2)]:
        with pytest.raises(luge.ShapeError, match="^conv2d: "):
            layer(luge.zeros(*shape))
    _, layer = sets_of("Conv2d", 3, {})
    for shape in [(4, 8, 8), (2, 1, 4, 8, 8)]:
        with pytest.raises(luge.ShapeError, match="^conv2d: "):
            layer(luge.zeros(*shape))
    big = 2**31 - 1
    with pytest.raises(luge.ShapeError, match="^conv2d: "):
        luge.conv2d(luge.zeros(1, 1, 2, 2), luge.zeros(1, 1, 1, 1), stride=big, padding=big)


def test_second_derivatives():
    for transposed, groups in itertools.product((False, True), (1, 2)):
        x = luge.tensor(images(1, 2, 4, 3), requires_grad=True)
        weight = luge.tensor(images(2, 2 // groups, 2, 2, seed=1), requires_grad=True)
        bias = luge.tensor(images(2 if transposed and groups == 1 else 2, seed=2), requires_grad=True)
        f = luge.conv_transpose2d if transposed else luge.conv2d
        call = lambda x, w, b: f(x, w, b, stride=2, padding=1, groups=groups)  # noqa: E731, B023
        assert luge.autograd.gradgradcheck(call, (x, weight, bias))


def network(params):
    with luge.nn.build_in(params):
        return luge.nn.Sequential(
            luge.nn.Conv2d(1, 8, 3, padding=1), luge.nn.ReLU(), luge.nn.MaxPool2d(2),
            luge.nn.Conv2d(8, 16, 3, padding=1), luge.nn.ReLU(), luge.nn.MaxPool2d(2),
        )  # fmt: skip


@pytest.mark.parametrize("captured", [False, True])
def test_a_network_of_a_set_trains_as_it_does_alone(captured):
    x = luge.tensor(images(5, 1, 12, 14).astype(np.float32))
    target = luge.tensor(images(5, 16, 3, 3, seed=1).astype(np.float32))

    def trained(sets, first_set):
        params = luge.Parameters(sets=sets, seed=3, first_set=first_set)
        model = network(params)
        optimizer = luge.optim.Adam(params, lr=0.01)

        def step():
            optimizer.zero_grad()
            loss = ((model(x) - target) ** 2).mean((1, 2, 3, 4)).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        for _ in range(5):
            run()
        return [values(p) for p in model.parameters()]

    whole = trained(3, 0)
    for i in range(3):
        for all_sets, alone in zip(whole, trained(1, i)):
            np.testing.assert_array_equal(alone[0], all_sets[i])
