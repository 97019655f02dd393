"""Layers in an arena, with sets, on other dtypes, and what no table of test_layers_modules.py shows."""

import luge
import pytest
from luge import nn
from luge.nn import functional as F
from luge.nn._arena import arena


def test_arena_of_a_layer():
    params = luge.Parameters(sets=2)
    assert arena(None) is None and arena(params) is params
    with nn.build_in(params):
        assert arena(None) is params


@pytest.mark.parametrize("make", [lambda **o: nn.Linear(3, 2, **o), lambda **o: nn.Embedding(3, 2, **o), lambda **o: nn.Bilinear(3, 2, 1, **o),
                                  lambda **o: nn.PReLU(3, **o), lambda **o: nn.EmbeddingBag(3, 2, **o),
                                  lambda **o: nn.Conv2d(2, 3, 3, **o), lambda **o: nn.ConvTranspose1d(2, 3, 3, **o), lambda **o: nn.ConvTranspose3d(2, 3, 1, **o)])  # fmt: skip
def test_dtype_and_device(make):
    for dtype in (luge.float64, luge.float16, luge.bfloat16, luge.float32):
        layer = make(device="cpu", dtype=dtype)
        assert all(parameter.dtype is dtype and parameter.requires_grad for parameter in layer.parameters())
    params = luge.Parameters(dtype=luge.float64)
    assert all(p.dtype is luge.float64 for p in make(params=params, dtype=luge.float64, device=luge.device("cpu")).parameters())
    with pytest.raises(ValueError, match=r"dtype is luge\.float32 and the arena's is luge\.float64|dtype is float32 and"):
        make(params=params, dtype=luge.float32)
    with pytest.raises(ValueError, match="device is cuda"):
        make(params=params, device="cuda")


def test_linear_of_sets_with_more_dimensions():
    params = luge.Parameters(sets=3, seed=1)
    layer, x = nn.Linear(4, 5, params=params), luge.randn(3, 2, 6, 4)
    y = layer(x)
    assert y.shape == (3, 2, 6, 5)
    y.square().sum().backward()
    for i in range(3):
        alone = nn.Linear(4, 5, params=luge.Parameters(sets=1, seed=1, first_set=i))
        z = alone(x[i : i + 1])
        z.square().sum().backward()
        assert z[0].equal(y[i]) and alone.weight.grad[0].equal(layer.weight.grad[i]) and alone.bias.grad[0].equal(layer.bias.grad[i])
        assert F.linear(x[i], layer.weight[i], layer.bias[i]).allclose(y[i], atol=1e-6)
    assert layer(luge.randn(3, 2, 6, 7, 4)).shape == (3, 2, 6, 7, 5) and layer(luge.randn(6, 4)).shape == (3, 6, 5)
    for shape in ((2, 2, 6, 4), (3, 2, 6, 5), (2, 6, 4)):
        with pytest.raises(luge.ShapeError, match="^linear: x"):
            layer(luge.ones(*shape))


def test_embedding_of_sets_with_more_dimensions():
    params = luge.Parameters(sets=3, seed=1)
    for options in ({}, {"padding_idx": 1}, {"scale_grad_by_freq": True}, {"padding_idx": 2, "scale_grad_by_freq": True, "max_norm": 1.0}):
        layer, index = nn.Embedding(5, 4, **options, params=params), luge.randint(0, 5, (3, 2, 6))
        rows = layer(index)
        assert rows.shape == (3, 2, 6, 4)
        up = luge.randn(3, 2, 6, 4)
        (rows * up).sum().backward()
        shared = layer(index[0, 0])
        assert shared.shape == (3, 6, 4)
        for i in range(3):
            weight = nn.Parameter(layer.weight[i].detach())
            alone = F.embedding(index[i], weight, options.get("padding_idx"), scale_grad_by_freq=options.get("scale_grad_by_freq", False))
            assert alone.equal(rows[i]) and layer.weight[i][index[0, 0]].equal(shared[i])
            (alone * up[i]).sum().backward()
            assert weight.grad.equal(layer.weight.grad[i])
        if "max_norm" in options:
            assert (layer.weight.norm(dim=-1) < 1.001).all()
        params.zero_grad()
        shared.sum().backward()
        total = luge.zeros(5).index_add(0, index[0, 0], luge.ones(6))
        if "scale_grad_by_freq" in options:
            total = total.clamp(max=1.0)
        if "padding_idx" in options:
            total[options["padding_idx"]] = 0.0
        assert layer.weight.grad[1, :, 0].equal(total)
        params.zero_grad()
    with pytest.raises(luge.ShapeError, match="^embedding: index is"):
        layer(luge.zeros(2, 3, 4, dtype=luge.int64))


