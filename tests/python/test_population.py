"""Populations, and the points that sets are given."""

import copy
import math
import pathlib
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import luge
from luge import population

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def valley(sets, rate, seed=1, make=luge.optim.SGD):
    """Minimises the ill-conditioned quadratic (x0^2 + 100 x1^2) / 2, each set from its own start."""
    params = luge.Parameters(sets=sets, seed=seed)
    x = params.add("x", (2,), luge.init.uniform(1, 2))
    optimizer = make(params, lr=rate)
    scale = luge.tensor([1.0, 100.0])

    def loss():
        return (scale * x**2).sum(1) / 2

    def step():
        optimizer.zero_grad()
        value = loss()
        value.sum().backward()
        optimizer.step()
        return value.detach()

    return x, optimizer, step, loss


@pytest.mark.parametrize("captured", [False, True])
def test_a_population_improves_over_none(captured):
    """Rates from far too small: those of the best are inherited and varied, up to where training is fast."""
    sets = 20
    rates = luge.linspace(1e-6, 1e-4, sets)

    def trained(evolves):
        luge.manual_seed(5)
        x, optimizer, step, loss = valley(sets, rates)
        run = luge.capture(step) if captured else step

        def select():
            with luge.no_grad():
                now = loss()
            source = population.exploit(optimizer, now, 0.25)
            population.explore(optimizer, source, factors=(0.5, 2.0))

        evolve = luge.capture(select) if captured else select
        for _ in range(40):
            for _ in range(10):
                run()
            if evolves:
                evolve()
        with luge.no_grad():
            return loss().min().item(), optimizer.lr.max().item(), x.detach().numpy()

    alone, _, _ = trained(False)
    together, rate, values = trained(True)
    assert together < alone / 100
    assert 1e-3 < rate
    assert np.isfinite(values[0]).all()


def test_captured_as_eager():
    def trained(captured):
        luge.manual_seed(2)
        x, optimizer, step, loss = valley(12, luge.linspace(1e-4, 1e-2, 12), make=luge.optim.Adam)
        population.restart(optimizer, luge.zeros(12, dtype=luge.bool_))
        history = []

        def whole():
            scores = step()
            source = population.exploit(optimizer, scores, 0.25)
            population.explore(optimizer, source, "lr")
            population.restart(optimizer, population.ranks(scores) == 5)
            return source

        run = luge.capture(whole) if captured else whole
        for _ in range(8):
            history.append((run().tolist(), x.tolist(), optimizer.lr.tolist()))
        return history

    assert trained(True) == trained(False)


def test_clone():
    x, optimizer, step, _ = valley(3, luge.tensor([1e-3, 2e-3, 3e-3]), make=luge.optim.AdamW)
    for _ in range(3):
        step()
    population.clone(optimizer, luge.tensor([2, 0, 2]), hyperparameters=True)
    for _ in range(3):
        step()
    assert x[0].equal(x[2]) and not x[1].equal(x[2]) and optimizer.lr.tolist() == luge.tensor([3e-3, 1e-3, 3e-3]).tolist()
    rows = [luge.arange(3), luge.tensor([[1.0], [2.0], [3.0]])]
    population.clone(rows, luge.tensor([1, 2, 0]))
    assert rows[0].tolist() == [1, 2, 0] and rows[1].tolist() == [[2.0], [3.0], [1.0]]


def test_clone_takes_a_stop_rule_along():
    x, optimizer, step, loss = valley(2, 1e-3)
    rule = luge.stop.when(optimizer, plateau=(3, 0.0))
    rule.check(luge.tensor([1.0, 5.0]))
    source = luge.tensor([1, 1])
    population.clone(optimizer, source)
    population.clone([value for value in rule.state().values() if value.ndim > 0], source)
    assert rule.state()["plateau.loss"].tolist() == [5, 5]


def test_restart():
    x, optimizer, step, _ = valley(4, 1e-3, seed=9, make=luge.optim.Adam)
    history = [x.tolist()]
    for _ in range(6):
        step()
        history.append(x.tolist())
    population.restart(optimizer, luge.tensor([False, True, False, False]), seed=9)
    assert x[1].tolist() == history[0][1] and x[0].tolist() == history[6][0]
    for i in range(1, 7):
        step()
        assert x[1].tolist() == history[i][1]


