"""Random numbers: PyTorch's functions and methods, and generators of their own."""

import pytest

import luge


def near(x, mean, deviation):
    """Within six standard errors."""
    return abs(x.double().mean().item() - mean) < 6 * deviation / x.numel() ** 0.5


@pytest.fixture(autouse=True)
def seeded():
    luge.manual_seed(5)


def test_distributions():
    assert near(luge.normal(2.0, 3.0, (9999,)), 2, 3)
    assert near(luge.normal(mean=luge.full((9999,), 2.0), std=luge.full((9999,), 3.0)), 2, 3)
    assert luge.normal(luge.tensor([[1.0], [2.0]]), luge.zeros(3)).tolist() == [[1, 1, 1], [2, 2, 2]]
    assert near(luge.bernoulli(luge.full((9999,), 0.25)), 0.25, 0.44) and near(luge.bernoulli(luge.zeros(9999), 0.25), 0.25, 0.44)
    assert near(luge.zeros(9999).bernoulli(0.25), 0.25, 0.44)
    drawn = luge.multinomial(luge.tensor([1.0, 0.0, 3.0]), 9999, replacement=True)
    assert drawn.dtype == luge.int64 and near((drawn == 2), 0.75, 0.44) and not (drawn == 1).any()
    assert sorted(luge.tensor([1.0, 2.0, 3.0]).multinomial(3).tolist()) == [0, 1, 2]
    assert luge.multinomial(luge.rand(4, 3), 2).shape == (4, 2)


@pytest.mark.parametrize("dtype", [luge.float16, luge.bfloat16, luge.float32, luge.float64])
def test_fills(dtype):
    x = luge.empty(9999, dtype=dtype)
    assert near(x.uniform_(1, 3), 2, 0.58) and x.dtype == dtype and x.min().item() >= 1 and x.max().item() <= 3
    assert near(x.normal_(2, 3), 2, 3) and near(x.log_normal_(0, 0.5).log(), 0, 0.51) and near(x.cauchy_(1, 2) < 1, 0.5, 0.51)
    assert near(x.exponential_(2), 0.5, 0.51) and near(x.geometric_(0.5), 2, 1.5) and near(x.bernoulli_(0.25), 0.25, 0.44)
    assert near(x.random_(10), 4.5, 2.9) and near(x.random_(10, 20), 14.5, 2.9) and x.random_() is x
    assert near(x.bernoulli_(luge.full((9999,), 0.5)), 0.5, 0.51)


def test_fills_of_integers():
    for dtype in (luge.uint8, luge.int8, luge.int16, luge.int32, luge.int64, luge.bool):
        x = luge.empty(999, dtype=dtype).random_()
        assert x.dtype == dtype and x.min().item() >= 0 and len(set(x.tolist())) > 1
    assert luge.empty(9, dtype=luge.int64).geometric_(0.5).min().item() >= 1
    assert set(luge.empty(99, dtype=luge.int64).bernoulli_().tolist()) == {0, 1}
    assert luge.randint_like(luge.zeros(99), 2).dtype == luge.float32
    assert luge.randint_like(luge.zeros(99, dtype=luge.int8), 5, 7).min().item() >= 5


def test_fills_leave_what_is_given_in_place():
    x = luge.zeros(4, 6)
    x[:, ::2].normal_()
    assert (x[:, 1::2] == 0).all() and (x[:, ::2] != 0).all()
    with pytest.raises(luge.AutogradError):
        luge.zeros(2, requires_grad=True).normal_()
    with luge.no_grad():
        assert luge.zeros(2, requires_grad=True).normal_().requires_grad


@pytest.mark.parametrize("draw", [
    lambda g: luge.rand(5, generator=g), lambda g: luge.randn((2, 3), generator=g), lambda g: luge.randint(0, 99, (5,), generator=g),
    lambda g: luge.randperm(20, generator=g), lambda g: luge.rand_like(luge.zeros(4), generator=g),
    lambda g: luge.normal(0.0, 1.0, (4,), generator=g), lambda g: luge.bernoulli(luge.full((64,), 0.5), generator=g),
    lambda g: luge.multinomial(luge.ones(99), 9, generator=g), lambda g: luge.empty(5).uniform_(generator=g),
    lambda g: luge.empty(5).exponential_(generator=g), lambda g: luge.randint_like(luge.zeros(9), 99, generator=g),
])  # fmt: skip
def test_generators(draw):
    luge.manual_seed(1)
    rest = luge.rand(3)
    luge.manual_seed(1)
    generator = luge.Generator().manual_seed(3)
    first, second = draw(generator), draw(generator)
    assert not first.equal(second) and luge.rand(3).equal(rest)
    generator.manual_seed(3)
    assert draw(generator).equal(first)
    state = generator.get_state()
    again = draw(generator)
    generator.set_state(state)
    assert again.equal(second) and draw(generator).equal(second)
    step = luge.capture(lambda: draw(generator))
    with pytest.raises(luge.CaptureError):
        step()


def test_out():
    out = luge.zeros(3)
    assert luge.rand(3, out=out) is out and (out > 0).all()
    index = luge.zeros(4, dtype=luge.int64)
    assert luge.randperm(4, out=index) is index and sorted(index.tolist()) == [0, 1, 2, 3]
    assert luge.randperm(4, dtype=luge.int32).dtype == luge.int32


@pytest.mark.parametrize(("error", "match", "call"), [
    (TypeError, "rand: generator is of type int; it must be a luge.Generator", lambda: luge.rand(2, generator=3)),
    (TypeError, "normal: size is missing", lambda: luge.normal(0.0, 1.0)),
    (TypeError, "normal: size is given beside a tensor", lambda: luge.normal(luge.zeros(2), 1.0, (2,))),
    (ValueError, "normal: std is -1", lambda: luge.normal(0.0, -1.0, (2,))),
    (ValueError, "bernoulli: input has a probability outside", lambda: luge.bernoulli(luge.full((2,), 2.0))),
    (luge.DTypeError, "bernoulli: input is int64", lambda: luge.bernoulli(luge.tensor([0, 1]))),
    (luge.DTypeError, "normal_: the tensor is int64", lambda: luge.tensor([0, 1]).normal_()),
    (ValueError, "uniform_: low is 3", lambda: luge.zeros(2).uniform_(3, 1)),
    (ValueError, "exponential_: rate is 0", lambda: luge.zeros(2).exponential_(0)),
    (ValueError, "geometric_: p is 1", lambda: luge.zeros(2).geometric_(1)),
    (ValueError, "random_: low is 5", lambda: luge.zeros(2).random_(5, 3)),
    (luge.ShapeError, "multinomial: input has shape", lambda: luge.multinomial(luge.zeros(2, 2, 2), 1)),
])  # fmt: skip
def test_errors(error, match, call):
    with pytest.raises(error, match=match):
        call()


def test_seeds_of_gpus_are_the_seed_of_all():
    for seed in (luge.cuda.manual_seed, luge.cuda.manual_seed_all):
        luge.manual_seed(5)
        expected = luge.rand(3)
        seed(5)
        assert luge.rand(3).equal(expected)