def test_padding_row_starts_as_zeros():
    params = luge.Parameters(sets=2)
    assert nn.Embedding(4, 3, padding_idx=-1).weight[3].count_nonzero().item() == 0
    assert nn.Embedding(4, 3, padding_idx=1, params=params).weight[:, 1].count_nonzero().item() == 0


def test_from_pretrained():
    table = luge.randn(4, 3)
    layer = nn.Embedding.from_pretrained(table, padding_idx=1)
    assert layer.weight.equal(table) and not layer.weight.requires_grad and layer.padding_idx == 1
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    bag = nn.EmbeddingBag.from_pretrained(table, mode="sum")
    assert not bag.weight.requires_grad and bag(luge.tensor([[0, 1]])).allclose(table[:2].sum(0, keepdim=True))
    with pytest.raises(luge.ShapeError, match=r"^Embedding\.from_pretrained"):
        nn.Embedding.from_pretrained(luge.ones(3))
    with pytest.raises(luge.ShapeError, match="_weight has shape"):
        nn.Embedding(4, 3, _weight=luge.ones(3, 3))


def test_mistakes_in_options():
    for action, text in (
        (lambda: nn.Embedding(3, 2, sparse=True), "Embedding: sparse"), (lambda: nn.Embedding(3, 2, padding_idx=3), "Embedding: padding_idx"),
        (lambda: nn.EmbeddingBag(3, 2, params=luge.Parameters(sets=2)), "EmbeddingBag: the arena has sets"),
        (lambda: nn.Bilinear(0, 1, 1), "Bilinear"), (lambda: nn.PReLU(0), "PReLU"), (lambda: nn.Hardtanh(1.0, 1.0), "Hardtanh"),
        (lambda: nn.ReflectionPad2d((1, 2)), "ReflectionPad2d"), (lambda: nn.MultiMarginLoss(3), "MultiMarginLoss"),
        (lambda: nn.TripletMarginLoss(0.0), "TripletMarginLoss"), (lambda: nn.TripletMarginWithDistanceLoss(margin=0), "TripletMargin"),
        (lambda: nn.Upsample(size=2, mode="cubic")(luge.ones(1, 1, 2)), "interpolate: mode"),
        (lambda: F.interpolate(luge.ones(1, 1, 2, 2), 3, mode="bilinear", antialias=True), "interpolate: antialias"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{text}"):
            action()
    for action in (lambda: nn.Unflatten("x", (1, 2)), lambda: nn.Unflatten(1, (("x", 2),)), lambda: nn.MSELoss("sum")):
        with pytest.raises(TypeError):
            action()


def test_parameter_in_an_arena():
    params = luge.Parameters(sets=3, dtype=luge.float64)

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(luge.tensor([1.0, 2.0]))
            self.shift = nn.Parameter(luge.zeros(()), requires_grad=False)

        def forward(self, x):
            return x * self.factor.unsqueeze(1) + self.shift.reshape(-1, 1, 1)

    with nn.build_in(params):
        model = Scale()
    assert params.names() == ["Parameter0", "Parameter1"] and model.factor.shape == (3, 2) and model.factor.dtype is luge.float64
    assert model.factor.tolist() == [[1.0, 2.0]] * 3 and not model.shift.requires_grad and model.shift.shape == (3,)
    assert model(luge.ones(4, 2, dtype=luge.float64)).shape == (3, 4, 2)
    assert nn.Parameter(luge.zeros(2)).shape == (2,)
    with nn.build_in(luge.Parameters()):
        assert nn.Parameter(luge.ones(2)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name, arguments, shapes", [("Bilinear", (3, 4, 2), [(5, 3), (5, 4)]), ("PReLU", (), [(5, 3)]), ("PReLU", (3,), [(5, 3)])])
def test_layers_of_sets_as_alone(name, arguments, shapes):
    params = luge.Parameters(sets=3, seed=4)
    layer = getattr(nn, name)(*arguments, params=params)
    xs = [luge.randn(3, *shape) for shape in shapes]
    together = layer(*xs)
    together.square().sum().backward()
    for i in range(3):
        own = luge.Parameters(sets=1, seed=4, first_set=i)
        alone = getattr(nn, name)(*arguments, params=own)
        y = alone(*(x[i : i + 1] for x in xs))
        y.square().sum().backward()
        assert y[0].equal(together[i])
        for ours, theirs in zip(own, params):
            assert ours.grad[0].equal(theirs.grad[i])


def test_padding_of_sets():
    x = luge.randn(2, 3, 4, 5, 6)
    y = nn.ReflectionPad2d(1)(x)
    assert y.shape == (2, 3, 4, 7, 8) and y[1].equal(nn.ReflectionPad2d(1)(x[1]))


def test_gumbel_softmax():
    luge.manual_seed(0)
    logits = luge.tensor([0.0, 1.0, 2.0]).expand(20000, 3)
    hard = F.gumbel_softmax(logits, hard=True)
    assert hard.sum(-1).allclose(luge.ones(20000)) and hard.mean(0).allclose(luge.softmax(luge.tensor([0.0, 1.0, 2.0]), 0), atol=0.02)
    x = luge.randn(4, 3, dtype=luge.float64).requires_grad_(True)
    up = luge.randn(4, 3, dtype=luge.float64)
    luge.manual_seed(1)
    (soft,) = luge.autograd.grad((F.gumbel_softmax(x, 0.5) * up).sum(), [x])
    luge.manual_seed(1)
    (straight,) = luge.autograd.grad((F.gumbel_softmax(x, 0.5, True, dim=-1) * up).sum(), [x])
    assert soft.allclose(straight) and F.gumbel_softmax(x, dim=0).sum(0).allclose(luge.ones(3, dtype=luge.float64))
    with pytest.raises(luge.DTypeError, match="^gumbel_softmax"):
        F.gumbel_softmax(luge.tensor([1, 2]))


def test_rrelu_draws_in_training():
    layer, x = nn.RReLU(0.1, 0.4), luge.full((1000,), -1.0)
    y = layer(x)
    assert 0.1 <= -y.max().item() and -y.min().item() <= 0.4 and len(y.unique()) > 500
    assert layer.eval()(x).unique().tolist() == pytest.approx([-0.25])


def test_losses_with_a_distance():
    loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1))
    assert loss(luge.zeros(1, 2), luge.ones(1, 2), luge.full((1, 2), 2.0)).item() == 0
    assert F.triplet_margin_with_distance_loss(luge.zeros(1, 2), luge.ones(1, 2), luge.ones(1, 2)).item() == pytest.approx(1)


def test_weights_of_losses_are_buffers():
    loss = nn.CrossEntropyLoss(luge.ones(3))
    assert list(loss.state_dict()) == ["weight"] and loss.double().weight.dtype is luge.float64
    assert list(nn.BCEWithLogitsLoss(pos_weight=luge.ones(3)).state_dict()) == ["pos_weight"]


def test_labels_of_minus_100_count_for_nothing():
    torch = pytest.importorskip("torch")
    logits = luge.randn(4, 3)
    theirs = torch.tensor(logits.tolist())
    for labels in ([0, -100, 2, -100], [1, 1, 0, 2]):
        expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels)).item()
        for loss in (F.cross_entropy, nn.CrossEntropyLoss(), nn.CrossEntropyLoss(ignore_index=-100)):
            assert loss(logits, luge.tensor(labels)).item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(IndexError, match="^cross_entropy"):
        F.cross_entropy(logits, luge.tensor([0, -100, 3, 1]))
    share = luge.softmax(luge.randn(4, 3), 1)
    assert F.cross_entropy(logits, share, ignore_index=-100).equal(F.cross_entropy(logits, share))
    with pytest.raises(ValueError, match="^cross_entropy: ignore_index"):
        F.cross_entropy(logits, share, ignore_index=1)


