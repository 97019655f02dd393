"""Sweeps."""

import csv
import itertools
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import luge
from luge import sweep


def parabolas(settings, **options):
    """Minimises x^2 from 1 by x <- (1 - 2 lr) x, in float64."""
    params = luge.Parameters(sets=settings.sets, dtype=luge.float64)
    x = params.add("x", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, **settings.hyper("lr"))

    def step():
        optimizer.zero_grad()
        loss = x**2
        loss.sum().backward()
        optimizer.step()
        return loss

    return sweep.run(step, optimizer, settings, **options)


# ---- spaces


def test_a_grid_is_the_product():
    lists = {"lr": [0.1, 0.2], "decay": np.array([0, 1, 2]), "momentum": luge.tensor([0.5, 0.25])}
    settings = sweep.grid(lists)
    expected = np.array(list(itertools.product(*[[float(v) for v in one] for one in lists.values()])))
    for column, name in enumerate(lists):
        assert settings[name].dtype is luge.float64
        np.testing.assert_array_equal(settings[name].numpy(), expected[:, column])
    assert settings.names == tuple(settings) == ("lr", "decay", "momentum")
    assert (settings.sets, settings.seeds, settings.settings) == (12, 1, 12)
    assert "lr" in settings and "rate" not in settings

    repeated = sweep.grid(lr=sweep.geomspace(1e-3, 1e-1, 3), decay=0.5, seeds=4)
    np.testing.assert_allclose(repeated["lr"].numpy(), np.repeat(np.geomspace(1e-3, 1e-1, 3), 4), rtol=1e-14)
    assert repeated["decay"].tolist() == [0.5] * 12
    assert sweep.linspace(1, 2, 5) == np.linspace(1, 2, 5).tolist()


@pytest.mark.parametrize("method", ["random", "halton"])
def test_a_set_alone_is_drawn_alike(method):
    distributions = {
        "lr": sweep.log_uniform(1e-4, 1e-1),
        "beta1": sweep.choice(0.9, 0.99),
        "width": sweep.integers(2, 5),
        "decay": sweep.uniform(0, 0.1),
        "eps": 1e-8,
    }
    settings = sweep.space(distributions, sets=100, seed=3, method=method)
    for name in settings:
        values = settings[name].tolist()
        alone = [sweep.space(distributions, sets=1, seed=3, first_set=i, method=method)[name].item() for i in (0, 41, 99)]
        assert alone == [values[i] for i in (0, 41, 99)]
    assert set(settings["beta1"].tolist()) == {0.9, 0.99}
    assert set(settings["width"].tolist()) == {2, 3, 4}
    assert set(settings["eps"].tolist()) == {1e-8}
    logarithms = np.log10(settings["lr"].numpy())
    assert -4 <= logarithms.min() and logarithms.max() <= -1
    assert np.histogram(logarithms, bins=3, range=(-4, -1))[0].min() > 15
    assert repr(distributions["lr"]) == "log_uniform(0.0001, 0.1)" and repr(settings["lr"]) != ""
    assert isinstance(distributions["lr"], sweep.Distribution)


def test_halton_against_its_definition():
    def inverse(i, base):
        result, place = 0.0, 1.0
        while i:
            place /= base
            i, digit = divmod(i, base)
            result += digit * place
        return result

    settings = sweep.space({"a": sweep.uniform(0, 1), "b": sweep.uniform(0, 1)}, sets=200, method="halton")
    for name, base in (("a", 2), ("b", 3)):
        values = settings[name].numpy()
        shifted = (values - values[0]) % 1
        expected = np.array([inverse(i, base) for i in range(200)])
        difference = np.abs(shifted - expected)
        assert np.minimum(difference, 1 - difference).max() < 1e-12


def test_values_of_ones_own_and_what_optimizers_take():
    settings = sweep.Settings({"lr": [0.1, 0.2], "beta1": luge.tensor([0.8, 0.9]), "epsilon": [1e-8, 1e-6]})
    hyper = settings.hyper()
    assert list(hyper) == ["lr", "betas", "eps"]
    assert hyper["betas"][0].tolist() == settings["beta1"].tolist() and hyper["betas"][1] == 0.999
    params = luge.Parameters(sets=2)
    params.add("x", (), luge.init.ones())
    optimizer = luge.optim.AdamW(params, **hyper)
    np.testing.assert_array_equal(optimizer.lr.numpy(), np.float32([0.1, 0.2]))
    assert list(settings.hyper("epsilon")) == ["eps"]
    with pytest.raises(KeyError, match="no hyperparameter 'rate'; there are: lr, beta1, epsilon"):
        settings.hyper("rate")
    with pytest.raises(KeyError, match="rate"):
        settings["rate"]
    assert "2 sets" in repr(settings) and "lr" in repr(settings)