def test_copies_know_how_to_begin_anew(tmp_path):
    x, optimizer, step, _ = valley(3, 1e-3, seed=4, make=luge.optim.Adam)
    start = x.tolist()
    step()
    population.restart(optimizer, luge.tensor([True, False, False]), seed=4)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        own = other.parameters["x"]
        assert own[0].tolist() == start[0] and own[1].tolist() != start[1]
        for each, values in ((optimizer, x), (other, own)):
            each.zero_grad()
            (values**2).sum().backward()
        saved = copy.deepcopy(optimizer)
        saved.zero_grad()
        (saved.parameters["x"] ** 2).sum().backward()
        saved.step(), other.step()
        assert own.equal(saved.parameters["x"])
        population.restart(other, luge.ones(3, dtype=luge.bool_), seed=4)
        assert own.tolist() == start


def test_hyperparameters_vary():
    rate = luge.full((1000,), 0.1)
    varied = population.perturb(rate, 0.5, 2, seed=1) / rate
    assert 0.5 <= varied.min().item() < 0.6 and 1.8 < varied.max().item() <= 2.0001
    assert abs(varied.log().mean().item()) < 5 * math.log(4) / math.sqrt(12 * 1000)
    assert population.perturb(rate, seed=1).equal(population.perturb(rate, seed=1, step=luge.tensor(0)))
    assert not population.perturb(rate, seed=1).equal(population.perturb(rate, seed=1, step=1))
    assert population.perturb(rate[:1], seed=1, first_set=7)[0] == population.perturb(rate, seed=1)[7]
    assert not population.perturb(rate).equal(population.perturb(rate))
    log = population.resample(rate.log(), luge.init.uniform(math.log(1e-4), math.log(1e-1)), seed=3)
    assert 1e-4 * 0.999 < log.exp().min().item() and log.exp().max().item() < 0.1 * 1.001
    assert population.resample(rate, luge.init.normal(5, 1), seed=3, first_set=2)[0] == population.resample(rate, luge.init.normal(5, 1), seed=3)[2]


def test_halving_leaves_the_best():
    """Sets that differ by their rate alone: the right ones are left at every rung."""
    sets = 27
    rates = luge.linspace(1e-4, 1.9e-2, sets)
    x, optimizer, step, loss = valley(sets, rates)
    with luge.no_grad():
        x.copy_(luge.ones(2))
    taken = 0
    for rung in population.successive_halving(sets, min_steps=5, eta=3):
        for _ in range(rung.steps - taken):
            step()
        taken = rung.steps
        with luge.no_grad():
            scores = loss()
        alive = optimizer.parameters.active()
        assert alive.sum().item() == rung.sets
        order = [i for i in np.argsort(scores.numpy(), kind="stable") if alive[int(i)].item()]
        stays = population.halve(optimizer, scores, rung.keep)
        assert [i for i, flag in enumerate(stays.tolist()) if flag] == sorted(order[: rung.keep])
    assert stays.sum().item() == 1 and optimizer.parameters.active().equal(stays)


