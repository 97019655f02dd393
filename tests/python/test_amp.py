"""luge.autocast: which dtype each operation has, gradients, and training that ends where float32's does."""

import math

import pytest

import luge

F = luge.nn.functional
low, single, double = luge.bfloat16, luge.float32, luge.float64
INF = float("inf")


def region(**options):
    return luge.autocast("cpu", **{"dtype": low, **options})


def x(*shape, dtype=single, **options):
    return luge.rand(*shape, dtype=single, **options).to(dtype)


PRODUCTS = {
    "matmul": lambda a, b: a @ b, "mm": lambda a, b: luge.mm(a, b), "mv": lambda a, b: luge.mv(a, b[:, 0]), "linear": lambda a, b: F.linear(a, b.T),
    "linear with bias": lambda a, b: F.linear(a, b.T, luge.ones(b.shape[1], dtype=b.dtype)), "addmm": lambda a, b: luge.addmm(luge.ones(3, 4), a, b),
    "baddbmm": lambda a, b: luge.baddbmm(luge.ones(1, 3, 4), a[None], b[None]), "bmm": lambda a, b: luge.bmm(a[None], b[None]),
    "einsum": lambda a, b: luge.einsum("ij,jk->ik", a, b), "tensordot": lambda a, b: luge.tensordot(a, b, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("half", [luge.bfloat16, luge.float16])
def test_products_are_low(name, half):
    product = PRODUCTS[name]
    a, b = x(3, 5), x(5, 4)
    a.requires_grad_()
    with region(dtype=half):
        result = product(a, b)
        assert product(a.to(half), b).dtype is half and product(a.double(), b.double()).dtype is (double if name != "addmm" else double) if name not in (
            "addmm", "baddbmm", "linear with bias") else True  # fmt: skip
    assert result.dtype is half and product(a, b).dtype is single
    assert luge.allclose(result.float(), product(a, b), rtol=2e-2, atol=2e-2)
    result.float().sum().backward()
    gradient, a.grad = a.grad, None
    product(a, b).sum().backward()
    assert gradient.dtype is single and luge.allclose(gradient, a.grad, rtol=3e-2, atol=3e-2)


SINGLE = {
    **{name: (lambda f: lambda h: f(h))(getattr(luge, name)) for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "reciprocal", "rsqrt", "tan", "asin", "acos", "sinh", "cosh", "erfinv")},
    "pow": lambda h: h**2.5, "rpow": lambda h: 2.0**h, "softplus": lambda h: F.softplus(h), "softmax": lambda h: h.softmax(-1),
    "log_softmax": lambda h: F.log_softmax(h, -1), "logsumexp": lambda h: h.logsumexp(0), "sum": lambda h: h.sum(), "sum dim": lambda h: h.sum(0),
    "prod": lambda h: h.prod(), "cumsum": lambda h: h.cumsum(0), "cumprod": lambda h: h.cumprod(0), "norm": lambda h: luge.linalg.vector_norm(h),
    "cosine": lambda h: F.cosine_similarity(h, h), "pdist": lambda h: F.pdist(h), "cdist": lambda h: luge.cdist(h, h), "dist": lambda h: luge.dist(h, h * 2),
    "mse_loss": lambda h: F.mse_loss(h, h.float() + 1), "l1_loss": lambda h: F.l1_loss(h, h * 2), "smooth_l1_loss": lambda h: F.smooth_l1_loss(h, h * 2),
    "huber_loss": lambda h: F.huber_loss(h, h * 2), "cross_entropy": lambda h: F.cross_entropy(h, luge.tensor([0, 1, 2])),
    "cross_entropy of probabilities": lambda h: F.cross_entropy(h, luge.full((3, 4), 0.25, dtype=h.dtype)), "nll_loss": lambda h: F.nll_loss(h, luge.tensor([0, 1, 2])),
    "kl_div": lambda h: F.kl_div(h, h, reduction="sum"), "bce with logits": lambda h: F.binary_cross_entropy_with_logits(h, h),
    "hinge": lambda h: F.hinge_embedding_loss(h, luge.ones(3, 4)), "margin": lambda h: F.margin_ranking_loss(h, h, luge.ones(3, 4)),
    "poisson": lambda h: F.poisson_nll_loss(h, h),
}  # fmt: skip
OTHERS = {
    "relu": lambda h: h.relu(), "mul": lambda h: h * 2, "add": lambda h: h + h, "gelu": lambda h: F.gelu(h), "tanh": lambda h: h.tanh(),
    "sigmoid": lambda h: h.sigmoid(), "silu": lambda h: F.silu(h), "mish": lambda h: F.mish(h), "sqrt": lambda h: h.sqrt(), "mean": lambda h: h.mean(),
    "max": lambda h: h.max(), "cat": lambda h: luge.cat([h, h]),
}  # fmt: skip


@pytest.mark.parametrize("half", [luge.bfloat16, luge.float16])
def test_what_needs_range_or_digits_is_single(half):
    h = (luge.rand(3, 4) * 0.5 + 0.25).to(half)
    for name, function in SINGLE.items():
        with region(dtype=half):
            result = function(h)
        assert result.dtype is single, name
        assert luge.allclose(result, function(h.float()), rtol=1e-5, atol=1e-6), name
        with region(dtype=half):
            assert function(h.double()).dtype is double, name
    with region(dtype=half):
        assert h.sum(dtype=half).dtype is half


@pytest.mark.parametrize("half", [luge.bfloat16, luge.float16])
def test_others_keep_what_they_are_given(half):
    h = (luge.rand(3, 4) * 0.5 + 0.25).to(half)
    for name, function in OTHERS.items():
        with region(dtype=half):
            assert function(h).dtype is half, name
            assert function(h.float()).dtype is single, name
    with region(dtype=half):
        assert (h + h.float()).dtype is single and luge.cat([h, h.float()]).dtype is single
        h.exp_()
    assert h.dtype is half


def test_agreement_with_pytorch():
    torch = pytest.importorskip("torch")
    values = [[0.1 * i + 0.03 * j for i in range(5)] for j in range(4)]
    results = []
    for library in (torch, luge):
        a, w = library.tensor(values, requires_grad=True), library.tensor(values, requires_grad=True)
        with library.autocast("cpu", dtype=library.bfloat16):
            y = library.nn.functional.linear(a, w).relu()
            loss = library.nn.functional.cross_entropy(y @ w, library.tensor([0, 1, 2, 3]))
        loss.backward()
        results.append((loss.item(), a.grad.tolist(), w.grad.tolist()))
        assert a.grad.dtype is library.float32 and y.dtype is library.bfloat16
    assert results[1][0] == pytest.approx(results[0][0], rel=2e-2)
    for ours, theirs in zip(results[1][1:], results[0][1:]):
        for one, other in zip(ours, theirs):
            assert one == pytest.approx(other, abs=3e-2)


def test_binary_cross_entropy_refuses():
    with region(), pytest.raises(ValueError, match="binary_cross_entropy: it is unsafe within autocast"):
        F.binary_cross_entropy(x(3), x(3))
    with region(), luge.autocast("cpu", enabled=False):
        F.binary_cross_entropy(x(3), x(3))


def test_regions_nest_and_end():
    assert not luge.is_autocast_enabled("cpu") and luge.get_autocast_dtype("cpu") is luge.bfloat16
    with region(dtype=luge.float16, cache_enabled=False):
        assert luge.is_autocast_enabled("cpu") and luge.get_autocast_dtype("cpu") is luge.float16 and not luge.is_autocast_cache_enabled()
        assert not luge.is_autocast_enabled()
        with luge.autocast("cpu", enabled=False):
            assert not luge.is_autocast_enabled("cpu") and (x(2, 2) @ x(2, 2)).dtype is single
        with pytest.raises(RuntimeError), region(dtype=low):
            raise RuntimeError
        assert (x(2, 2) @ x(2, 2)).dtype is luge.float16
    assert not luge.is_autocast_enabled("cpu") and luge.get_autocast_dtype("cpu") is luge.bfloat16 and luge.is_autocast_cache_enabled()


def test_a_region_of_a_function():
    @luge.amp.autocast("cpu", dtype=luge.float16)
    def product(a):
        """Its text."""
        return a @ a

    assert product(x(2, 2)).dtype is luge.float16 and product.__doc__ == "Its text." and not luge.is_autocast_enabled("cpu")


def test_the_cache_does_not_get_stale():
    w = luge.ones(2, 2, requires_grad=True)
    with region():
        one = w @ w
        with luge.no_grad():
            assert not (w @ w).requires_grad
            w.mul_(2)
        two = w @ w
        assert luge.equal(two, one * 4)
    two.float().sum().backward()
    assert w.grad.tolist() == [[8.0, 8.0], [8.0, 8.0]]


@pytest.mark.parametrize("half", [luge.bfloat16, luge.float16])
def test_backward_within_a_region(half):
    w = x(4, 4).requires_grad_()
    with region(dtype=half):
        loss = (w @ w).sum()
        loss.backward()
    inside, w.grad = w.grad, None
    with region(dtype=half):
        loss = (w @ w).sum()
    loss.backward()
    assert luge.equal(inside, w.grad)


def test_bad_regions():
    assert [luge.amp.is_autocast_available(kind) for kind in ("cpu", "cuda", "tpu")] == [True, True, False]
    with pytest.raises(ValueError, match="device_type is 'tpu'"):
        luge.autocast("tpu")
    with pytest.raises(ValueError, match="device_type is of type int"):
        luge.autocast(3)
    with pytest.warns(UserWarning, match="float32; allowed are float16 and bfloat16"), luge.autocast("cpu", dtype=single):
        assert not luge.is_autocast_enabled("cpu")
    with pytest.raises(luge.DTypeError, match="set_autocast_dtype: dtype is float32"):
        luge.set_autocast_dtype("cpu", single)
    with pytest.raises(ValueError, match="is_autocast_enabled: device_type is 'x'"):
        luge.is_autocast_enabled("x")


def test_custom_functions():
    seen = []

    class Square(luge.autograd.Function):
        @staticmethod
        @luge.amp.custom_fwd(device_type="cpu", cast_inputs=single)
        def forward(ctx, a):
            seen.append((a.dtype, luge.is_autocast_enabled("cpu")))
            ctx.save_for_backward(a)
            return a * a

        @staticmethod
        @luge.amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad):
            seen.append(luge.is_autocast_enabled("cpu"))
            return 2 * grad * ctx.saved_tensors[0]

    a = luge.ones(2, requires_grad=True)
    with region():
        y = Square.apply(a)
    y.sum().backward()
    assert seen == [(single, False), False] and a.grad.tolist() == [2.0, 2.0]