@pytest.mark.parametrize("options", [{"div_value": 2.5}, {"head_bias": True, "div_value": 2.0}])
def test_adaptive_softmax(options):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], **options).double()
    ours = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], **options, dtype=luge.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict()) and repr(ours) == repr(theirs)
    ours.load_state_dict({key: luge.tensor(value.tolist(), dtype=luge.float64) for key, value in theirs.state_dict().items()})
    x, labels = torch.randn(6, 8, dtype=torch.float64, requires_grad=True), [0, 3, 11, 7, 2, 6]
    y = luge.tensor(x.tolist(), dtype=luge.float64, requires_grad=True)
    expected, found = theirs(x, torch.tensor(labels)), ours(y, luge.tensor(labels))
    expected.loss.backward(), found.loss.backward()
    assert found.output.tolist() == pytest.approx(expected.output.tolist()) and found.loss.item() == pytest.approx(expected.loss.item())
    assert y.grad.flatten().tolist() == pytest.approx(x.grad.flatten().tolist(), abs=1e-12)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        assert p.grad.flatten().tolist() == pytest.approx(q.grad.flatten().tolist(), abs=1e-12)
    assert ours.log_prob(y).flatten().tolist() == pytest.approx(theirs.log_prob(x).flatten().tolist())
    assert ours.predict(y).tolist() == theirs.predict(x).tolist()
    single, one = ours(y[0], luge.tensor(3)), theirs(x[0], torch.tensor(3))
    assert single.output.item() == pytest.approx(one.output.item()) and isinstance(single, nn.adaptive.ASMoutput)
    for cutoffs in ([], [3, 3], [0, 3], [12], [5, 3]):
        with pytest.raises(ValueError, match="^AdaptiveLogSoftmaxWithLoss: cutoffs"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 12, cutoffs)
    with pytest.raises(luge.ShapeError):
        ours(y, luge.tensor([1]))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(11, 6, padding_idx=0)
        self.place = nn.Parameter(luge.linspace(-0.1, 0.1, 24).reshape(4, 6))
        self.body = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Dropout(0.3), nn.Linear(12, 11))
        self.noise = nn.Dropout(0.2)

    def forward(self, index):
        x = self.tokens(index)
        return self.body(self.noise(x + self.place.unsqueeze(-3)))