@pytest.mark.parametrize("action, error, text", [
    (lambda: sweep.grid(), ValueError, "sweep.grid: there is no hyperparameter"),
    (lambda: sweep.grid(lr=[]), ValueError, "sweep.grid: 'lr' has no value"),
    (lambda: sweep.grid(lr=["fast"]), TypeError, "sweep.grid: lr holds an object of type str"),
    (lambda: sweep.grid(lr="fast"), TypeError, "sweep.grid: lr is of type str"),
    (lambda: sweep.grid(lr=None), TypeError, "sweep.grid: lr is of type NoneType"),
    (lambda: sweep.grid({"lr": [1]}, lr=[2]), TypeError, "sweep.grid: lr is given twice"),
    (lambda: sweep.grid([1, 2]), TypeError, "sweep.grid: the hyperparameters are of type list"),
    (lambda: sweep.grid({1: [1]}), TypeError, "sweep.grid: a name is of type int"),
    (lambda: sweep.grid(lr=[math.inf]), ValueError, "sweep.grid: value 0 of 'lr' is inf"),
    (lambda: sweep.grid(steps=[1]), ValueError, "sweep.grid: a hyperparameter is named 'steps'"),
    (lambda: sweep.space({"lr": sweep.uniform(0, 1)}, sets=0), ValueError, "sweep.space: sets is 0"),
    (lambda: sweep.space({"lr": [1, 2]}, sets=2), TypeError, "sweep.space: lr is of type list; it must be choice"),
    (lambda: sweep.space({"lr": 1}, sets=2, method="sobol"), ValueError, "'sobol'; allowed are 'random' and 'halton'"),
    (lambda: sweep.space({"lr": 1}, sets=3, seeds=2), ValueError, "sets must be a multiple of seeds"),
    (lambda: sweep.uniform(2, 1), ValueError, "sweep.uniform: low is 2 and high is 1"),
    (lambda: sweep.log_uniform(-1, 1), ValueError, "sweep.log_uniform: low is -1"),
    (lambda: sweep.choice(), ValueError, "sweep.choice: there is no value"),
    (lambda: sweep.integers(2, 2), ValueError, "sweep.integers: low is 2 and high is 2"),
    (lambda: sweep.geomspace(0, 1, 3), ValueError, "sweep.geomspace: the ends are 0 and 1"),
])
def test_bad_spaces(action, error, text):
    with pytest.raises(error, match=text.replace("(", r"\(")):
        action()


# ---- running


def test_scores_and_the_known_optimum():
    settings = sweep.grid(lr=[0.01, 0.45, 0.1, 0.49, 0.95])
    result = parabolas(settings, steps=7, every=3)
    assert result.looks.tolist() == [3, 6, 7]
    rates = settings["lr"].numpy()
    expected = np.stack([(1 - 2 * rates) ** (2 * (steps - 1)) for steps in (3, 6, 7)])
    np.testing.assert_allclose(result.curves.numpy(), expected, rtol=1e-9)
    np.testing.assert_array_equal(result.scores.numpy(), result.curves[2].numpy())
    np.testing.assert_array_equal(result.best_scores.numpy(), result.curves.numpy().min(0))
    assert result.best(2) == [3, 1] and result.steps.tolist() == result.best_steps.tolist() == [7] * 5
    assert result.stopped == ["steps"] * 5 and result.total_steps == 35 and not result.interrupted
    assert result.score_name == "loss" and result.seconds > 0
    assert result.settings.names == ("lr",)


def test_halving_leaves_survivors_as_they_are():
    settings = sweep.space({"lr": sweep.uniform(0, 0.9)}, sets=64, seed=1)
    whole = parabolas(settings, steps=64)
    halved = parabolas(settings, steps=64, halving=(4, 4))
    rates = settings["lr"].numpy()
    order = np.argsort((1 - 2 * rates) ** 2, kind="stable")
    expected = np.full(64, 4)
    expected[order[:16]] = 16
    expected[order[:4]] = 64  # 16 steps are the last rung before 64
    assert halved.steps.tolist() == expected.tolist()
    assert [halved.stopped[i] for i in order[:4]] == ["steps"] * 4
    assert set(halved.stopped) == {"steps", "halving"}
    assert halved.scores[int(order[0])].item() == whole.scores[int(order[0])].item()
    by_default = parabolas(settings, steps=64, halving=4)
    assert sorted(by_default.steps.tolist(), reverse=True) == [64] + [16] * 3 + [4] * 12 + [1] * 48