def test_layers_are_low_or_single():
    image, weight = x(1, 2, 5, 5), x(3, 2, 3, 3).requires_grad_()
    heads = x(1, 2, 4, 8)
    mask = luge.zeros(4, 4)
    with region():
        y = F.conv2d(image, weight, luge.ones(3))
        assert y.dtype is low and F.conv_transpose2d(image, x(2, 3, 3, 3)).dtype is low
        assert F.scaled_dot_product_attention(heads, heads.to(low), heads, mask).dtype is low
        assert F.layer_norm(y, (3, 3), luge.ones(3, 3), luge.zeros(3, 3)).dtype is single and F.group_norm(y, 3).dtype is single
        assert F.batch_norm(y, None, None, luge.ones(3), luge.zeros(3), training=True).dtype is low
    y.float().sum().backward()
    assert weight.grad.dtype is single


@pytest.mark.parametrize("kind, options", [
    ("RNN", {"hidden_size": 6}), ("LSTM", {"hidden_size": 6, "num_layers": 2}), ("GRU", {"hidden_size": 6}), ("RNNCell", {"hidden_size": 6}),
    ("LSTMCell", {"hidden_size": 6}), ("GRUCell", {"hidden_size": 6}), ("MultiheadAttention", {"num_heads": 2}),
    ("TransformerEncoderLayer", {"nhead": 2, "dim_feedforward": 16}), ("PReLU", {}), ("Bilinear", {"in2_features": 8, "out_features": 3}),
])  # fmt: skip
def test_layers_train(kind, options):
    layer = getattr(luge.nn, kind)(*([] if kind == "PReLU" else [8]), **options)
    sequence = x(3, 5, 8)
    with region():
        for given in (sequence, F.linear(sequence, luge.eye(8))):
            given = given[0] if kind.endswith("Cell") else given
            result = layer(*[given] * {"MultiheadAttention": 3, "Bilinear": 2}.get(kind, 1))
            result = result[0] if isinstance(result, tuple) else result
            assert result.dtype is (single if kind == "TransformerEncoderLayer" else low)
    result.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype is single for p in layer.parameters())