@pytest.mark.parametrize("captured", [False, True])
def test_a_model_of_sets_trains_as_alone(captured):
    index = luge.randint(1, 11, (3, 5, 4))
    labels = luge.randint(0, 11, (3, 5, 4))

    def trained(sets, first):
        params = luge.Parameters(sets=sets, seed=8, first_set=first)
        with nn.build_in(params):
            model = Words()
        optimizer = luge.optim.SGD(params, lr=0.1)
        own, wanted = index[first : first + sets], labels[first : first + sets]

        def step():
            optimizer.zero_grad()
            logits = model(own)
            losses = F.cross_entropy(logits.reshape(sets, 20, 11), wanted.reshape(sets, 20), reduction="per_set")
            losses.sum().backward()
            optimizer.step()
            return losses

        luge.manual_seed(21)
        step = luge.capture(step) if captured else step
        losses = [step().clone() for _ in range(4)]
        return losses, [parameter.detach().clone() for parameter in params]

    together, weights = trained(3, 0)
    assert not together[0].equal(together[3])
    for i in range(3):
        losses, own = trained(1, i)
        assert all(loss[0].equal(other[i]) for loss, other in zip(losses, together))
        assert all(weight[0].equal(other[i]) for weight, other in zip(own, weights))


def test_volumes_have_no_bicubic_grid():
    with pytest.raises(ValueError, match="^grid_sample: mode 'bicubic' is for 4 dimensions"):
        F.grid_sample(luge.ones(1, 1, 2, 2, 2), luge.ones(1, 2, 2, 2, 3), mode="bicubic")
