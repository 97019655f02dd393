"""Normalizing layers against PyTorch's: every option, train and eval, gradients, state both ways, capture, sets."""

import numpy
import pytest

import luge

torch = pytest.importorskip("torch")
nn = luge.nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
SHAPES = {1: (4, 6, 5), 2: (4, 6, 3, 5), 3: (2, 6, 3, 2, 4)}


def numbers(shape, seed=0, dtype="float64"):
    return numpy.random.default_rng(seed).normal(size=shape).astype(dtype)


def close(ours, theirs, tolerance=1e-12):
    ours, theirs = numpy.asarray(ours.detach()), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    numpy.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def pair(kind, *args, **options):
    """The same layer in both libraries, float64, with random parameters."""
    if not hasattr(torch.nn, kind):
        pytest.skip(f"this PyTorch has no {kind}")
    theirs, ours = getattr(torch.nn, kind)(*args, **options).double(), getattr(nn, kind)(*args, **options).double()
    for i, (name, value) in enumerate(theirs.named_parameters()):
        value.data.copy_(torch.from_numpy(numbers(tuple(value.shape), 10 + i)))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def same_pass(ours, theirs, x):
    """Results, gradients and buffers of one pass."""
    our_x, their_x = luge.tensor(x).requires_grad_(), torch.from_numpy(x).requires_grad_()
    our_y, their_y = ours(our_x), theirs(their_x)
    close(our_y, their_y)
    gradient = numbers(tuple(their_y.shape), 99)
    ours.zero_grad()
    theirs.zero_grad()
    our_y.backward(luge.tensor(gradient))
    their_y.backward(torch.from_numpy(gradient))
    close(our_x.grad, their_x.grad, 1e-10)
    for (name, own), (their_name, their) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert name == their_name
        close(own.grad, their.grad, 1e-11)
    for (name, own), (their_name, their) in zip(ours.named_buffers(), theirs.named_buffers()):
        assert name == their_name
        close(own, their)


def batch_norms():
    for dims in (1, 2, 3):
        for options in (
            {},
            {"eps": 0.1, "momentum": 0.3},
            {"momentum": None},
            {"affine": False},
            {"track_running_stats": False},
            {"affine": False, "track_running_stats": False},
        ):
            yield BATCH_NORMS[dims - 1].__name__, dims, options


