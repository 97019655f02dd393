"""Averages of parameters: luge.optim.swa_utils against PyTorch's, and one over a whole arena."""

import pytest

import luge

torch = pytest.importorskip("torch")
from luge.optim import swa_utils  # noqa: E402

WEIGHTS = [[0.5, -0.25, 0.125], [0.75, 0.5, -1.0]]


def linear(library):
    model = library.nn.Linear(3, 2).to(library.float64)
    with library.no_grad():
        model.weight.copy_(library.tensor(WEIGHTS, dtype=library.float64))
        model.bias.copy_(library.tensor([0.1, 0.2], dtype=library.float64))
    return model


def averages(library, make, captured=False, steps=12):
    utils = library.optim.swa_utils
    model = linear(library)
    optimizer = library.optim.SGD(model.parameters(), lr=0.1)
    averaged = make(utils, model)
    x = library.tensor([[1.0, 2.0, 3.0]], dtype=library.float64)

    def step():
        optimizer.zero_grad()
        (model(x) ** 2).sum().backward()
        optimizer.step()
        averaged.update_parameters(model)

    run = luge.capture(step) if captured else step
    seen = []
    for _ in range(steps):
        run()
        seen.append([p.tolist() for p in averaged.parameters()])
    assert averaged.n_averaged.item() == steps
    return seen, averaged(x).tolist(), sorted(averaged.state_dict())


def flat(value):
    return [y for one in value for y in flat(one)] if isinstance(value, list) else [value]


MAKES = {
    "swa": lambda u, m: u.AveragedModel(m),
    "avg_fn": lambda u, m: u.AveragedModel(m, avg_fn=lambda average, value, n: 0.25 * average + 0.75 * value),
    "avg_fn of n": lambda u, m: u.AveragedModel(m, avg_fn=lambda average, value, n: average + (value - average) / (n + 1)),
    "use_buffers": lambda u, m: u.AveragedModel(m, use_buffers=True),
}
NEWER = {
    "ema": lambda u, m: u.AveragedModel(m, multi_avg_fn=u.get_ema_multi_avg_fn(0.9)),
    "ema default": lambda u, m: u.AveragedModel(m, multi_avg_fn=u.get_ema_multi_avg_fn()),
    "swa multi": lambda u, m: u.AveragedModel(m, multi_avg_fn=u.get_swa_multi_avg_fn()),
    "ema_avg_fn": lambda u, m: u.AveragedModel(m, avg_fn=u.get_ema_avg_fn(0.7)),
    "swa_avg_fn": lambda u, m: u.AveragedModel(m, avg_fn=u.get_swa_avg_fn()),
}


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("name", [*MAKES, *NEWER])
def test_averages(name, captured):
    if name in NEWER and not hasattr(torch.optim.swa_utils, "get_ema_multi_avg_fn"):
        pytest.skip("this PyTorch has no such function")
    make = {**MAKES, **NEWER}[name]
    theirs, output, names = averages(torch, make)
    ours, own_output, own_names = averages(luge, make, captured)
    rel = 1e-6 if name == "swa multi" else 1e-12  # PyTorch's 1 / (n + 1) is a float32 there
    assert flat(ours) == pytest.approx(flat(theirs), rel=rel) and flat(own_output) == pytest.approx(flat(output), rel=rel)
    assert own_names == names


def test_errors():
    model = linear(luge)
    for action, text in [
        (lambda: swa_utils.get_ema_multi_avg_fn(2.0), "decay is 2"), (lambda: swa_utils.get_ema_avg_fn(-1.0), "decay is -1"),
        (lambda: swa_utils.AveragedModel(model, avg_fn=min, multi_avg_fn=min), "at most one"),
        (lambda: swa_utils.AveragedModel(model).update_parameters(luge.nn.Linear(3, 2, bias=False)), "1 parameters"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            action()


@pytest.mark.skipif(not hasattr(luge.nn, "BatchNorm1d"), reason="there are no batch norms yet")
def test_update_bn():
    x = [[[0.5 * i + j, 0.25 * i * j - 1.0] for i in range(4)] for j in range(3)]
    stats = []
    for library in (torch, luge):
        model = library.nn.Sequential(library.nn.BatchNorm1d(2), library.nn.ReLU()).to(library.float64)
        model.eval()
        library.optim.swa_utils.update_bn([(library.tensor(batch, dtype=library.float64), 0) for batch in x], model)
        assert not model.training and model[0].momentum == 0.1
        stats.append(flat([model[0].running_mean.tolist(), model[0].running_var.tolist()]))
    assert stats[1] == pytest.approx(stats[0], rel=1e-12)


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("sets", [None, 3])
def test_an_average_of_an_arena(decay, sets, captured):
    params = luge.Parameters(sets=sets, seed=1)
    w, b = params.add("w", (5,), luge.init.normal()), params.add("b", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, lr=0.1)
    averaged = luge._C._Averaged(params, decay)

    def step():
        optimizer.zero_grad()
        ((w * w).sum() + (b * b).sum()).backward()
        optimizer.step()
        averaged.update()

    run = luge.capture(step) if captured else step
    expected = None
    for n in range(10):
        run()
        values = [p.detach().double() for p in params]
        if n == 0:
            expected = values
        else:
            part = 1 / (n + 1) if decay is None else 1 - decay
            expected = [e + (v - e) * part for e, v in zip(expected, values)]
    for one, other in zip(averaged.tensors(), expected):
        assert one.shape == other.shape and luge.allclose(one.double(), other, rtol=1e-5)
    assert averaged.count.item() == 10
    before, mean = [p.tolist() for p in params], [t.tolist() for t in averaged.tensors()]
    averaged.swap()
    assert [p.tolist() for p in params] == mean and [t.tolist() for t in averaged.tensors()] == before
    averaged.swap()
    assert [p.tolist() for p in params] == before