def test_ranks_against_numpy():
    rng = np.random.default_rng(0)
    for n in (1, 2, 31, 1000):
        scores = rng.integers(0, max(n // 3, 2), n).astype(np.float32)
        scores[rng.random(n) < 0.2] = np.nan
        order = np.argsort(scores, kind="stable")
        own = luge.tensor(scores)
        assert population.best(own, n).tolist() == order.tolist()
        assert population.ranks(own).tolist() == np.argsort(order).tolist()
        assert population.best_of(own, n).item() == order[0] and population.best_of(own, 1).tolist() == list(range(n))


def test_schedules():
    assert population.successive_halving(10, 4, 2) == [(10, 4, 5), (5, 8, 2), (2, 16, 1), (1, 32, 1)]
    brackets = population.hyperband(81)
    assert [rungs[0] for rungs in brackets] == [(81, 1, 27), (34, 3, 11), (15, 9, 5), (8, 27, 2), (5, 81, 1)]
    assert all(isinstance(rung, population.Rung) for rungs in brackets for rung in rungs)


# ---- points


def test_bootstraps():
    points, sets = 400, 250
    sample = luge.data.bootstrap(points, sets, seed=3)
    assert sample.shape == (sets, points) and sample.dtype is luge.int64
    distinct = np.array([len(set(row)) for row in sample.tolist()])
    q, r = (1 - 1 / points) ** points, (1 - 2 / points) ** points
    deviation = math.sqrt(points * q + points * (points - 1) * r - points**2 * q**2)
    assert abs(distinct.mean() - points * (1 - q)) < 5 * deviation / math.sqrt(sets)
    assert abs(distinct.mean() / points - (1 - math.exp(-1))) < 0.01
    counts = luge.data.bootstrap_counts(points, sets, seed=3, dtype=luge.float64)
    assert counts.tolist() == [np.bincount(row, minlength=points).tolist() for row in sample.numpy()]
    assert luge.data.bootstrap(points, 1, seed=3, first_set=17)[0].equal(sample[17])


def test_a_bootstrap_of_fits():
    """Standard errors by bootstrap are those of the covariance, within what 400 samples tell."""
    luge.manual_seed(1)
    x = luge.linspace(0, 4, 60, dtype=luge.float64)
    y = 2 * luge.exp(-x / 1.5) + 0.5 + 0.05 * luge.randn(60, dtype=luge.float64)
    once = luge.fit.curve_fit("a * exp(-x / t) + c", x, y, p0=(1, 1, 1))
    counts = luge.data.bootstrap_counts(60, 400, seed=2, dtype=luge.float64)
    many = luge.fit.curve_fit("a * exp(-x / t) + c", x, y.expand(400, 60), p0=(1, 1, 1), sigma=1 / counts.sqrt())
    ratio = many.parameters.std(0, correction=1).numpy() / once.standard_errors.numpy().ravel()
    assert ((ratio > 0.6) & (ratio < 1.5)).all(), ratio


def test_folds_and_splits():
    masks = luge.data.folds(23, 5, seed=1)
    assert masks.sum(0).tolist() == [1] * 23 and sorted(masks.sum(1).tolist()) == [4, 4, 5, 5, 5]
    assert luge.data.folds(23, 5, seed=1, assignment=luge.tensor([4, 4])).equal(masks.index_select(0, luge.tensor([4, 4])))
    held = luge.data.split(23, 6, sets=40, seed=1)
    assert held.dtype is luge.bool_ and held.sum(1).tolist() == [6] * 40 and len({tuple(row) for row in held.tolist()}) > 35


@pytest.mark.parametrize("captured", [False, True])
def test_minibatches(captured):
    """Each set sees each point once in each epoch, in another order each time."""
    count = luge.tensor(0)

    def draw():
        indices = luge.data.minibatch(12, 4, sets=5, seed=7, step=count)
        count.add_(1)
        return indices

    run = luge.capture(draw) if captured else draw
    epochs = [np.concatenate([run().numpy().copy() for _ in range(3)], axis=1) for _ in range(4)]
    for epoch, indices in enumerate(epochs):
        assert (np.sort(indices, 1) == np.arange(12)).all()
        assert luge.data.shuffled(12, 5, seed=7, step=epoch).tolist() == indices.tolist()
    assert len({tuple(row) for indices in epochs for row in indices.tolist()}) == 20


def test_bad_calls():
    params = luge.Parameters(sets=4)
    params.add("x", (), luge.init.zeros())
    optimizer = luge.optim.SGD(params)
    loose = luge.nn.Linear(2, 1)
    of_loose = luge.optim.SGD(loose.parameters())
    scores, order = luge.ones(4), luge.tensor([0, 1, 2, 3])
    for action, error, text in [
        (lambda: population.clone(optimizer, luge.tensor([0])), luge.ShapeError, r"population.clone: source has shape \(1,\); it must be \(4,\)"),
        (lambda: population.clone(optimizer, luge.tensor([0, 1, 2, 4])), IndexError, "population.clone: index 4 at position 3 is out of range"),
        (lambda: population.clone(3, order), TypeError, "population.clone: what must be"),
        (lambda: population.clone([3], order), TypeError, "population.clone: what holds an object of type int"),
        (lambda: population.clone(of_loose, order), ValueError, "population.clone: the parameters have no sets"),
        (lambda: population.restart(of_loose, luge.tensor(True)), ValueError, "what parameter '0' starts as is not known"),
        (lambda: population.restart(params, scores), TypeError, "population.restart: optimizer is of type Parameters"),
        (lambda: population.restart(optimizer, scores), luge.DTypeError, "population.restart: mask is float32; it must be bool"),
        (lambda: population.perturb(scores, 2, 1), ValueError, "low is 2 and high is 1"),
        (lambda: population.perturb(scores, factors=[0]), ValueError, "a factor is 0; it must be above 0"),
        (lambda: population.perturb(scores, factors=[]), ValueError, "population.perturb: factors is empty"),
        (lambda: population.explore(optimizer, order, factors=[]), ValueError, "population.explore: factors is empty"),
        (lambda: population.perturb(scores, seed=1, step=1.5), TypeError, "population.perturb: step"),
        (lambda: population.perturb(scores, seed=-1), TypeError, "seed"),
        (lambda: population.resample(scores, 3), TypeError, "init"),
        (lambda: population.ranks(luge.ones(2, 2)), luge.ShapeError, r"population.ranks: scores have shape \(2, 2\)"),
        (lambda: population.best(scores, 5), ValueError, "count is 5; allowed are 0 to 4"),
        (lambda: population.best_of(scores, 3), ValueError, "starts is 3; it must divide 4"),
        (lambda: population.halve(params, scores, 5), ValueError, "keep is 5; allowed are 1 to 4"),
        (lambda: population.halve(3, scores, 1), TypeError, "population.halve: what is of type int"),
        (lambda: population.exploit(optimizer, scores, 0), ValueError, "fraction is 0; it must be above 0 and at most 0.5"),
        (lambda: population.exploit(optimizer, scores, pairing="best"), ValueError, "pairing is 'best'; allowed are 'random' and 'rank'"),
        (lambda: population.exploit(3, scores), TypeError, "population.exploit: optimizer is of type int"),
        (lambda: population.explore(optimizer, order), ValueError, "population.explore: lr is one number for all sets"),
        (lambda: population.explore(optimizer, order, "beta"), ValueError, "no hyperparameter 'beta'; it has lr"),
        (lambda: population.successive_halving(0, 1), ValueError, "sets is 0; it must be 1 or more"),
        (lambda: population.hyperband(9, 1), ValueError, "eta is 1; it must be 2 or more"),
        (lambda: luge.data.bootstrap(0, 1), ValueError, "bootstrap: points is 0; it must be 1 or more"),
        (lambda: luge.data.bootstrap(3, 1, seed=1, step=-1), ValueError, "bootstrap: step is -1"),
        (lambda: luge.data.bootstrap(3, 1, step=1), ValueError, "bootstrap: step is given without a seed"),
        (lambda: luge.data.folds(3, 4), ValueError, "folds: k is 4; allowed are 2 to 3"),
        (lambda: luge.data.split(3, 3, 1), ValueError, "split: held is 3; allowed are 1 to 2"),
        (lambda: luge.data.shuffled(3, 0), ValueError, "shuffled: sets is 0"),
        (lambda: luge.data.minibatch(4, 2, 3), ValueError, "minibatch: there is no seed"),
        (lambda: luge.data.minibatch(4, 2), TypeError, "minibatch: sets is missing"),
        (lambda: luge.data.minibatch(luge.data.shuffled(4, 2), 2, 2), TypeError, "minibatch: orders are given"),
        (lambda: luge.data.minibatch(luge.data.shuffled(4, 2), 5), ValueError, "minibatch: batch is 5; allowed are 1 to 4"),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            action()


def test_the_example():
    done = subprocess.run([sys.executable, EXAMPLES / "population.py"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page(capsys):
    """The example of docs/population.md prints what stands below it."""
    page = (EXAMPLES.parent / "docs/population.md").read_text()
    program = re.search(r"```python\n(import luge\n.*?)```\n", page, re.DOTALL)
    output = re.compile(r"```text\n(.*?)```\n", re.DOTALL).search(page, program.end())
    exec(compile(program[1], "docs/population.md", "exec"), {})
    assert capsys.readouterr().out == output[1]