# ---- training


def spirals(count=64):
    """Two classes, as angles and radii."""
    t = luge.linspace(0.2, 3.0, count)
    points = [luge.stack([t * (t * 2 + turn).cos(), t * (t * 2 + turn).sin()], 1) for turn in (0.0, math.pi)]
    return luge.cat(points) / 3, luge.cat([luge.zeros(count, dtype=luge.int64), luge.ones(count, dtype=luge.int64)])


def trained(half, captured, steps=150):
    luge.manual_seed(1)
    model = luge.nn.Sequential(luge.nn.Linear(2, 32), luge.nn.Tanh(), luge.nn.Linear(32, 32), luge.nn.Tanh(), luge.nn.Linear(32, 2))
    optimizer = luge.optim.Adam(model.parameters(), lr=0.02)
    scaler = luge.amp.GradScaler("cpu", enabled=half is luge.float16, growth_interval=20)
    points, labels = spirals()

    def step():
        optimizer.zero_grad()
        with luge.autocast("cpu", dtype=half or low, enabled=half is not None):
            loss = F.cross_entropy(model(points), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    run = luge.capture(step) if captured else step
    for _ in range(steps):
        loss = run()
    assert all(p.dtype is single for p in model.parameters())
    return loss.item(), [p.tolist() for p in model.parameters()]


@pytest.mark.parametrize("half", [luge.bfloat16, luge.float16])
def test_mixed_precision_trains(half):
    whole, mixed = trained(None, False)[0], trained(half, False)[0]
    assert whole < 0.3 and abs(mixed - whole) < 0.05
    assert trained(half, True, 30) == trained(half, False, 30)


def images():
    """A bright square in one of four corners, in noise."""
    labels = luge.arange(64) % 4
    x = luge.rand(64, 1, 12, 12)
    for i in range(64):
        row, column = divmod(i % 4, 2)
        x[i, 0, row * 6 : row * 6 + 6, column * 6 : column * 6 + 6] += 0.5
    model = luge.nn.Sequential(luge.nn.Conv2d(1, 8, 3), luge.nn.BatchNorm2d(8), luge.nn.ReLU(), luge.nn.MaxPool2d(2), luge.nn.Flatten(),
                               luge.nn.Linear(200, 4))  # fmt: skip
    return model, x, labels


class Text(luge.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = luge.nn.Embedding(8, 16)
        self.layers = luge.nn.ModuleList([luge.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True) for _ in range(2)])
        self.head = luge.nn.Linear(16, 8)

    def forward(self, tokens):
        mask = luge.triu(luge.full((tokens.shape[1], tokens.shape[1]), -INF), 1)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(x).transpose(1, 2)


def text():
    """Each token is the one before it and the one before that, summed."""
    tokens = luge.randint(0, 8, (32, 12))
    for i in range(2, 12):
        tokens[:, i] = (tokens[:, i - 1] + tokens[:, i - 2]) % 8
    return Text(), tokens[:, :-1], tokens[:, 1:]


@pytest.mark.parametrize("make, steps", [(images, 25), (text, 60)])
def test_networks_train(make, steps):
    losses = []
    for half in (None, luge.bfloat16, luge.float16):
        luge.manual_seed(5)
        model, x, labels = make()
        optimizer = luge.optim.AdamW(model.parameters(), lr=5e-3)
        scaler = luge.amp.GradScaler("cpu", enabled=half is luge.float16)

        @luge.capture
        def step():
            optimizer.zero_grad()
            with luge.autocast("cpu", dtype=half or low, enabled=half is not None):
                loss = F.cross_entropy(model(x), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss

        seen = [step().item() for _ in range(steps)]
        losses.append(seen[-1])
        assert seen[-1] < 0.6 * seen[0]
    assert losses[1:] == pytest.approx(losses[:1] * 2, abs=0.1)