def test_a_rule_and_its_reasons():
    settings = sweep.grid(lr=[0.25, 0.001, 2])
    params = luge.Parameters(sets=3, dtype=luge.float64)
    x = params.add("x", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, lr=settings["lr"])
    rule = luge.stop.when(optimizer, loss_below=1e-6)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = x**2
        loss.sum().backward()
        rule.check(loss)
        optimizer.step()
        return loss

    seen = []
    result = sweep.run(step, optimizer, settings, steps=1000, every=250, rule=rule, watch=lambda look: seen.append(look))
    assert result.stopped == ["loss", "steps", "nan_loss"]
    assert result.steps.tolist() == [10, 1000, 324]
    assert result.best(3) == [0, 1, 2] and not math.isfinite(result.scores[2].item())
    assert [(look.steps, look.of_steps, look.active, look.best_set) for look in seen] == [
        (250, 1000, 2, 0), (500, 1000, 1, 0), (750, 1000, 1, 0), (1000, 1000, 1, 0)]
    assert seen[0].best == result.scores[0].item() and isinstance(seen[0], sweep.Look) and seen[0].seconds >= 0


def test_compaction_leaves_every_bit_as_it_is():
    def left(compact):
        settings = sweep.space({"lr": sweep.log_uniform(1e-3, 1), "penalty": sweep.uniform(0, 0.5)}, sets=40, seed=6)
        params = luge.Parameters(sets=40, seed=7)
        layer = luge.nn.Linear(4, 1, params=params, name="layer")
        optimizer = luge.optim.AdamW(params, **settings.hyper("lr"))
        rule = luge.stop.when(optimizer, loss_below=0.02)
        x = luge.linspace(-1, 1, 12).view(3, 4)
        penalty = settings["penalty"].to(luge.float32)
        computed = []

        def training(layer, optimizer, rule, penalty):
            optimizer.zero_grad()
            loss = (layer(x) - 1).square().mean((1, 2)) + penalty * layer.weight.abs().mean((1, 2))
            loss.sum().backward()
            rule.check(loss)
            optimizer.step()
            return loss

        def live_step(live):
            computed.append(live.params.sets)
            return training(live.module(layer), live.optimizer, live.rule, live.data["penalty"])

        arguments = {"steps": 90, "every": 25, "halving": (3, 10), "rule": rule}
        if compact:
            result = sweep.run(live_step, optimizer, settings, compact=True, data={"penalty": penalty}, **arguments)
            assert computed[0] == 40 and computed[-1] <= 8
        else:
            result = sweep.run(lambda: training(layer, optimizer, rule, penalty), optimizer, settings, **arguments)
        assert "halving" in result.stopped and "loss" in result.stopped
        return result.rows(), layer.weight.tolist()

    assert left(True) == left(False)


def test_validation_data_and_watch():
    """Fits slopes to batches; the score is of data that no step has seen."""
    settings = sweep.grid(lr=[0.01, 0.1], seeds=2)
    params = luge.Parameters(sets=4, seed=0)
    slope = params.add("slope", (), luge.init.normal(0, 1))
    optimizer = luge.optim.SGD(params, **settings.hyper())
    x = luge.linspace(-1, 1, 40)
    y = 3 * x
    batches = [(x[i::4], y[i::4]) for i in range(4)]
    calls = []

    def step(x, y):
        calls.append(tuple(x.shape))
        optimizer.zero_grad()
        loss = ((slope.unsqueeze(1) * x - y) ** 2).mean(1)
        loss.sum().backward()
        optimizer.step()

    def validate():
        assert not luge.is_grad_enabled()
        return (slope - 3).abs()

    result = sweep.run(step, optimizer, settings, steps=100, every=10, batches=batches, validate=validate,
                       watch=lambda look: look.steps < 50, score_name="distance")
    assert calls == [(10,)]  # captured once
    assert result.interrupted and result.steps.tolist() == [50] * 4 and result.stopped == ["interrupted"] * 4
    assert result.score_name == "distance"
    np.testing.assert_allclose(result.scores.numpy(), np.abs(slope.detach().numpy() - 3), rtol=1e-6)
    start = luge.Parameters(sets=4, seed=0).add("slope", (), luge.init.normal(0, 1)).detach().numpy().astype("float64")
    for number in range(50):
        a = batches[number % 4][0].numpy().astype("float64")
        start -= settings["lr"].numpy() * 2 * (a**2).mean() * (start - 3)
    np.testing.assert_allclose(slope.detach().numpy(), start, rtol=1e-4)
    best = result.by_setting()[0]
    assert isinstance(best, sweep.SettingScores) and best.setting == 1 and best.finite == 2
    pair = result.scores.numpy()[2:]
    assert best.mean == pytest.approx(pair.mean()) and best.deviation == pytest.approx(pair.std(ddof=1))
    assert best.best == pair.min()
    with pytest.raises(ValueError, match="sweep.run: batches has none any more"):
        sweep.run(step, optimizer, settings, steps=100, batches=iter(batches), validate=validate)