@pytest.mark.parametrize("kind, dims, options", list(batch_norms()))
def test_batch_norm_trains_and_evaluates(kind, dims, options):
    ours, theirs = pair(kind, 6, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for seed in range(3):
        same_pass(ours, theirs, numbers(SHAPES[dims], seed) * (1 + seed) + seed)
    ours.eval(), theirs.eval()
    same_pass(ours, theirs, numbers(SHAPES[dims], 5))
    ours.train(), theirs.train()
    same_pass(ours, theirs, numbers(SHAPES[dims], 6))
    theirs.load_state_dict({name: torch.from_numpy(numpy.asarray(value)) for name, value in ours.state_dict().items()})


def test_batch_norm_of_vectors_and_of_nothing():
    ours, theirs = pair("BatchNorm1d", 6)
    same_pass(ours, theirs, numbers((5, 6)))
    ours.eval(), theirs.eval()
    same_pass(ours, theirs, numbers((1, 6)))
    same_pass(ours, theirs, numbers((0, 6)))


@pytest.mark.parametrize("dims", (1, 2, 3))
@pytest.mark.parametrize(
    "options",
    (
        {},
        {"affine": True},
        {"track_running_stats": True},
        {"affine": True, "track_running_stats": True, "momentum": 0.4, "eps": 1e-3},
    ),
)
def test_instance_norm_trains_and_evaluates(dims, options):
    ours, theirs = pair(INSTANCE_NORMS[dims - 1].__name__, 6, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for seed in range(2):
        same_pass(ours, theirs, numbers(SHAPES[dims], seed) + seed)
    same_pass(ours, theirs, numbers(SHAPES[dims][1:], 3))
    ours.eval(), theirs.eval()
    same_pass(ours, theirs, numbers(SHAPES[dims], 4))


@pytest.mark.parametrize(
    "kind, args, options, shape",
    (
        ("LayerNorm", (5,), {}, (4, 6, 5)),
        ("LayerNorm", ((6, 5),), {"eps": 0.01}, (4, 6, 5)),
        ("LayerNorm", ([6, 5],), {"elementwise_affine": False}, (4, 6, 5)),
        ("LayerNorm", (5,), {}, (5,)),
        ("RMSNorm", (5,), {}, (4, 6, 5)),
        ("RMSNorm", ((6, 5),), {"eps": 0.1}, (4, 6, 5)),
        ("RMSNorm", (5,), {"elementwise_affine": False}, (4, 6, 5)),
        ("GroupNorm", (2, 6), {}, (4, 6, 5)),
        ("GroupNorm", (3, 6), {"eps": 0.1}, (4, 6, 3, 2)),
        ("GroupNorm", (1, 6), {"affine": False}, (4, 6)),
        ("LocalResponseNorm", (3,), {"alpha": 0.5, "beta": 0.6, "k": 2.0}, (4, 6, 5)),
        ("LocalResponseNorm", (2,), {}, (4, 6, 5, 2)),
    ),
)
def test_layers_without_buffers(kind, args, options, shape):
    ours, theirs = pair(kind, *args, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    same_pass(ours, theirs, numbers(shape))
    ours.eval(), theirs.eval()
    same_pass(ours, theirs, numbers(shape, 1))


def test_layers_without_bias():
    for layer in (nn.LayerNorm(4, bias=False), nn.GroupNorm(2, 4, bias=False), nn.BatchNorm1d(4, bias=False)):
        assert layer.bias is None and [name for name, _ in layer.named_parameters()] == ["weight"]
        x = luge.tensor(numbers((3, 4)))
        layer.double()
        full = type(layer)(*((2, 4) if isinstance(layer, nn.GroupNorm) else (4,))).double()
        assert luge.equal(layer(x), full(x))


def test_a_mean_far_from_zero_costs_no_digits():
    x = numbers((4, 64), dtype="float32") + 1e4
    exact = (x.astype("float64") - x.mean(1, keepdims=True, dtype="float64")) / x.std(1, keepdims=True, dtype="float64")
    error = numpy.abs(numpy.asarray(nn.functional.layer_norm(luge.tensor(x), (64,), eps=0)) - exact).max()
    assert error < 1e-3  # one digit of x is 1e-3 of its spread; a mean of squares would have none left


def test_halves_are_rounded_once():
    x = numbers((4, 6), dtype="float32")
    for dtype in (luge.float16, luge.bfloat16):
        half = luge.tensor(x).to(dtype)
        wide = nn.functional.layer_norm(half.float(), (6,))
        assert luge.equal(nn.functional.layer_norm(half, (6,)), wide.to(dtype))
        layer = nn.BatchNorm1d(6)  # its parameters may stay float32
        assert layer(half).dtype == dtype and layer.running_mean.dtype == luge.float32


@pytest.mark.parametrize("momentum", (0.2, None))
def test_replays_go_on_with_running_statistics(momentum):
    batches = [numbers((5, 3), seed) for seed in range(6)]
    eager, captured = nn.BatchNorm1d(3, momentum=momentum).double(), nn.BatchNorm1d(3, momentum=momentum).double()
    x = luge.zeros(5, 3, dtype=luge.float64)
    step = luge.capture(lambda: captured(x))
    for batch in batches:
        x.copy_(luge.tensor(batch))
        assert luge.equal(step(), eager(luge.tensor(batch)))
    for own, other in zip(captured.buffers(), eager.buffers()):
        assert luge.equal(own, other)
    assert captured.num_batches_tracked.item() == 6


def test_captured_gradients_are_the_eager_ones():
    x, w = luge.tensor(numbers((5, 4))).requires_grad_(), luge.tensor(numbers((4,))).requires_grad_()
    for name, call in {
        "layer": lambda: nn.functional.layer_norm(x, (4,), w, w),
        "rms": lambda: nn.functional.rms_norm(x, (4,), w),
        "batch": lambda: nn.functional.batch_norm(x, None, None, w, w, True),
    }.items():
        both = lambda: luge.autograd.grad(call().square().sum(), [x, w])  # noqa: E731, B023
        step = luge.capture(both)
        for own, other in zip(both(), step()):
            assert luge.equal(own, other), name
        for own, other in zip(both(), step()):
            assert luge.equal(own, other), name


def test_gradients_have_gradients():
    w = luge.tensor(numbers((3,))).requires_grad_()
    for call in (
        lambda x, w: nn.functional.layer_norm(x, (3,), w, w),
        lambda x, w: nn.functional.rms_norm(x, (3,), w),
        lambda x, w: nn.functional.batch_norm(x, None, None, w, w, True),
        lambda x, w: nn.functional.group_norm(x, 1, w, w),
    ):
        x = luge.tensor(numbers((4, 3), 1)).requires_grad_()
        assert luge.autograd.gradcheck(call, [x, w])
        assert luge.autograd.gradgradcheck(call, [x, w])


LAYERS = {
    "LayerNorm": (lambda **k: nn.LayerNorm(6, **k), [(4, 6)]),
    "LayerNorm of more": (lambda **k: nn.LayerNorm(6, **k), [(4, 5, 6)]),
    "LayerNorm without parameters": (lambda **k: nn.LayerNorm(6, elementwise_affine=False, **k), []),
    "RMSNorm": (lambda **k: nn.RMSNorm(6, **k), [(4, 6)]),
    "GroupNorm": (lambda **k: nn.GroupNorm(2, 6, **k), [(4, 6), (4, 6, 5)]),
    "GroupNorm without parameters": (lambda **k: nn.GroupNorm(2, 6, affine=False, **k), [(4, 6), (4, 6, 5)]),
    "BatchNorm1d": (lambda **k: nn.BatchNorm1d(6, **k), [(4, 6), (4, 6, 5)]),
    "BatchNorm2d": (lambda **k: nn.BatchNorm2d(6, **k), [(4, 6, 3, 2)]),
    "BatchNorm1d without parameters": (lambda **k: nn.BatchNorm1d(6, affine=False, track_running_stats=False, **k), [(4, 6, 5)]),
    "BatchNorm2d of all batches": (lambda **k: nn.BatchNorm2d(6, momentum=None, **k), [(4, 6, 3, 2)]),
    "InstanceNorm2d": (lambda **k: nn.InstanceNorm2d(6, **k), [(4, 6, 3, 2)]),
    "InstanceNorm1d with all": (lambda **k: nn.InstanceNorm1d(6, affine=True, track_running_stats=True, **k), [(4, 6, 5)]),
}


@pytest.mark.parametrize("what", LAYERS)
def test_a_set_is_a_layer_of_its_own(what):
    make, shapes = LAYERS[what]
    sets = 3
    for shape in shapes:
        for own in (True, False):
            params = luge.Parameters(sets=sets)
            with nn.build_in(params):
                together = make()
            for i, (_, parameter) in enumerate(together.named_parameters()):
                with luge.no_grad():
                    parameter.copy_(luge.tensor(numbers(parameter.shape, 20 + i, "float32")))
            x = luge.tensor(numbers((sets, *shape) if own else shape, 1, "float32"))
            if not own and "LayerNorm" in what and len(shape) > 2:
                continue
            g = luge.tensor(numbers((sets, *shape), 2, "float32"))
            x.requires_grad_()
            alone = [make() for _ in range(sets)]
            for index, layer in enumerate(alone):
                layer.load_state_dict({name: value[index] for name, value in together.state_dict().items()})
            for training in (True, True, False):
                together.train(training)
                x.zero_grad(), together.zero_grad()
                y = together(x)
                assert y.shape == (sets, *shape)
                y.backward(g)
                for index, layer in enumerate(alone):
                    layer.train(training)
                    layer.zero_grad()
                    one = (x[index] if own else x).detach().requires_grad_()
                    result = layer(one)
                    result.backward(g[index])
                    assert luge.equal(y[index], result)
                    if own:
                        assert luge.equal(x.grad[index], one.grad)
                    for (_, all_of_it), (_, of_one) in zip(together.named_parameters(), layer.named_parameters()):
                        assert luge.equal(all_of_it.grad[index], of_one.grad)
                    for all_of_it, of_one in zip(together.buffers(), layer.buffers()):
                        assert luge.equal(all_of_it[index], of_one)


def test_repr_and_reset():
    assert repr(nn.LayerNorm(3)) == "LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)"
    assert repr(nn.RMSNorm(3)) == "RMSNorm((3,), eps=None, elementwise_affine=True)"
    assert repr(nn.GroupNorm(1, 3)) == "GroupNorm(1, 3, eps=1e-05, affine=True, bias=True)"
    assert repr(nn.LocalResponseNorm(2)) == "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"
    layer = nn.BatchNorm1d(3)
    assert repr(layer) == "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    layer(luge.tensor(numbers((4, 3), dtype="float32")))
    layer.reset_parameters()
    assert layer.num_batches_tracked.item() == 0 and luge.equal(layer.running_var, luge.ones(3))


def test_dtype_is_taken():
    for layer in (nn.LayerNorm(3, dtype=luge.float64), nn.BatchNorm2d(3, dtype=luge.float64), nn.RMSNorm(3, dtype=luge.float64)):
        assert layer.weight.dtype == luge.float64
    assert nn.BatchNorm1d(3, affine=False, dtype=luge.float64).running_mean.dtype == luge.float64


@pytest.mark.parametrize(
    "error, call",
    (
        (luge.ShapeError, lambda: nn.BatchNorm2d(3)(luge.zeros(2, 3))),
        (luge.ShapeError, lambda: nn.BatchNorm1d(3)(luge.zeros(2, 4))),
        (ValueError, lambda: nn.BatchNorm1d(3)(luge.zeros(1, 3))),
        (ValueError, lambda: nn.InstanceNorm1d(3)(luge.zeros(2, 3, 1))),
        (luge.ShapeError, lambda: nn.InstanceNorm2d(3)(luge.zeros(2, 3))),
        (luge.ShapeError, lambda: nn.InstanceNorm1d(3, affine=True)(luge.zeros(2, 4, 5))),
        (luge.ShapeError, lambda: nn.LayerNorm(3)(luge.zeros(2, 4))),
        (luge.DTypeError, lambda: nn.LayerNorm(3)(luge.zeros(2, 3, dtype=luge.float64))),
        (luge.DTypeError, lambda: nn.LayerNorm(3)(luge.zeros(2, 3, dtype=luge.int64))),
        (ValueError, lambda: nn.LayerNorm(())),
        (ValueError, lambda: nn.GroupNorm(2, 3)),
        (luge.ShapeError, lambda: nn.LayerNorm(3, params=luge.Parameters(sets=2))(luge.zeros(5, 4, 3))),
        (luge.ShapeError, lambda: nn.BatchNorm2d(3, params=luge.Parameters(sets=2))(luge.zeros(4, 2, 3, 5, 5))),
        (luge.ShapeError, lambda: nn.GroupNorm(1, 3, params=luge.Parameters(sets=2))(luge.zeros(4, 2, 5))),
    ),
)
def test_bad_input(error, call):
    with pytest.raises(error):
        call()


def test_nothing_changes_where_a_batch_is_refused():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError):
        layer(luge.zeros(1, 3))
    assert luge.equal(layer.running_mean, luge.zeros(3))
    assert layer.num_batches_tracked.item() == 0