@pytest.mark.parametrize("change, error, text", [
    ({"steps": 0}, ValueError, "sweep.run: steps is 0"),
    ({"every": -1}, ValueError, "sweep.run: every is -1"),
    ({"halving": 1}, ValueError, "sweep.run: the eta of halving is 1"),
    ({"halving": (2, 5)}, ValueError, "sweep.run: the min_steps of halving is 5"),
    ({"halving": 4}, ValueError, "the eta of halving is 4 and there are 3 settings"),
    ({"halving": "fast"}, TypeError, "sweep.run: halving is 'fast'; it must be an int, or a tuple of two"),
    ({"halving": 4.5}, TypeError, "sweep.run: halving is 4.5; it must be an int"),
    ({"halving": (2, 3, 4)}, TypeError, r"sweep.run: halving is \(2, 3, 4\)"),
    ({"halving": 2**70}, ValueError, "its numbers must fit into 64 bits"),
    ({"settings": {"lr": 1}}, TypeError, "sweep.run: settings is of type dict"),
    ({"settings": sweep.grid(lr=[1, 2])}, luge.ShapeError, "sweep.run: there are settings for 2 sets"),
    ({"optimizer": 3}, TypeError, "sweep.run: optimizer is of type int"),
    ({"rule": 3}, TypeError, "sweep.run: rule is of type int"),
    ({"step": 3}, TypeError, "sweep.run: step is of type int"),
    ({"validate": 3}, TypeError, "sweep.run: validate is of type int"),
    ({"watch": 3}, TypeError, "sweep.run: watch is of type int"),
    ({"batches": 3}, TypeError, "sweep.run: batches is of type int"),
    ({"compact": True}, ValueError, "sweep.run: compact needs a rule"),
    ({"data": {}}, ValueError, "sweep.run: data is for compact=True"),
    ({"validate": lambda: 3}, TypeError, "sweep.run: validate returned an object of type int"),
    ({"validate": lambda: luge.zeros(2)}, luge.ShapeError, "sweep.run: what validate returns has shape \\(2,\\)"),
])
def test_bad_runs(change, error, text):
    settings = sweep.grid(lr=[0.1, 0.2, 0.3])
    params = luge.Parameters(sets=3)
    x = params.add("x", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, lr=0.1)
    arguments = {"step": lambda: x.detach().clone(), "optimizer": optimizer, "settings": settings, "steps": 5, **change}
    with pytest.raises(error, match=text):
        sweep.run(**arguments)


def test_a_step_that_returns_nothing_needs_validate():
    params = luge.Parameters(sets=2)
    x = params.add("x", (), luge.init.ones()).detach()

    def step():
        x.add_(1)

    settings = sweep.grid(lr=[0.1, 0.2])
    optimizer = luge.optim.SGD(params, lr=0.1)
    with pytest.raises(TypeError, match="sweep.run: the step returned an object of type NoneType"):
        sweep.run(step, optimizer, settings, steps=5)
    result = sweep.run(step, optimizer, settings, steps=5, every=5, validate=lambda: x)
    assert result.scores.tolist() == [7, 7]  # 1 and 5 steps, after the one that failed


def test_an_error_of_the_step_is_the_users():
    def step():
        raise RuntimeError("mine")

    settings = sweep.grid(lr=[0.1])
    params = luge.Parameters(sets=1)
    x = params.add("x", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, lr=0.1)
    with pytest.raises(RuntimeError, match="mine"):
        sweep.run(step, optimizer, settings, steps=5)
    with pytest.raises(RuntimeError, match="mine"):
        sweep.run(lambda: x + 1, optimizer, settings, steps=5, validate=step)


# ---- results


def test_associations_by_their_definitions():
    settings = sweep.space({"a": sweep.uniform(0, 1), "b": sweep.choice(1, 2, 3), "c": sweep.uniform(0, 1)}, sets=200, seed=2)
    params = luge.Parameters(sets=200, dtype=luge.float64)
    x = params.add("x", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, lr=0.1)
    scores = (settings["a"] - 0.5).square() + 0.1 * settings["b"]
    result = sweep.run(lambda: x + 1, optimizer, settings, steps=1, validate=lambda: scores)
    ranks = np.argsort(np.argsort(scores.numpy())) + 1.0
    by_name = {one.name: one for one in result.associations()}
    assert isinstance(by_name["a"], sweep.Association)
    own = np.argsort(np.argsort(settings["a"].numpy())) + 1.0
    assert by_name["a"].rank_correlation == pytest.approx(np.corrcoef(own, ranks)[0, 1], abs=1e-12)

    def adjusted(groups):
        between = sum(len(ranks[groups == g]) * (ranks[groups == g].mean() - ranks.mean()) ** 2 for g in set(groups))
        eta2 = between / ((ranks - ranks.mean()) ** 2).sum()
        return max(0, 1 - (1 - eta2) * 199 / (200 - len(set(groups))))

    assert by_name["a"].explained == pytest.approx(adjusted((own - 1) // 25), abs=1e-12)
    assert by_name["b"].explained == pytest.approx(adjusted(settings["b"].numpy()), abs=1e-12)
    assert by_name["c"].explained < 0.1 < by_name["b"].explained
    assert "a" in repr(by_name["a"]) and "mean" in repr(result.by_setting()[0])


def test_files_rows_and_table(tmp_path):
    result = parabolas(sweep.grid(lr=[0.1, 1.5, 0.3], seeds=2), steps=2000)
    result.save(tmp_path / "a.csv")
    result.save(str(tmp_path / "a.json"))
    rows = result.rows()
    assert [row["set"] for row in rows] == list(range(6))
    with open(tmp_path / "a.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == 6
    for one, row in zip(read, rows):
        assert list(one) == list(row)
        assert float(one["lr"]) == row["lr"] and one["stopped"] == row["stopped"]
        np.testing.assert_equal(float(one["score"]), row["score"])
    told = json.loads((tmp_path / "a.json").read_text())
    assert told == json.loads(result.json()) and result.csv() == (tmp_path / "a.csv").read_text()
    assert told["sets"][2]["score"] is None and told["sets"][0]["score"] == rows[0]["score"]
    assert result.rows([4]) == [rows[4]] and result.best()[0] in (0, 1, 4, 5)
    lines = result.table(3).splitlines()
    assert lines[0].split() == ["rank", "set", "lr", "loss", "best", "steps", "stopped"] and len(lines) == 4
    assert "6 sets" in repr(result)
    with pytest.raises(ValueError, match="Result.save: .*neither with .csv nor with .json"):
        result.save(tmp_path / "a.txt")
    with pytest.raises(IndexError, match="there is no set 6"):
        result.rows([6])
    with pytest.raises(luge.IoError, match="absent"):
        result.save(tmp_path / "absent" / "a.csv")


def test_dataframe():
    result = parabolas(sweep.grid(lr=[0.1, 0.3]), steps=3)
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="Result.to_dataframe needs pandas"):
            result.to_dataframe()
        return
    frame = result.to_dataframe()
    assert frame.index.name == "set" and frame["lr"].tolist() == [0.1, 0.3] and len(frame) == 2


def test_report(tmp_path):
    result = parabolas(sweep.space({"lr": sweep.log_uniform(1e-3, 0.9)}, sets=50), steps=20)
    page = result.report(tmp_path / "page", title="Parabolas", options={"steps": 20})
    text = pathlib.Path(page).read_text()
    words = ("Parabolas", "50 sets of 1 hyperparameter ", "log_uniform(0.001, 0.9)", "results.csv", "<dt>steps</dt><dd>20</dd>")
    for word in words:
        assert word in text
    assert (tmp_path / "page" / "results.csv").read_text() == result.csv()
    with pytest.raises(TypeError, match="Result.report: options is of type list"):
        result.report(tmp_path / "page", options=[1])
    (tmp_path / "file").write_text("")
    with pytest.raises(luge.IoError, match="cannot make the folder"):
        result.report(tmp_path / "file" / "page")


def test_the_example():
    example = pathlib.Path(__file__).parents[2] / "examples" / "sweep.py"
    assert len(example.read_text().splitlines()) <= 40
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
